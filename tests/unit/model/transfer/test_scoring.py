"""Cells of institution and body system: words, findings, and too few reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.transfer.scoring import FINDINGS, MEANING, finding_parts, score_institution
from tests.unit.model.transfer_samples import make_institutions, make_rows

ROW = make_rows("x", 1)[0]


def test_findings_of_draft_and_reference_are_counted() -> None:
    parts = finding_parts(ROW, "Right pneumothorax and left effusion.")

    assert parts == {
        "precision": (1, 2),
        "recall": (1, 1),
        "f1": (2, 3),
        "same_findings": (False, 1),
        "called_normal": (False, True),
        "invented": (False, False),
    }


def test_a_draft_that_calls_an_abnormal_report_normal_is_counted() -> None:
    parts = finding_parts(ROW, "Normal chest.")

    assert (parts["recall"], parts["called_normal"]) == ((0, 1), (True, True))


def test_a_finding_in_a_normal_report_is_invented() -> None:
    parts = finding_parts(replace(ROW, impression="Normal chest."), "Cardiomegaly.")

    assert parts["invented"] == (True, True)
    assert parts["called_normal"] == (False, False)


def test_a_language_without_words_counts_nothing() -> None:
    assert set(finding_parts(replace(ROW, language="ja"), "x").values()) == {(0.0, 0.0)}


def test_every_system_and_the_whole_are_scored() -> None:
    north, _ = make_institutions()

    scored = score_institution(north, [row.impression for row in north.test])

    assert {name: cell.reports for name, cell in scored.cells.items()} == {
        "all": 12,
        "chest": 9,
        "abdomen": 3,
    }
    whole = scored.cells["all"]
    told = {metric: whole.value(metric) for metric in MEANING}
    assert {name for name, value in told.items() if value is None} == set()
    assert [told[name] for name in ("rouge_l", "chrf", "f1")] == pytest.approx([1, 1, 1])
    assert set(scored.parts) >= {*FINDINGS, "rouge_l"}


def test_too_few_reports_tell_no_number() -> None:
    north, _ = make_institutions()

    cell = score_institution(north, ["x"] * 12).cells["abdomen"]

    assert (cell.value("rouge_l"), cell.value("chrf"), cell.value("f1")) == (None, None, None)
