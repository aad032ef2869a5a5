"""What is written for readers, and what is kept from them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.errors import StudyInputError
from model.study.design import plan_study
from model.study.forms import write_study
from model.study.questions import SCALES
from tests.unit.model.study_samples import make_case, make_cases

if TYPE_CHECKING:
    from pathlib import Path

    from model.study.design import Kind, Study


def make_study(kind: Kind = "comparison") -> Study:
    return plan_study(make_cases(12), kind=kind, readers=3, count=8, timed=4, seed=3)


def read_csv(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_reader_gets_a_form_twice_and_one_for_the_clock(tmp_path: Path) -> None:
    written = write_study(make_study(), tmp_path / "study")

    names = {path.name for path in (tmp_path / "study" / "forms").iterdir()}
    readers = ("R01", "R02", "R03")
    expected = {f"{r}{what}" for r in readers for what in (".csv", ".json")}
    expected |= {f"{r}-timing{what}" for r in readers for what in (".csv", ".json")}
    assert names == expected | {"INSTRUCTIONS.md"}
    assert [path.stem for path in written[:2]] == ["R01", "R01-timing"]


def test_no_file_can_be_read_by_others(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")

    files = [path for path in (tmp_path / "study").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "study").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["comparison", "turing"])
def test_the_forms_hold_no_case_site_or_source(tmp_path: Path, kind: Kind) -> None:
    write_study(make_study(kind), tmp_path / "study")

    for path in (tmp_path / "study" / "forms").iterdir():
        text = path.read_text(encoding="utf-8-sig")
        assert not [word for word in ("case-", "north", "south", "sources", "seed") if word in text]
        assert "reference" not in text


def test_the_key_holds_no_text(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")

    text = (tmp_path / "study" / "key.json").read_text()
    assert "odule" not in text
    assert {entry["reader"] for entry in json.loads(text)["items"]} == {"R01", "R02", "R03"}


def test_csv_and_json_ask_the_same_of_the_same_texts(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")
    rows = read_csv(tmp_path / "study" / "forms" / "R02.csv")
    form = json.loads((tmp_path / "study" / "forms" / "R02.json").read_text())

    questions = [question["name"] for question in form["questions"]]
    assert list(rows[0])[-len(questions) - 1 :] == [*questions, "comment"]
    for row, item in zip(rows, form["items"], strict=True):
        assert {key: row[key] for key in item if key != "answers"} == {
            key: value for key, value in item.items() if key != "answers"
        }
        assert set(item["answers"]) == set(questions)


def test_the_order_of_the_texts_is_that_of_the_key(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")
    key = json.loads((tmp_path / "study" / "key.json").read_text())
    rows = {row["item"]: row for row in read_csv(tmp_path / "study" / "forms" / "R01.csv")}

    for entry in key["items"]:
        if entry["reader"] == "R01":
            is_model_first = "drafted" in rows[entry["item"]]["text_a"]
            assert entry["sources"][0] == ("model" if is_model_first else "reference")


def test_the_draft_is_shown_in_the_arm_that_has_it_alone(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")
    key = json.loads((tmp_path / "study" / "key.json").read_text())
    rows = {row["item"]: row for row in read_csv(tmp_path / "study" / "forms" / "R01-timing.csv")}

    arms = [entry for entry in key["timed"] if entry["reader"] == "R01"]
    assert {entry["has_draft"] for entry in arms} == {True, False}
    assert all(bool(rows[entry["item"]]["draft"]) is entry["has_draft"] for entry in arms)


@pytest.mark.parametrize("start", ["=1+1", "+ nodule", "- No nodule.", "@SUM(A1)"])
def test_a_spreadsheet_takes_no_text_for_a_formula(tmp_path: Path, start: str) -> None:
    case = replace(make_case(1), draft=start, reference=start, findings="Findings.")
    study = plan_study([case], kind="comparison", readers=1, count=1, seed=0)
    write_study(study, tmp_path / "study")

    row = read_csv(tmp_path / "study" / "forms" / "R01.csv")[0]
    assert row["text_a"] == row["text_b"] == f"'{start}"


def test_a_study_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    write_study(make_study(), tmp_path / "study")
    key = (tmp_path / "study" / "key.json").read_bytes()

    with pytest.raises(StudyInputError, match="study_exists"):
        write_study(make_study("turing"), tmp_path / "study")

    assert (tmp_path / "study" / "key.json").read_bytes() == key


def test_the_instructions_name_every_question(tmp_path: Path) -> None:
    write_study(make_study("turing"), tmp_path / "study")

    text = (tmp_path / "study" / "forms" / "INSTRUCTIONS.md").read_text()
    assert all(f"| `{name}` |" in text for name in (*SCALES, "writer", "confidence", "seconds"))
    assert "sitting 2" in text
    assert "Your form has 16 rows" in text
