"""Invented cases and answers for the tests of the reader study."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import TYPE_CHECKING, Any

from model.study.answers import read_forms, store_answers
from model.study.cases import Case
from model.study.design import plan_study
from model.study.forms import write_study
from model.study.questions import questions_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from model.study.design import Kind
    from model.study.questions import Question

Answer = str | int | float
STRATA = [("north", "CT"), ("north", "CR"), ("south", "CT")]


def make_case(number: int, site: str = "north", modality: str = "CT") -> Case:
    return Case(
        case_id=f"case-{number}",
        site=site,
        modality=modality,
        findings=f"Findings of report {number}. There is a nodule of {number} mm.",
        draft=f"Nodule, {number} mm, as drafted.",
        reference=f"A nodule of {number} mm, as signed.",
    )


def make_cases(count: int) -> list[Case]:
    return [make_case(number, *STRATA[number % len(STRATA)]) for number in range(count)]


def write_drafts(path: Path, count: int, **more: object) -> Path:
    rows = [
        {
            "report_id": case.case_id,
            "site": case.site,
            "modality": case.modality,
            "findings": case.findings,
            "draft": case.draft,
            "reference": case.reference,
        }
        | more
        for case in make_cases(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answer_at_random(seed: int) -> Callable[[Question, Mapping[str, str]], Answer]:
    rng = random.Random(seed)  # noqa: S311 - invented answers

    def answer(question: Question, row: Mapping[str, str]) -> Answer:
        if question.kind == "choice":
            return rng.choice(question.options)
        if question.kind == "rating":
            return rng.randint(1, 5)
        return rng.randint(20, 200)

    return answer


def fill_in(form: Path, answer: Callable[[Question, Mapping[str, str]], Answer], out: Path) -> Path:
    """Fill in a CSV form as a reader would, in a copy."""
    rows = list(csv.DictReader(io.StringIO(form.read_text(encoding="utf-8-sig"), newline="")))
    kind = "timing" if "seconds" in rows[0] else "turing" if "writer" in rows[0] else "comparison"
    for row in rows:
        row.update({one.name: str(answer(one, row)) for one in questions_for(kind)})
    return write_rows(out / form.name, rows)


def write_rows(path: Path, rows: list[dict[str, Any]], separator: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    return path


def run_study(
    folder: Path,
    *,
    kind: Kind = "comparison",
    readers: int = 3,
    count: int = 12,
    timed: int = 0,
    answer: Callable[[Question, Mapping[str, str]], Answer] | None = None,
) -> Path:
    """Design a study, fill in all its forms, and take them back."""
    planned = plan_study(
        make_cases(count + timed), kind=kind, readers=readers, count=count, timed=timed, seed=1
    )
    forms = write_study(planned, folder / "study")
    filled = [fill_in(form, answer or answer_at_random(1), folder) for form in forms]
    read = read_forms(folder / "study", filled)
    assert read.faults == ()
    store_answers(folder / "study", read)
    return folder / "study"


def like_the_model(question: Question, row: Mapping[str, str]) -> Answer:
    """Answer as one who finds the model's text better, and human, and the draft a help."""
    if question.kind == "seconds":
        return 60 if row["draft"] else 100
    if question.name == "better":
        return "A" if "drafted" in row["text_a"] else "B"
    letter = f"text_{question.name[0]}" if question.name[:2] in {"a_", "b_"} else "text"
    is_model = "drafted" in row[letter]
    if question.name == "writer":
        return "human" if is_model else "machine"
    return 5 if is_model else 3
