"""What is compared: the baselines, and an engine fed in batches of like length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mappings.domain import Modality
from model.engine import Prepared
from model.engines.extractive import ExtractiveEngine
from model.errors import EngineUnavailableError
from model.evaluation.systems import (
    BATCH_ROWS,
    draft_constant,
    draft_extractive,
    draft_nearest,
    draft_reference,
    draft_with_adapter,
    load_adapter,
)
from model.synth.corpus import report_row
from model.synth.lexicon import group_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mappings.domain import Draft, Prompt


class Recorder(ExtractiveEngine):
    """A real engine that notes what it is asked, with a token for each letter."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Prepared]] = []

    def prepare(self, prompt: Prompt) -> Prepared:
        return Prepared(prompt, tuple(range(len(prompt.findings))))

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        self.batches.append(list(batch))
        return super().generate(batch)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [report_row(2, "test", index) for index in range(30)]


def test_an_engine_is_asked_in_batches_of_like_length_and_answers_in_the_rows_order(
    rows: list[dict[str, Any]],
) -> None:
    engine, done = Recorder(), list[int]()

    drafts = draft_with_adapter(rows, engine, done.append)

    lengths = [len(one.token_ids) for batch in engine.batches for one in batch]
    assert [draft.text for draft in drafts] == [one.text for one in draft_extractive(rows)]
    assert lengths == sorted(lengths)
    assert max(map(len, engine.batches)) == BATCH_ROWS
    assert sum(done) == len(rows)
    assert {one.prompt.adapter for batch in engine.batches for one in batch} == {"adapter"}


def test_the_nearest_report_of_training_lends_its_impression(rows: list[dict[str, Any]]) -> None:
    drafts = draft_nearest(rows, rows)

    assert [draft.text for draft in drafts] == [row["impression"] for row in rows]


def test_a_report_without_a_known_word_still_gets_a_draft(rows: list[dict[str, Any]]) -> None:
    (draft,) = draft_nearest([rows[0] | {"findings": "1 2 3"}], rows)

    assert draft.text


def test_the_constant_is_the_normal_sentence_of_region_and_kind_of_exam(
    rows: list[dict[str, Any]],
) -> None:
    said = {
        (row["region"], group_of(Modality(row["modality"])), draft.text)
        for row, draft in zip(rows, draft_constant(rows), strict=True)
    }

    assert ("chest", "XR", "No acute cardiopulmonary abnormality.") in said
    assert ("chest", "CT", "No acute abnormality in the chest.") in said
    assert len(said) == len({one[:2] for one in said})


def test_a_baseline_says_that_it_is_one(rows: list[dict[str, Any]]) -> None:
    (draft,) = draft_reference(rows[:1])

    assert draft.engine.engine_version == "baseline/reference"
    assert draft.engine.is_demo


def test_an_adapter_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="folder_missing"):
        load_adapter(tmp_path / "nowhere", None)
