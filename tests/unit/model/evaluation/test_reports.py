"""Anyone's reports are read by the names they have; what cannot be used is told by its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Modality, Region
from model.corpora.schema import CorpusRow
from model.errors import CorpusUnreadableError, PromptRefusedError
from model.evaluation.reports import (
    on_same_reports,
    places_by,
    read_drafts,
    read_reports,
    readable_draft,
    same_findings,
)

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows))
    return path


BOTH = {"findings": "Clear lungs.", "impression": "Normal."}


def test_a_public_corpus_is_read_by_its_own_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a", BOTH | {"id": "A1", "exam": "Chest, 2 views", "split": "dev"}, "")

    (report,) = read_reports(path)

    assert (report.report_id, report.exam_display) == ("A1", "Chest, 2 views")


def test_our_own_rows_keep_their_fields(tmp_path: Path) -> None:
    row = BOTH | {"report_id": "n-1", "site": "north", "modality": "CT", "region": "chest"}

    (report,) = read_reports(write(tmp_path / "a", row))

    assert (report.site, report.modality, report.region) == ("north", Modality.CT, Region.CHEST)


def test_a_report_without_findings_or_impression_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a", BOTH, BOTH | {"findings": " "}, {"findings": "Clear lungs."})

    assert [report.report_id for report in read_reports(path)] == ["line-1"]


@pytest.mark.parametrize(
    ("line", "reason", "where"),
    [
        ("{", "row_not_json", "a, line 2"),
        ("[1]", "row_not_an_object", "a, line 2"),
        ('{"findings": 1}', "value_not_text", "line 2, findings"),
    ],
)
def test_a_line_that_is_no_report_is_named(
    line: str, reason: str, where: str, tmp_path: Path
) -> None:
    with pytest.raises(CorpusUnreadableError) as caught:
        read_reports(write(tmp_path / "a", BOTH, line))

    assert (caught.value.reason, caught.value.where) == (reason, where)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="FileNotFoundError"):
        read_reports(tmp_path / "none")


def test_drafts_come_in_the_order_of_the_reports(tmp_path: Path) -> None:
    reports = read_reports(write(tmp_path / "a", BOTH | {"id": "1"}, BOTH | {"id": "2"}))
    path = write(tmp_path / "b", {"id": "2", "pred": "two"}, {"report_id": "1", "draft": "one"})

    assert read_drafts(path, reports) == ["one", "two"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"id": "1", "draft": "a"}], "1 reports have no draft"),
        ([{"id": "1", "draft": "a"}, {"id": "1", "draft": "b"}], "draft_missing_or_twice"),
        ([{"id": "1"}], "draft_missing_or_twice"),
    ],
)
def test_drafts_that_do_not_fit_are_refused(
    rows: list[dict[str, str]], reason: str, tmp_path: Path
) -> None:
    reports = read_reports(write(tmp_path / "a", BOTH | {"id": "1"}, BOTH | {"id": "2"}))

    with pytest.raises(CorpusUnreadableError) as caught:
        read_drafts(write(tmp_path / "b", *rows), reports)

    assert caught.value.reason == reason


def test_blanks_and_case_make_no_other_findings() -> None:
    assert same_findings("Clear  LUNGS.\n") == same_findings("clear lungs.")


def test_what_one_cannot_take_is_judged_for_nobody() -> None:
    reports = [CorpusRow(name) for name in "abc"]
    drafts = {"one": [None, "b1", "c1"], "other": ["a2", "b2", None]}

    assert on_same_reports(reports, drafts, "x") == (
        [reports[1]],
        {"one": ["b1"], "other": ["b2"]},
    )
    with pytest.raises(PromptRefusedError, match="no_report_short_enough") as caught:
        on_same_reports(reports, drafts | {"third": ["a", None, "c"]}, "x")
    assert caught.value.where == "x"


def test_reports_are_told_apart_by_a_field_and_without_one_they_are_unknown() -> None:
    reports = [CorpusRow("a", site="s"), CorpusRow("b", site="n"), CorpusRow("c", site="s")]

    assert places_by("site", reports) == {"n": [1], "s": [0, 2]}
    assert places_by("region", reports) == {"unknown": [0, 1, 2]}


def test_a_draft_is_read_beside_its_report() -> None:
    told = readable_draft(CorpusRow("a", findings="F", impression="I"), "mine", "D")

    assert (told["report_id"], told["system"], told["findings"]) == ("a", "mine", "F")
    assert (told["reference"], told["draft"]) == ("I", "D")
