"""The forms that readers fill in, and the key that says who wrote what.

The rule: nothing in the folder ``forms`` depends on a source but the text itself. The key alone
knows it, and readers get the forms alone. A form is CSV for a spreadsheet (RFC 4180, UTF-8 with a
byte order mark, so that Excel reads it) and JSON for a page; either can be sent back.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from model.errors import StudyInputError
from model.study.files import FORMS, KEY, make_private_folder, write_private, write_private_json
from model.study.questions import questions_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.study.design import Item, Study, TimedItem
    from model.study.questions import FormKind, Question

KEY_FORMAT = "prelim reader study key/1"
FORM_FORMAT = "prelim reader study form/1"
COMMENT = "comment"
FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection)."""
HOW = (
    "Take them in their order, one by one, alone, and do not go back. Read the findings first."
    " Leave the columns before the answers as they are. Fill in every answer; `comment` may stay"
    " empty. Do not look the report up, and do not talk about it with other readers before all"
    " forms are in."
)


def write_study(study: Study, folder: Path) -> list[Path]:
    """Write the key and a form for each reader.

    Returns:
        The forms' CSV files, in order of the readers.

    Raises:
        StudyInputError: A study is there already; its key is never replaced.
    """
    if (folder / KEY).exists():
        raise StudyInputError("study_exists", str(folder / KEY))
    make_private_folder(folder)
    make_private_folder(folder / FORMS)
    write_private(folder / FORMS / "INSTRUCTIONS.md", render_instructions(study))
    written = []
    for reader in study.readers:
        rows = [_shown(item) for item in study.items if item.reader == reader]
        written.append(_write_form(folder / FORMS, study, reader, study.kind, rows))
        if timed := [_shown_timed(item) for item in study.timed if item.reader == reader]:
            written.append(_write_form(folder / FORMS, study, reader, "timing", timed))
    write_private_json(folder / KEY, render_key(study))
    return written


def render_key(study: Study) -> dict[str, Any]:
    """Return what is needed to read the answers; it holds report ids and no text."""
    return {
        "format": KEY_FORMAT,
        "study": study.study_id,
        "kind": study.kind,
        "seed": study.seed,
        "readers": list(study.readers),
        "cases": len(study.cases),
        "items": [
            _place(item) | {"sitting": item.sitting, "sources": list(item.sources)}
            for item in study.items
        ],
        "timed": [_place(item) | {"has_draft": item.has_draft} for item in study.timed],
    }


def _place(item: Item | TimedItem) -> dict[str, Any]:
    case = item.case
    return {
        "item": item.item_id,
        "reader": item.reader,
        "case": case.case_id,
        "site": case.site,
        "modality": case.modality,
    }


def _shown(item: Item) -> dict[str, str]:
    """Return what a reader sees of an item, by column."""
    texts = [item.case.text_of(source) for source in item.sources]
    names = ("text_a", "text_b") if len(texts) > 1 else ("text",)
    return {
        "item": item.item_id,
        "sitting": str(item.sitting),
        "indication": item.case.indication,
        "findings": item.case.findings,
        **dict(zip(names, texts, strict=True)),
    }


def _shown_timed(item: TimedItem) -> dict[str, str]:
    return {
        "item": item.item_id,
        "indication": item.case.indication,
        "findings": item.case.findings,
        "draft": item.case.draft if item.has_draft else "",
    }


def _write_form(
    folder: Path, study: Study, reader: str, kind: FormKind, rows: Sequence[dict[str, str]]
) -> Path:
    name = f"{reader}-timing" if kind == "timing" else reader
    questions = questions_for(kind)
    form = {
        "format": FORM_FORMAT,
        "study": study.study_id,
        "reader": reader,
        "kind": kind,
        "questions": [asdict(question) for question in questions],
        "items": [
            row | {"answers": {question.name: None for question in questions}} for row in rows
        ],
    }
    write_private_json(folder / f"{name}.json", form)
    path = folder / f"{name}.csv"
    write_private(path, _render_csv(study.study_id, reader, questions, rows))
    return path


def _render_csv(
    study_id: str, reader: str, questions: Sequence[Question], rows: Sequence[dict[str, str]]
) -> str:
    columns = ["study", "reader", *rows[0], *(question.name for question in questions), COMMENT]
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {"study": study_id, "reader": reader} | {k: _cell(v) for k, v in row.items()}
        )
    return "\ufeff" + written.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def render_instructions(study: Study) -> str:
    """Return what readers are told; the same for all of them."""
    rows = sum(item.reader == study.readers[0] for item in study.items)
    parts = [f"# Reader study: how to fill in your form\n\nYour form has {rows} rows. {HOW}\n"]
    if study.kind == "turing":
        parts.append(
            "Each report comes twice, with another impression: rows of sitting 2 are for another"
            " day, two weeks after sitting 1 or more.\n"
        )
    parts.append(_answers_table(study.kind))
    if study.timed:
        parts.append(
            "\nThe second form is about time: write the impression of each report as in your daily"
            " work, starting from the draft where there is one, and note the seconds. Fill it in"
            " after the first form.\n"
        )
        parts.append(_answers_table("timing"))
    return "\n".join(parts)


def _answers_table(kind: FormKind) -> str:
    lines = ["| column | question | answers |", "|---|---|---|"]
    for question in questions_for(kind):
        answers = {"rating": "1 to 5", "seconds": "a number"}.get(
            question.kind, ", ".join(question.options)
        )
        lines.append(f"| `{question.name}` | {question.text} | {answers} |")
    return "\n".join(lines) + "\n"
