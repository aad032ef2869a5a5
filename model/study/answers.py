"""What readers send back: each row checked, all faults told at once, nothing unblinded.

The rule: this file never opens the key. What is expected is taken from the forms as they were
written. A fault names file, row and field, never what stands there. Rows are counted as a
spreadsheet counts them: the heading is row 1.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from model.errors import StudyInputError
from model.study.files import ANSWERS, FORMS, make_private_folder, read_json, write_private_json
from model.study.forms import COMMENT, FORM_FORMAT
from model.study.questions import questions_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from model.study.questions import FormKind, Question

csv.field_size_limit(1_000_000)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a form is not taken."""

    where: str
    """File, row and field, such as ``R01.csv row 3.a_accuracy``."""
    reason: str


@dataclass(frozen=True, slots=True)
class _Expected:
    """A form as it was given out."""

    name: str
    reader: str
    study: str
    kind: FormKind
    items: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    cells: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """What is in the forms that were sent back."""

    answers: dict[str, list[dict[str, Any]]] = field(repr=False)
    """By form, such as ``R01``."""
    expected: dict[str, int]
    faults: tuple[Fault, ...]


def read_forms(study: Path, files: Sequence[Path], *, is_partial: bool = False) -> Imported:
    """Check forms against those given out.

    Args:
        study: Folder of the study.
        files: CSV or JSON forms, filled in.
        is_partial: Take a form with rows that have no answer at all; they count as missing.

    Returns:
        The answers, and every fault; when there is one, nothing should be kept.

    Raises:
        StudyInputError: There is no study, or a file cannot be read at all.
    """
    given_out = {form.name: form for form in _given_out(study)}
    answers: dict[str, list[dict[str, Any]]] = {}
    faults: list[Fault] = []
    for path in files:
        rows = _read_rows(path)
        expected = _form_of(rows, given_out)
        if expected is None:
            faults.append(Fault(path.name, "no_form_of_this_study"))
        elif expected.name in answers:
            faults.append(Fault(path.name, "form_comes_twice"))
        else:
            answers[expected.name], found = _check(path.name, rows, expected, is_partial=is_partial)
            faults += found
    sizes = {name: len(given_out[name].items) for name in answers}
    return Imported(answers, sizes, tuple(faults))


def store_answers(study: Path, imported: Imported, *, is_replacing: bool = False) -> None:
    """Keep what was read.

    Raises:
        StudyInputError: There are answers already, and they are not to be replaced.
    """
    folder = study / ANSWERS
    for name in imported.answers:
        if (folder / f"{name}.json").exists() and not is_replacing:
            raise StudyInputError("answers_are_there_already", f"{ANSWERS}/{name}.json")
    make_private_folder(folder)
    for name, answers in imported.answers.items():
        write_private_json(folder / f"{name}.json", answers)


def _given_out(study: Path) -> Iterator[_Expected]:
    paths = sorted((study / FORMS).glob("*.json"))
    if not paths:
        raise StudyInputError("no_study_there", str(study))
    for path in paths:
        form = read_json(path)
        items = frozenset(str(item["item"]) for item in form["items"])
        yield _Expected(path.stem, form["reader"], form["study"], form["kind"], items)


def _read_rows(path: Path) -> list[_Row]:
    if path.suffix.lower() == ".json":
        return _json_rows(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return _csv_rows(path.name, text)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyInputError(f"cannot_read_file ({type(error).__name__})", str(path)) from None


def _csv_rows(name: str, text: str) -> list[_Row]:
    """Read CSV with the separator of whichever country the spreadsheet was saved in."""
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    columns = [column.strip() for column in lines[0]] if lines else []
    return [
        _Row(
            f"{name} row {number}", dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))
        )
        for number, cells in enumerate(lines[1:], start=2)
        if any(cell.strip() for cell in cells)
    ]


def _json_rows(path: Path) -> list[_Row]:
    form = read_json(path)
    if not isinstance(form, dict) or form.get("format") != FORM_FORMAT:
        raise StudyInputError("not_a_form", str(path))
    head = {"study": str(form.get("study")), "reader": str(form.get("reader"))}
    rows = []
    for number, item in enumerate(form.get("items") or ()):
        where = f"{path.name} items[{number}]"
        answers = item.get("answers") if isinstance(item, dict) else None
        if not isinstance(answers, dict):
            raise StudyInputError("not_a_form", where)
        cells = {key: _as_cell(value) for key, value in answers.items()}
        rows.append(_Row(where, head | cells | {"item": str(item.get("item"))}))
    return rows


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _form_of(rows: Sequence[_Row], given_out: Mapping[str, _Expected]) -> _Expected | None:
    """Find the form that a file is, by its first row with an item that was given out."""
    for row in rows:
        for form in given_out.values():
            is_item = row.cells.get("item", "").strip() in form.items
            if is_item and row.cells.get("study", "").strip() == form.study:
                return form
    return None


def _check(
    name: str, rows: Sequence[_Row], expected: _Expected, *, is_partial: bool
) -> tuple[list[dict[str, Any]], list[Fault]]:
    questions = questions_for(expected.kind)
    columns = {column for row in rows[:1] for column in row.cells}
    wanted = ("study", "reader", "item", *(question.name for question in questions))
    if missing := [column for column in wanted if column not in columns]:
        return [], [Fault(f"{name}.{column}", "column_missing") for column in missing]
    counts = Counter(row.cells["item"].strip() for row in rows)
    answers: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for row in rows:
        placed = list(_misplaced(row, expected, counts))
        if not placed and _is_blank(row, questions):
            faults += [] if is_partial else [Fault(row.where, "not_answered")]
            continue
        read = {
            question.name: question.read(row.cells.get(question.name, "")) for question in questions
        }
        faults += [*placed, *_unanswered(row, questions, read)]
        comment = row.cells.get(COMMENT, "").strip()
        answers.append({"item": row.cells["item"].strip(), **read, COMMENT: comment})
    if not is_partial:
        absent = len(expected.items - set(counts))
        faults += [Fault(name, f"{absent} rows_missing")] if absent else []
    return answers, faults


def _misplaced(row: _Row, expected: _Expected, counts: Mapping[str, int]) -> Iterator[Fault]:
    item = row.cells["item"].strip()
    if row.cells["study"].strip() != expected.study:
        yield Fault(f"{row.where}.study", "of_another_study")
    if row.cells["reader"].strip() != expected.reader:
        yield Fault(f"{row.where}.reader", "of_another_reader")
    if item not in expected.items:
        yield Fault(f"{row.where}.item", "not_on_this_form")
    elif counts[item] > 1:
        yield Fault(f"{row.where}.item", "row_comes_twice")


def _is_blank(row: _Row, questions: Sequence[Question]) -> bool:
    return not any(row.cells.get(question.name, "").strip() for question in questions)


def _unanswered(
    row: _Row, questions: Sequence[Question], read: Mapping[str, object]
) -> Iterator[Fault]:
    for question in questions:
        if read[question.name] is None:
            is_blank = not row.cells.get(question.name, "").strip()
            yield Fault(f"{row.where}.{question.name}", "blank" if is_blank else "out_of_range")
