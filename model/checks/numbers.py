"""A number in the draft that the findings do not have, or have of an earlier study alone.

Lengths are compared in millimetres (1.2 cm is 12 mm), spine levels as places in the spine (L3-L5
covers L4), ordinals and small number words by value ("fifth" is "5th"). A unit belongs to a number:
"5" in the findings does not allow "5 mm". List numbers ("1. ...") are no numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from model.checks.spine import find_levels, is_covered
from model.checks.wording import UNFINISHED_ITEM, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH_MM = {"mm": Decimal(1), "cm": Decimal(10)}
_UNITS = {
    "%": "percent",
    "percent": "percent",
    "°": "degree",
    "degree": "degree",
    "degrees": "degree",
    "hu": "hu",
    "ml": "ml",
    "cc": "ml",
    "millimeter": "mm",
    "millimeters": "mm",
    "millimetre": "mm",
    "millimetres": "mm",
    "mm": "mm",
    "centimeter": "cm",
    "centimeters": "cm",
    "centimetre": "cm",
    "centimetres": "cm",
    "cm": "cm",
}
# "one" counts only before a unit ("one of", "this one").
_WORD_VALUES = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8}

_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_NUMBER = re.compile(
    # Chinese puts no blank before a number.
    r"(?:(?<![\w.,])|(?<=\d[x\u00d7])|(?<=\b[x\u00d7])|(?<=[\u4e00-\u9fff]))"
    r"(?P<value>\d+(?:[.,]\d+)*|\.\d+)"
    rf"(?:(?P<ordinal>st|nd|rd|th)\b|[\s-]{{0,2}}(?P<unit>{_UNIT})(?![a-z])"
    r"|(?P<suffix>[a-wyz]\b))?",
    re.IGNORECASE,
)
_JOINT = re.compile(r"\s*(?:[x\u00d7*\u2013/-]|by|to|and|or|through)\s*", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w-])[a-z]{1,4}\d+[a-z]?\b(?<!\bx\d)", re.IGNORECASE)
_WORD_NUMBER = re.compile(
    rf"\b(?P<word>{'|'.join(_WORD_VALUES)})\b(?:[\s-]{{1,2}}(?P<unit>{_UNIT})(?![a-z]))?",
    re.IGNORECASE,
)
# "-10 HU" within a sentence: no range ("5 -10"), no item ("\n-5 mm nodule").
_MINUS = re.compile(r"[^\s\d.!?;-][ \t]+\(?[-\u2212]$")
_ROMAN_NUMBER = re.compile(
    r"\b(?:grade|type|stage|class|category|segment|level|zone)\s+(?P<roman>i{1,3}|iv|vi{0,3})\b",
    re.IGNORECASE,
)
_MARKER = re.compile(r"(?:^|(?<=\s)|(?<=\())(?P<number>\d{1,2})[.)](?=\s+\S|[^\W\d_])")

# "previously 12 x 9 mm", "it was 9 mm on the prior study"; but "the previously seen 9 mm nodule"
# is one of now, and a bare "was" is many a report's tense for what is there.
_BEFORE = re.compile(
    r"\b(?:previously|formerly)[\s,:]+(?:(?:measur(?:ed|ing)|was|about|approximately|up\s+to)\s+)*"
    r"(?:[\d.,]+\s*(?:mm|cm)?\s*(?:x|\u00d7|by)\s*){0,2}$",
    re.IGNORECASE,
)
_WAS = re.compile(r"\bwas\b[^.;\n\d]{0,30}$", re.IGNORECASE)
_THEN = re.compile(r"\s*(?:on|at|in)\s+(?:the\s+)?(?:prior|previous|last|earlier)\b", re.IGNORECASE)
_NEAR = 60
"""Characters of a clause that may say that a number is of an earlier study."""

Meaning = tuple[str, Decimal | str]
"""Kind (mm, another unit, plain, code) and value: equal when two numbers say the same."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text. It has two meanings where its unit may be that of the next number."""

    meanings: frozenset[Meaning]
    span: tuple[int, int]

    @property
    def is_length(self) -> bool:
        """Whether it may be a length."""
        return any(kind == "mm" for kind, _ in self.meanings)


def find_number_fault(findings: str, draft: str) -> Fault | None:
    """Find the first number of the draft that the findings do not have, or a size of before that it
    gives as one of now (English).

    Args:
        findings: The report's text.
        draft: The draft's text.
    """
    level = _level_fault(findings, draft)
    if level is not None:
        return level
    known: set[Meaning] = set()
    current: set[Meaning] = set()
    for number in find_numbers(findings):
        known |= number.meanings
        if not _is_of_before(findings, number):
            current |= number.meanings
    for number in find_numbers(draft):
        if known.isdisjoint(number.meanings):
            reason = "size_not_in_findings" if number.is_length else "number_not_in_findings"
            return Fault(reason, number.span)
        if current.isdisjoint(number.meanings) and not _is_of_before(draft, number):
            return Fault("size_of_before_as_now", number.span)
    return None


def _is_of_before(text: str, number: Number) -> bool:
    """Whether a length is said to be an earlier study's."""
    if not number.is_length:
        return False
    start, end = number.span
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    if _BEFORE.search(before):
        return True
    return bool(_WAS.search(before) and _THEN.match(after))


def find_numbers(text: str) -> list[Number]:
    """Return the numbers of a text in order, without list numbers and spine levels."""
    blank = _without_markers(text)
    for level in find_levels(blank):
        start, end = level.span
        blank = blank[:start] + " " * (end - start) + blank[end:]
    numbers = [*_digits(blank), *_words(blank), *_codes(blank)]
    return sorted(numbers, key=lambda number: number.span)


def _level_fault(findings: str, draft: str) -> Fault | None:
    levels = {(level.first, level.last): level for level in find_levels(findings)}
    known = list(levels.values())
    for level in find_levels(_without_markers(draft)):
        if not is_covered(level, known):
            return Fault("level_not_in_findings", level.span)
    return None


def _without_markers(text: str) -> str:
    """Blank the numbers of a list: 1, 2, 3 ... in order, each before its item."""
    if unfinished := UNFINISHED_ITEM.search(text):
        text = text[: unfinished.start("marker")]
    expected = 1
    for marker in _MARKER.finditer(text):
        number, start, end = int(marker["number"]), *marker.span("number")
        opens_item = _opens_item(text[:start])
        is_next = number == expected and text[marker.end() :].lstrip()[:1].isupper()
        if (opens_item and number in {1, expected}) or (is_next and number > 1):
            expected = number + 1
            text = text[:start] + " " * (end - start) + text[end:]
    return text


def _opens_item(before: str) -> bool:
    """Whether an item may begin after this text: a line or a sentence ends there."""
    end = before.rstrip("( \t\r\n")
    return not end or end[-1] in ".!?;:" or "\n" in before[len(end) :]


def _digits(text: str) -> Iterator[Number]:
    """Read numbers backwards, so that "2.3 x 1.1 cm" gives its unit to both."""
    unit, next_start = None, len(text)
    for match in reversed(list(_NUMBER.finditer(text))):
        is_negative = _MINUS.search(text[max(0, match.start() - 8) : match.start()]) is not None
        value = _decimal(match["value"]) * (-1 if is_negative else 1)
        is_joined = _JOINT.fullmatch(text, match.end(), next_start) is not None
        next_start = match.start()
        if match["suffix"]:
            yield Number(frozenset({("code", match.group().lower())}), match.span())
            unit = None
        elif match["unit"]:
            unit = _UNITS[match["unit"].lower()]
            yield Number(frozenset({_meaning(value, unit)}), match.span())
        else:
            unit = unit if is_joined else None
            yield Number(frozenset({("plain", value), _meaning(value, unit)}), match.span())


def _meaning(value: Decimal, unit: str | None) -> Meaning:
    if unit in _LENGTH_MM:
        return "mm", value * _LENGTH_MM[unit]
    return unit or "plain", value


def _decimal(digits: str) -> Decimal:
    """Read "1,2" as a decimal comma and "1,000" as a thousand; a date stays its digits."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits):
        return Decimal(digits.replace(",", ""))
    if digits.replace(",", ".").count(".") > 1:
        return Decimal(re.sub(r"\D", "", digits))
    return Decimal(digits.replace(",", ".")).normalize()


def _words(text: str) -> Iterator[Number]:
    for match in _WORD_NUMBER.finditer(text):
        word, unit = match["word"].lower(), match["unit"]
        value = Decimal(_WORD_VALUES[word])
        if unit:
            yield Number(frozenset({_meaning(value, _UNITS[unit.lower()])}), match.span())
        elif word != "one":
            yield _plain(_WORD_VALUES[word], match.span())
    for match in _ROMAN_NUMBER.finditer(text):
        yield _plain(_ROMAN[match["roman"].lower()], match.span("roman"))


def _plain(value: int, span: tuple[int, int]) -> Number:
    return Number(frozenset({("plain", Decimal(value))}), span)


def _codes(text: str) -> Iterator[Number]:
    """Read what mixes letters and digits, such as a classification: it must be there as it is."""
    for match in _CODE.finditer(text):
        yield Number(frozenset({("code", match.group().lower())}), match.span())
