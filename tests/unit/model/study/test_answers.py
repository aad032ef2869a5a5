"""Forms that come back are checked row by row; the key is not needed, and not read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from model.errors import StudyInputError
from model.study.answers import Fault, read_forms, store_answers
from model.study.design import plan_study
from model.study.forms import write_study
from tests.unit.model.study_samples import answer_at_random, fill_in, make_cases, write_rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a study whose key is gone: nothing here may need it."""
    planned = plan_study(make_cases(10), kind="comparison", readers=2, count=4, timed=4, seed=3)
    write_study(planned, tmp_path / "study")
    (tmp_path / "study" / "key.json").unlink()
    return tmp_path / "study"


@pytest.fixture
def rows(study: Path, tmp_path: Path) -> list[dict[str, Any]]:
    filled = fill_in(study / "forms" / "R01.csv", answer_at_random(1), tmp_path)
    text = filled.read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def faults(study: Path, path: Path, rows: list[dict[str, Any]], **options: bool) -> set[Fault]:
    return set(read_forms(study, [write_rows(path / "R01.csv", rows)], **options).faults)


def test_a_form_filled_in_is_taken_with_every_answer(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    rows[0]["comment"] = "Note."

    read = read_forms(study, [write_rows(tmp_path / "renamed.csv", rows)])

    assert read.faults == ()
    first = read.answers["R01"][0]
    assert first["a_harm"] == int(rows[0]["a_harm"])
    assert (first["better"], first["comment"]) == (rows[0]["better"], "Note.")
    assert read.expected == {"R01": 4}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_form_is_taken_as_any_spreadsheet_saves_it(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]], separator: str
) -> None:
    path = write_rows(tmp_path / "R01.csv", rows, separator)
    blank = separator * (len(rows[0]) - 1)
    path.write_text("\ufeff" + path.read_text() + blank + "\n")

    assert read_forms(study, [path]).faults == ()


def test_a_json_form_is_taken_like_csv(study: Path, tmp_path: Path) -> None:
    form = json.loads((study / "forms" / "R02-timing.json").read_text())
    for number, item in enumerate(form["items"]):
        item["answers"]["seconds"] = 30 + number
    (tmp_path / "R02.json").write_text(json.dumps(form))

    read = read_forms(study, [tmp_path / "R02.json"])

    assert read.faults == ()
    assert [row["seconds"] for row in read.answers["R02-timing"]] == [30, 31, 32, 33]


def test_a_json_form_tells_its_faults_by_place(study: Path, tmp_path: Path) -> None:
    form = json.loads((study / "forms" / "R02-timing.json").read_text())
    for item in form["items"]:
        item["answers"]["seconds"] = 9
    form["items"][2]["answers"]["seconds"] = True
    (tmp_path / "R02.json").write_text(json.dumps(form))

    assert read_forms(study, [tmp_path / "R02.json"]).faults == (
        Fault("R02.json items[2].seconds", "out_of_range"),
    )


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("a_accuracy", "", "blank"),
        ("b_style", "6", "out_of_range"),
        ("better", "neither", "out_of_range"),
        ("item", "R02-001", "not_on_this_form"),
        ("study", "S000", "of_another_study"),
        ("reader", "R02", "of_another_reader"),
    ],
)
def test_a_wrong_cell_is_told_by_row_and_field(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]], column: str, value: str, reason: str
) -> None:
    rows[2][column] = value

    found = faults(study, tmp_path, rows)

    assert Fault(f"R01.csv row 4.{column}", reason) in found
    rest = {fault.reason for fault in found} - {reason}
    assert rest == ({"1 rows_missing"} if column == "item" else set())


def test_every_fault_is_told_at_once(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    rows[0]["a_harm"] = "9"
    rows[1]["b_harm"] = ""
    rows[3]["item"] = rows[2]["item"]

    assert faults(study, tmp_path, rows) == {
        Fault("R01.csv row 2.a_harm", "out_of_range"),
        Fault("R01.csv row 3.b_harm", "blank"),
        Fault("R01.csv row 4.item", "row_comes_twice"),
        Fault("R01.csv row 5.item", "row_comes_twice"),
        Fault("R01.csv", "1 rows_missing"),
    }


def test_no_fault_repeats_what_a_cell_holds(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    rows[0] |= dict.fromkeys(("a_harm", "better", "study", "reader"), "Canary Patient")

    assert "Canary" not in repr(faults(study, tmp_path, rows))


def test_rows_without_any_answer_are_taken_when_told_so(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    answers = [column for column in rows[0] if column[:2] in {"a_", "b_"} or column == "better"]
    rows[1] |= dict.fromkeys(answers, "")
    del rows[3]

    assert faults(study, tmp_path, rows) == {
        Fault("R01.csv row 3", "not_answered"),
        Fault("R01.csv", "1 rows_missing"),
    }
    read = read_forms(study, [tmp_path / "R01.csv"], is_partial=True)

    assert read.faults == ()
    assert [row["item"] for row in read.answers["R01"]] == [rows[0]["item"], rows[2]["item"]]


def test_a_row_answered_in_part_is_a_fault_also_then(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    rows[1]["a_harm"] = ""

    assert faults(study, tmp_path, rows, is_partial=True) == {
        Fault("R01.csv row 3.a_harm", "blank")
    }


def test_a_missing_column_is_told_by_its_name(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        del row["better"]

    assert faults(study, tmp_path, rows) == {Fault("R01.csv.better", "column_missing")}


def test_a_form_that_comes_twice_or_is_another_is_told(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    path = write_rows(tmp_path / "R01.csv", rows)
    other = write_rows(tmp_path / "other.csv", [{"study": "x", "item": "y"}])

    assert read_forms(study, [path, path, other]).faults == (
        Fault("R01.csv", "form_comes_twice"),
        Fault("other.csv", "no_form_of_this_study"),
    )


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_refused_by_its_name(
    study: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "R01.csv"
    if content:
        path.write_bytes(content)

    with pytest.raises(StudyInputError) as caught:
        read_forms(study, [path])

    assert caught.value.where == str(path)


@pytest.mark.parametrize("form", [[], {"format": "another"}])
def test_json_that_is_no_form_is_refused(study: Path, tmp_path: Path, form: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(form))

    with pytest.raises(StudyInputError, match="not_a_form"):
        read_forms(study, [tmp_path / "a.json"])


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyInputError, match="no_study_there"):
        read_forms(tmp_path, [])


def test_answers_are_kept_private_and_replaced_only_when_told_so(
    study: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    read = read_forms(study, [write_rows(tmp_path / "R01.csv", rows)])
    store_answers(study, read)

    stored = study / "answers" / "R01.json"
    assert json.loads(stored.read_text()) == read.answers["R01"]
    assert stored.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StudyInputError, match="answers_are_there_already"):
        store_answers(study, read)
    store_answers(study, read, is_replacing=True)
