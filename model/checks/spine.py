"""Spine levels as places in a row: C1..C7, T1..T12, L1..L5, S1..S5.

"L4-5", "L4/L5" and "L4-L5" are the same stretch; a draft's stretch is covered when the findings'
stretches reach over it without a gap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNTS = {"C": 7, "T": 12, "L": 5, "S": 5}
_PLACE = {
    f"{letter}{number}": index
    for index, (letter, number) in enumerate(
        (letter, number) for letter, count in _COUNTS.items() for number in range(1, count + 1)
    )
}
_LEVEL = re.compile(
    r"(?<![\w.])(?P<letter>Th|[CTLS])-?(?P<number>\d{1,2})"
    r"(?:\s?(?P<joint>[-\u2013/]|\b(?:through|to|and)\b)\s?"
    r"(?P<letter2>Th|[CTLS])?-?(?P<number2>\d{1,2}))?"
    r"(?!\w|%|\.\d|\s?(?:mm|cm)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of the spine by places, both ends included, and where the text names it."""

    first: int
    last: int
    span: tuple[int, int]


def find_levels(text: str) -> list[Level]:
    """Return the levels and stretches that a text names, in order."""
    return [level for match in _LEVEL.finditer(text) for level in _levels(match)]


def is_covered(level: Level, known: Iterable[Level]) -> bool:
    """Whether ``known`` names this level, or reaches over the whole stretch.

    Two single levels that are neighbours ("L4. L5.") make a stretch; L3-L4 and L5-S1 do not.
    """
    stretches = list(known)
    if level.first == level.last:
        return any(known.first <= level.first <= known.last for known in stretches)
    single = {known.first for known in stretches if known.first == known.last}
    links = {place for known in stretches for place in range(known.first, known.last)}
    links |= {place for place in single if place + 1 in single}
    return links.issuperset(range(level.first, level.last))


def _levels(match: re.Match[str]) -> list[Level]:
    start, end = match.span()
    first = _place(match["letter"], match["number"])
    if first is None:
        return []
    last = _place(match["letter2"] or match["letter"], match["number2"])
    if last is None or last <= first:
        return [Level(first, first, (start, end))]
    if match["joint"].lower() == "and":
        return [Level(first, first, (start, end)), Level(last, last, (start, end))]
    return [Level(first, last, (start, end))]


def _place(letter: str, number: str | None) -> int | None:
    return _PLACE.get(f"{letter[0].upper()}{int(number)}") if number else None
