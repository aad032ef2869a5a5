"""Where the statements of a report or an impression begin and end.

Pure, and sure to lose no word: the spans cover every character that is not white space. A line
break ends a statement only before an item or an organ heading; elsewhere it is where an editor
wrapped the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# A full stop ends a statement when white space follows, and what stands before it is neither a
# list number ("1."), an initial nor one of these abbreviations.
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:1?\d|20|[A-Z]|approx|cf|dr|e\.g|i\.e|fig|im|incl|max|min|mr|mrs|no|prof|resp|ser"
    r"|st|vs)\.$",
    re.IGNORECASE,
)
# A run of stops is looked at once, however long it is.
_STOP = re.compile(
    r"(?<![.!?;。！？；])[.!?;。！？；]++[\"')\]]*+(?=\s|$|[\u4e00-\u9fff])"  # noqa: RUF001 - Chinese
)
# A number over 20, or with nothing after it, is the end of a wrapped line: "on image\n87."
_ITEM_START = re.compile(
    r"\n(?=[^\S\n]*(?:[-*•]\s|(?:1?\d|20)[.)][^\S\n]+\S|[A-Za-z][A-Za-z ,/&-]{1,40}:|\n))"
)
# "No. 5" is a number, "... no. Next" is an answer: only a digit after it tells.
_NUMBER_SIGN = re.compile(r"(?:^|\s)no\.$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement and its place in the text it came from."""

    text: str = field(repr=False)
    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """Cut a text into statements.

    Args:
        text: A report's section or an impression.

    Returns:
        Statements in order, without white space at their ends; every other character of the text
        is in exactly one of them.
    """
    cuts = sorted({0, *_stops(text), *(item.end() for item in _ITEM_START.finditer(text))})
    bounds = zip(cuts, [*cuts[1:], len(text)], strict=True)
    return [sentence for start, end in bounds if (sentence := _trimmed(text, start, end))]


def _stops(text: str) -> list[int]:
    return [stop.end() for stop in _STOP.finditer(text) if not _is_abbreviation(text, stop)]


def _is_abbreviation(text: str, stop: re.Match[str]) -> bool:
    if stop.group() != ".":
        return False
    before = text[max(0, stop.start() - 12) : stop.end()]
    if _NUMBER_SIGN.search(before):
        return text[stop.end() :].lstrip()[:1].isdigit()
    found = _ABBREVIATION.search(before)
    if found is None:
        return False
    # "... measures 5." ends a statement; "1. Left ..." opens a line.
    is_number = found.group().strip(" (.\n\t").isdigit()
    line_start = text.rfind("\n", 0, stop.start()) + 1
    return not is_number or _opens_item(text, line_start, stop.start())


def _opens_item(text: str, line_start: int, number_end: int) -> bool:
    """Whether the number before a full stop is a list marker: first of its line or sentence."""
    before = text[line_start:number_end].rstrip("0123456789").rstrip()
    return not before or before[-1] in ".;:!?"


def _trimmed(text: str, start: int, end: int) -> Sentence | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    begin = start + len(piece) - len(piece.lstrip())
    return Sentence(stripped, begin, begin + len(stripped))
