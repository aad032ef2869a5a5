"""What readers are asked: the columns of the forms, and what may stand in each.

The names are stored in answers; never rename one. Ratings run from 1 to 5 and 5 is always best.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

SCALES = {
    "accuracy": "What is written agrees with the findings. 1 wrong in what matters, 5 no error.",
    "completeness": "Nothing that matters is left out. 1 a critical finding missing, 5 complete.",
    "conciseness": "Nothing is there that need not be. 1 the point is lost in it, 5 to the point.",
    "harm": "Could acting on it harm the patient? 1 severe harm likely, 5 no harm.",
    "style": "Clear, well ordered, in the words of a radiologist. 1 unusable, 5 as I would write.",
    "utility": "To sign, it needs: 1 writing anew, 3 some changes, 5 no change.",
}
"""The five-point criteria of the studies that this follows, under their usual names."""
BETTER = ("A", "B", "same")
WRITERS = ("human", "machine")
SECONDS_MAX = 7_200
_RATING = re.compile(r"[1-5]")
_SECONDS = re.compile(r"\d{1,4}([.,]\d{1,3})?")

AnswerKind = Literal["rating", "choice", "seconds"]
FormKind = Literal["comparison", "turing", "timing"]


@dataclass(frozen=True, slots=True)
class Question:
    """A column to be filled in."""

    name: str
    kind: AnswerKind
    text: str
    options: tuple[str, ...] = ()

    def read(self, cell: str) -> int | float | str | None:
        """Return the answer in a cell, or None when it is none."""
        told = cell.strip()
        if self.kind == "rating":
            return int(told) if _RATING.fullmatch(told) else None
        if self.kind == "choice":
            by_name = {option.casefold(): option for option in self.options}
            return by_name.get(told.casefold())
        seconds = float(told.replace(",", ".")) if _SECONDS.fullmatch(told) else 0.0
        return seconds if 0 < seconds <= SECONDS_MAX else None


def questions_for(kind: FormKind) -> tuple[Question, ...]:
    """Return the questions of a form, in the order of its columns."""
    if kind == "timing":
        text = "Seconds from opening the report until the impression is ready to sign."
        return (Question("seconds", "seconds", text),)
    if kind == "turing":
        return (
            *_ratings("", "the text"),
            Question("writer", "choice", "Who wrote it?", WRITERS),
            Question("confidence", "rating", "How sure are you? 1 a guess, 5 certain."),
        )
    return (
        *_ratings("a_", "text A"),
        *_ratings("b_", "text B"),
        Question("better", "choice", "Which is better for this report? same: as good.", BETTER),
    )


def _ratings(prefix: str, what: str) -> tuple[Question, ...]:
    return tuple(
        Question(prefix + scale, "rating", f"{scale} of {what}, 1 to 5. {text}")
        for scale, text in SCALES.items()
    )
