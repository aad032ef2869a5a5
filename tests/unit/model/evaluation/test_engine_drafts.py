"""An engine is fed in batches of like length; what is too long for it has no draft."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.corpora.schema import parse_row
from model.engines.extractive import ExtractiveEngine
from model.errors import EngineUnavailableError
from model.evaluation import engine_drafts
from model.evaluation.engine_drafts import (
    BATCH_ROWS,
    draft_with_adapter,
    draft_with_engine,
    load_adapter,
)
from model.synth.corpus import report_row
from tests.unit.model.evaluation.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Draft
    from model.engine import Prepared

REPORTS = [parse_row(report_row(2, "test", index), index) for index in range(30)]


def texts(drafts: list[Draft | None]) -> list[str | None]:
    return [None if draft is None else draft.text for draft in drafts]


def test_an_engine_is_asked_in_batches_of_like_length_and_answers_in_the_reports_order() -> None:
    engine, done = Recorder(), list[int]()

    drafts = draft_with_engine(engine, REPORTS, "adapter", done.append)

    lengths = [len(one.token_ids) for batch in engine.batches for one in batch]
    assert texts(drafts) == texts(draft_with_engine(ExtractiveEngine(), REPORTS))
    assert lengths == sorted(lengths)
    assert max(map(len, engine.batches)) == BATCH_ROWS
    assert sum(done) == len(REPORTS)
    assert {one.prompt.adapter for batch in engine.batches for one in batch} == {"adapter"}


@pytest.mark.parametrize("times", [200, 2_000])  # beyond the engine; beyond any prompt
def test_what_is_too_long_has_no_draft_and_counts_as_done(times: int) -> None:
    done: list[int] = []
    long = replace(REPORTS[0], findings="Clear lungs. " * times)

    drafts = draft_with_engine(Recorder(), [long, *REPORTS[1:3]], advance=done.append)

    assert [draft is None for draft in drafts] == [True, False, False]
    assert sum(done) == 3


class Faulty(Recorder):
    """Gives a size that no report has until it is asked for the redraft that ends this."""

    def __init__(self, good: Mapping[str, int]) -> None:
        super().__init__()
        self._good = good

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        return [
            draft
            if one.prompt.redraft >= self._good.get(one.prompt.findings, 0)
            else replace(draft, text=f"A mass of 97{one.prompt.redraft} mm.")
            for one, draft in zip(batch, super().generate(batch), strict=True)
        ]


def test_only_what_a_check_refuses_is_drafted_again_and_the_daemons_choice_stands_beside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reports = REPORTS[:4]
    second, never, long = reports[1].findings, reports[2].findings, reports[3]
    reports[3] = replace(long, findings="Clear lungs. " * 200)
    engine = Faulty({second: 2, never: 9})
    monkeypatch.setattr(engine_drafts, "load_adapter", lambda *_: engine)

    drafts = draft_with_adapter(tmp_path, None, reports, 3)

    good = texts(draft_with_engine(ExtractiveEngine(), reports[:3]))
    fault = "A mass of 970 mm."
    assert texts(drafts["adapter"]) == [good[0], fault, fault, None]
    assert texts(drafts["redrafted"]) == [good[0], good[1], fault, None]
    asked = [(one.prompt.findings, one.prompt.redraft) for some in engine.batches for one in some]
    again = [one for one in asked if one[1]]
    assert sorted(again) == sorted([(second, 1), (second, 2), (never, 1), (never, 2), (never, 3)])
    assert len(engine.batches) == 4


def test_without_redrafts_the_adapter_drafts_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine_drafts, "load_adapter", lambda *_: Recorder())

    assert list(draft_with_adapter(tmp_path, None, REPORTS[:2])) == ["adapter"]


def test_an_adapter_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="folder_missing"):
        load_adapter(tmp_path / "nowhere", None)
