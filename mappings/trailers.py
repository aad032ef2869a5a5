"""What is no part of a report's text: who dictated or signed it, its end, courtesies, banners.

A signature begins with a capital, at the start of a line or of a sentence: a wrapped line of prose
may begin "reviewed by". What it begins is left out to the next blank line or heading.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mappings.phrases import any_of, fold, spellings
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def _phrases(kind: str) -> list[str]:
    rows = [row["phrase"] for row in read_table("report_trailers") if row["kind"] == kind]
    return sorted({one for phrase in rows for one in spellings(phrase)})


# A phrase of letters ends where its letters end; one in an ideographic script needs no blank after.
_END = r"(?:(?<=[^a-z\u00df-\u024f])|(?![^\W\d_]))"


@cache
def trailer_pattern(*, is_ascii: bool) -> str:
    """Return what begins a signature, as a pattern for folded text (a smaller one for ASCII)."""
    phrases = [phrase for phrase in _phrases("start") if phrase.isascii() or not is_ascii]
    return any_of(phrases) + _END


@cache
def _at_sentence(*, is_ascii: bool) -> re.Pattern[str]:
    return re.compile(rf"\.[^\w\n]{{0,8}}+(?P<phrase>{trailer_pattern(is_ascii=is_ascii)})")


_INLINE = _phrases("inline")
_SENTENCE = _phrases("sentence")
_NOTICE = _phrases("notice")
_SENTENCE_END = re.compile(r"\.(?=\s*+\Z|\s++[^a-z\s])|\u3002|\n[^\S\n]*+\n")
_ABBREVIATED = re.compile(r"(?:\b(?:dr|drs|prof|med)|(?<![^\W_])[^\W\d_])\. \Z")
_DEGREE = ", m.d."
_WITHIN = (*_INLINE, *_SENTENCE, _DEGREE)
_NAME = re.compile(r"(?:[A-Z\u00c0-\u00de][\w.'-]*+\s?){1,4}")
_TAIL_CHARACTERS_MAX = 800
"""How far from the end of a section a signature in the middle of a line is looked for."""
_BANNER = re.compile(
    r"\W*(?:(?:final|preliminary|prelim|draft|corrected|amended|wet\s+read|radiology|imaging)\s+)*"
    r"(?:report|wet\s+read)\W*",
    re.IGNORECASE,
)
_BANNERS = frozenset(_phrases("banner"))
_BANNER_LENGTH_MAX = 60
_EDGES = " \t\u3000*-=_#.:<>[]()\u3010"
_HAS_TEXT = re.compile(r"[^\W_]")


def find_trailers(text: str, folded: str, ends: Iterable[int]) -> list[int]:
    """Return where signatures and courtesies begin within lines, in any order.

    Args:
        text: Begins with a line feed, so that its first line begins as every other.
        folded: The text, folded.
        ends: Where sections end, in order: they are looked for before each.
    """
    at_sentence = _at_sentence(is_ascii=folded.isascii())
    starts: list[int] = []
    sentences: list[int] = []
    last = 0
    for end in ends:
        tail = max(last, end - _TAIL_CHARACTERS_MAX)
        starts += [match.start("phrase") for match in at_sentence.finditer(folded, tail, end)]
        if any(map(folded[tail:end].__contains__, _WITHIN)):
            starts += _places(folded, _INLINE, tail, end)
            sentences += _sentences(text, folded, tail, end)
        last = end
    return sentences + [start for start in starts if not text[start].islower()]


def _sentences(text: str, folded: str, tail: int, end: int) -> Iterator[int]:
    """Yield the sentences that are courtesies, or a name with its degree."""
    for place in _places(folded, _SENTENCE, tail, end):
        yield _sentence_start(folded, tail, place)
    for place in _places(folded, [_DEGREE], tail, end):
        start = _sentence_start(folded, tail, place)
        if _NAME.fullmatch(text, start, place):
            yield start


def _places(folded: str, phrases: Iterable[str], start: int, end: int) -> Iterator[int]:
    for phrase in phrases:
        place = folded.find(phrase, start, end)
        while place >= 0:
            yield place
            place = folded.find(phrase, place + 1, end)


def _sentence_start(folded: str, tail: int, place: int) -> int:
    """Return where the sentence or line around a place begins."""
    stop = place
    while True:
        stop = max(folded.rfind("\n", tail, stop), folded.rfind(". ", tail, stop), tail - 1)
        if stop < tail or not _ABBREVIATED.search(folded, max(tail, stop - 5), stop + 2):
            break
    start = stop + 1
    while folded[start].isspace() or folded[start] == ".":
        start += 1
    return start


def find_notices(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a text that say who was told of a result, in order."""
    folded = fold(text)
    found: list[tuple[int, int]] = []
    for place in sorted(_places(folded, _NOTICE, 0, len(folded))):
        if not found or place >= found[-1][1]:
            first = _sentence_start(folded, found[-1][1] if found else 0, place)
            last = _SENTENCE_END.search(text, place)
            found.append((first, len(text) if last is None else last.end()))
    return found


def find_letter(text: str, start: int, end: int) -> int | None:
    """Return where the first letter or digit of a stretch stands."""
    match = _HAS_TEXT.search(text, start, end)
    return None if match is None else match.start()


def is_noise(line: str) -> bool:
    """Say whether a line is blank, a rule, or a banner such as ``*** FINAL REPORT ***``."""
    return _HAS_TEXT.search(line) is None or is_banner(line)


def is_banner(line: str) -> bool:
    """Say whether a line that holds letters is no more than the name of what it stands in."""
    if len(line) > _BANNER_LENGTH_MAX:
        return False
    folded = fold(line)
    if folded.strip(_EDGES) in _BANNERS:
        return True
    return ("report" in folded or "read" in folded) and _BANNER.fullmatch(line) is not None
