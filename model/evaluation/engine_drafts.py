"""An engine's drafts of a corpus's reports: it is asked in batches, as the worker asks it.

With redrafts the daemon's choice stands beside the first drafts, under a name of its own: what it
gains and what it costs is seen on the same reports.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from model.corpora.asking import findings_of, prompt_of
from model.engine import EngineConfiguration
from model.errors import PromptRefusedError
from model.redrafting import Choice
from model.worker import load_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Draft
    from model.corpora.schema import CorpusRow
    from model.engine import Engine, Prepared

BATCH_ROWS = 8
ADAPTER = "adapter"
REDRAFTED = "redrafted"
"""Who drafts: the adapter, and the adapter as a daemon takes its drafts that makes redrafts."""


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
    adapter: Path,
    base: Path | None,
    reports: Sequence[CorpusRow],
    redrafts_max: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, list[Draft | None]]:
    """Draft with an adapter; see ``load_adapter`` and ``draft_with_engine``.

    Args:
        adapter: Folder of a PEFT LoRA adapter.
        base: Folder of the base model; None for the demo base.
        reports: Of a corpus.
        redrafts_max: How many redrafts a draft may have that a check refuses; 0 makes none.
        advance: Called with the number of reports just done; redrafts are not counted.

    Returns:
        The drafts by who drafts: ``ADAPTER``, and ``REDRAFTED`` where redrafts may be made.
    """
    engine = load_adapter(adapter, base)
    first = draft_with_engine(engine, reports, ADAPTER, advance)
    if not redrafts_max:
        return {ADAPTER: first}
    return {ADAPTER: first, REDRAFTED: _redraft(engine, reports, first, redrafts_max)}


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
    drafts = _write(engine, prepared, advance)
    return [drafts.get(place) for place in range(len(reports))]


def _redraft(
    engine: Engine, reports: Sequence[CorpusRow], first: Sequence[Draft | None], redrafts_max: int
) -> list[Draft | None]:
    """Have what the checks refuse drafted again, and choose as the daemon does."""
    choices: dict[int, Choice] = {}
    for place, (report, draft) in enumerate(zip(reports, first, strict=True)):
        if draft is not None:
            prompt = prompt_of(report, adapter=ADAPTER)
            choices[place] = Choice(findings_of(report), prompt, redrafts_max)
            choices[place].judge(draft)
    while wanted := {place: one.wanted for place, one in choices.items() if one.wanted is not None}:
        prepared = {place: engine.prepare(prompt) for place, prompt in wanted.items()}
        for place, draft in _write(engine, prepared).items():
            choices[place].judge(draft)
    return [choices[at].taken.draft if at in choices else None for at in range(len(reports))]


def _write(
    engine: Engine,
    prepared: Mapping[int, Prepared],
    advance: Callable[[int], None] = lambda _: None,
) -> dict[int, Draft]:
    """Return the drafts by their places, written in batches of like length."""
    order = sorted(prepared, key=lambda place: len(prepared[place].token_ids))
    drafts: dict[int, Draft] = {}
    for start in range(0, len(order), BATCH_ROWS):
        batch = order[start : start + BATCH_ROWS]
        written = engine.generate([prepared[place] for place in batch])
        drafts.update(zip(batch, written, strict=True))
        advance(len(batch))
    return drafts
