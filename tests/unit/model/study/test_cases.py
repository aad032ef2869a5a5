"""Cases are read as evaluate writes them, and refused by line and field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model.errors import StudyInputError
from model.evaluation import run_evaluation
from model.study.cases import by_stratum, lay_out, read_cases
from tests.unit.model.study_samples import make_cases, write_drafts
from tests.unit.model.tiny_base import make_corpus

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"report_id": "a", "findings": "F", "draft": "D", "reference": "R"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_cases_are_read_with_their_site_and_modality(tmp_path: Path) -> None:
    read = read_cases(write_drafts(tmp_path / "drafts.jsonl", 5))

    assert list(read.usable) == make_cases(5)
    assert read.without_text == 0


def test_the_drafts_of_an_evaluation_are_cases(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    evaluation = run_evaluation(data=corpus, adapter=None)
    path = write(tmp_path / "drafts.jsonl", *evaluation.drafts)

    read = read_cases(path, "extractive")

    assert len(read.usable) + read.without_text == evaluation.reports
    assert all("unknown" not in case.stratum for case in read.usable)


def test_a_case_without_site_or_modality_is_of_an_unknown_one(tmp_path: Path) -> None:
    read = read_cases(write(tmp_path / "drafts.jsonl", ROW | {"site": " ", "modality": None}))

    assert read.usable[0].stratum == ("unknown", "unknown")


@pytest.mark.parametrize("field", ["findings", "draft", "reference"])
def test_a_case_without_a_text_is_left_out_and_counted(tmp_path: Path, field: str) -> None:
    read = read_cases(write(tmp_path / "drafts.jsonl", ROW, ROW | {"report_id": "b", field: " \n"}))

    assert [case.case_id for case in read.usable] == ["a"]
    assert read.without_text == 1


def test_both_texts_are_laid_out_alike() -> None:
    assert lay_out("  No  nodule.\r\n\n\tNo\xa0effusion. ") == "No nodule.\nNo effusion."
    assert lay_out("Ro\u0308ntgen") == "R\u00f6ntgen"


def test_of_several_systems_it_must_be_said_which(tmp_path: Path) -> None:
    rows = [ROW | {"system": name, "draft": name} for name in ("adapter", "constant")]
    path = write(tmp_path / "drafts.jsonl", *rows)

    with pytest.raises(StudyInputError, match="several_systems") as caught:
        read_cases(path)
    with pytest.raises(StudyInputError, match="no_such_system"):
        read_cases(path, "another")
    chosen = read_cases(path, "constant")

    assert caught.value.where == "--system"
    assert [case.draft for case in chosen.usable] == ["constant"]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("{", "line 2"),
        ("[1]", "line 2"),
        (json.dumps({**ROW, "draft": 3}), "line 2.draft"),
        (json.dumps({"report_id": "b"}), "line 2.findings"),
        (json.dumps(ROW), "line 1.report_id"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number_and_field(
    tmp_path: Path, line: str, where: str
) -> None:
    path = tmp_path / "drafts.jsonl"
    path.write_text(f"{json.dumps(ROW)}\n{line}\n")

    with pytest.raises(StudyInputError) as caught:
        read_cases(path)

    assert caught.value.where == where


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(StudyInputError, match="FileNotFoundError"):
        read_cases(tmp_path / "none.jsonl")


def test_strata_keep_every_case() -> None:
    strata = by_stratum(make_cases(7))

    assert list(strata) == [("north", "CR"), ("north", "CT"), ("south", "CT")]
    assert sum(map(len, strata.values())) == 7


def test_no_text_of_a_case_is_in_its_repr() -> None:
    assert "nodule" not in repr(make_cases(1)).lower()
