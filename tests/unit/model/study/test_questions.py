"""What may stand in a column of a form."""

from __future__ import annotations

import pytest

from model.study.questions import SCALES, Question, questions_for

RATING = Question("a_harm", "rating", "")
CHOICE = Question("better", "choice", "", ("A", "B", "same"))
SECONDS = Question("seconds", "seconds", "")


@pytest.mark.parametrize(
    ("question", "cell", "answer"),
    [
        (RATING, " 5 ", 5),
        (RATING, "1", 1),
        (CHOICE, "a", "A"),
        (CHOICE, "SAME ", "same"),
        (SECONDS, "83", 83.0),
        (SECONDS, "83,5", 83.5),
        (SECONDS, "7200", 7200.0),
    ],
)
def test_an_answer_is_read(question: Question, cell: str, answer: object) -> None:
    assert question.read(cell) == answer


@pytest.mark.parametrize(
    ("question", "cells"),
    [
        (RATING, ["", "0", "6", "4.5", "five", "-1", "55", "\u0665"]),
        (CHOICE, ["", "C", "A B", "equal"]),
        (SECONDS, ["", "0", "-4", "7201", "1:30", "nan", "inf", "1e3"]),
    ],
)
def test_what_is_no_answer_is_refused(question: Question, cells: list[str]) -> None:
    assert [question.read(cell) for cell in cells] == [None] * len(cells)


def test_a_comparison_rates_both_texts_on_every_scale() -> None:
    names = [question.name for question in questions_for("comparison")]

    assert names == [*(f"a_{s}" for s in SCALES), *(f"b_{s}" for s in SCALES), "better"]


def test_a_turing_form_asks_who_wrote_it() -> None:
    names = [question.name for question in questions_for("turing")]

    assert names == [*SCALES, "writer", "confidence"]


def test_a_timing_form_asks_for_seconds() -> None:
    assert [question.name for question in questions_for("timing")] == ["seconds"]
