"""What is compared: the adapter as the worker runs it, and baselines that know little or nothing.

A baseline tells what a number is worth: on a corpus of short, regular impressions even copying
scores well. ``reference`` is the corpus's own impression: it shows the scale's ends, and how often
the draft checks refuse what is right.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from mappings.domain import Draft, EngineIdentity, FinishReason, Modality, Region
from model.engine import EngineConfiguration
from model.engines.extractive import ExtractiveEngine
from model.prompt import TEMPLATE_VERSION
from model.synth.lexicon import group_of, lexicon
from model.training.rows import prompt_of
from model.worker import load_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Prompt
    from model.engine import Engine

BATCH_ROWS = 8
ADAPTER = "adapter"
_WORD = re.compile(r"[a-z]{2,}")


def load_adapter(adapter: Path, base: Path | None) -> Engine:
    """Load an adapter on its base as the worker does.

    Args:
        adapter: Folder of a PEFT LoRA adapter.
        base: Folder of the base model; None for the demo base.

    Raises:
        EngineUnavailableError: Weights or libraries are missing.
    """
    return load_engine(
        EngineConfiguration(
            engine="transformers",
            base=None if base is None else str(base),
            adapters={ADAPTER: str(adapter)},
        )
    )


def draft_with_adapter(
    rows: Sequence[Mapping[str, Any]],
    engine: Engine,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Draft]:
    """Draft with an engine that has the adapter, in batches of like length.

    Args:
        rows: Reports of the corpus.
        engine: From ``load_adapter``.
        advance: Called after each batch with the number of drafts just written.

    Returns:
        A draft for each row, in their order.

    Raises:
        PromptRefusedError: A report is too long for the base.
    """
    return draft_prompts([prompt_of(row, ADAPTER) for row in rows], engine, advance)


def draft_prompts(
    prompts: Sequence[Prompt], engine: Engine, advance: Callable[[int], None] = lambda _: None
) -> list[Draft]:
    """Draft for each prompt, in batches of like length; see ``draft_with_adapter``."""
    prepared = [engine.prepare(prompt) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(prepared[index].token_ids))
    drafts: dict[int, Draft] = {}
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        written = engine.generate([prepared[index] for index in batch])
        drafts.update(zip(batch, written, strict=True))
        advance(len(batch))
    return [drafts[index] for index in range(len(prompts))]


def draft_extractive(rows: Sequence[Mapping[str, Any]]) -> list[Draft]:
    """Copy the sentences that state something abnormal."""
    engine = ExtractiveEngine()
    return engine.generate([engine.prepare(prompt_of(row)) for row in rows])


def draft_nearest(
    rows: Sequence[Mapping[str, Any]], train: Sequence[Mapping[str, Any]]
) -> list[Draft]:
    """Copy the impression of the training report with the nearest findings (TF-IDF cosine)."""
    bags = [_bag(row) for row in train]
    seen = Counter(word for bag in bags for word in bag)
    rarity = {word: math.log(1 + len(bags) / count) for word, count in seen.items()}
    vectors = [_vector(bag, rarity) for bag in bags]

    def nearest(row: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = _vector(_bag(row), rarity)
        near = [sum(asked[word] * one[word] for word in asked.keys() & one) for one in vectors]
        return train[near.index(max(near))]

    return [_drafted(nearest(row)["impression"], "nearest") for row in rows]


def draft_constant(rows: Sequence[Mapping[str, Any]]) -> list[Draft]:
    """Call every report normal, in the one sentence of its region."""
    return [_drafted(_normal_sentence(row), "constant") for row in rows]


def draft_reference(rows: Sequence[Mapping[str, Any]]) -> list[Draft]:
    """Give the corpus's own impressions."""
    return [_drafted(row["impression"], "reference") for row in rows]


def _normal_sentence(row: Mapping[str, Any]) -> str:
    return lexicon(Region(row["region"])).normal[group_of(Modality(row["modality"]))]


def _bag(row: Mapping[str, Any]) -> Counter[str]:
    return Counter(_WORD.findall(row["findings"].lower()))


def _vector(bag: Counter[str], rarity: Mapping[str, float]) -> dict[str, float]:
    """Weigh the words that training knows; length 1."""
    weights = {word: count * rarity[word] for word, count in bag.items() if word in rarity}
    length = math.hypot(*weights.values()) or 1.0
    return {word: weight / length for word, weight in weights.items()}


def _drafted(text: str, name: str) -> Draft:
    return Draft(
        text=text,
        finish=FinishReason.STOP,
        prompt_tokens=0,
        output_tokens=len(text.split()),
        engine=EngineIdentity(
            engine="extractive",
            engine_version=f"baseline/{name}",
            base=None,
            base_digest=None,
            adapter=None,
            adapter_digest=None,
            template_version=TEMPLATE_VERSION,
            dtype=None,
            is_demo=True,
        ),
    )
