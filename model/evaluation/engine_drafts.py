"""An engine's drafts of a corpus's reports: it is asked in batches, as the worker asks it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from model.corpora.asking import prompt_of
from model.engine import EngineConfiguration
from model.errors import PromptRefusedError
from model.worker import load_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mappings.domain import Draft
    from model.corpora.schema import CorpusRow
    from model.engine import Engine, Prepared

BATCH_ROWS = 8
ADAPTER = "adapter"


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


def draft_with_engine(
    engine: Engine,
    reports: Sequence[CorpusRow],
    adapter: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Draft | None]:
    """Draft with an engine, in batches of like length.

    Args:
        engine: Any.
        reports: Of a corpus.
        adapter: Name of the adapter that shall write.
        advance: Called after each batch with the number of reports just done.

    Returns:
        A draft for each report, in their order; None where it is too long for the engine.
    """
    prepared: dict[int, Prepared] = {}
    for place, report in enumerate(reports):
        with suppress(PromptRefusedError):
            prepared[place] = engine.prepare(prompt_of(report, adapter=adapter))
    advance(len(reports) - len(prepared))
    order = sorted(prepared, key=lambda place: len(prepared[place].token_ids))
    drafts: dict[int, Draft] = {}
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        written = engine.generate([prepared[place] for place in batch])
        drafts.update(zip(batch, written, strict=True))
        advance(len(batch))
    return [drafts.get(place) for place in range(len(reports))]
