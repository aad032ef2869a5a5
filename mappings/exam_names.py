"""What an exam's name says of modality, region and side, in the words of tables/exam_words.csv.

A row without a language holds for every site; a short or ambiguous word (French ``main`` is a
hand) only for the sites of its language. ``match`` is ``part`` for what stands inside compound
words and in scripts without blanks. What no word tells stays None: a wrong region is worse than
none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mappings.domain import Laterality, Modality, Region
from mappings.languages import primary_of
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NAME_CHARACTERS_MAX = 300
"""Of a longer name only the beginning is read."""

_ROWS = read_table("exam_words")
_PRECEDENCE = (
    Modality.PT,
    Modality.MG,
    Modality.NM,
    Modality.CT,
    Modality.MR,
    Modality.US,
    Modality.XA,
    Modality.RF,
    Modality.CR,
    Modality.DX,
)
"""Which word wins when a name has several: PET/CT is PET, CT angiography is CT."""
_WHOLE_NAME_REGIONS = (Region.SPINE, Region.BREAST, Region.HEART)
"""These win over a word before them: a thoracic spine is no chest. Else the first word wins."""
_XRAY = re.compile(r"\bX[\s-]RAY|X\s?(?:線|线|光|射线)")
_IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u9fff"
_TOKEN = re.compile(rf"[^\W\d_{_IDEOGRAPHS}]+|[{_IDEOGRAPHS}]+")
_COMPOUND_MIN = 8
"""Letters of a word that may be a compound; ideographs are searched whatever their number."""


class ExamName(NamedTuple):
    """What a name says; None where it says nothing."""

    modality: Modality | None = None
    region: Region | None = None
    laterality: Laterality | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of one kind: whole ones, and a pattern of parts."""

    whole: Mapping[str, str]
    parts: re.Pattern[str]
    part_values: Mapping[str, str]

    def values(self, tokens: Iterable[str]) -> Iterator[str]:
        """Yield what the words say, left to right."""
        for token in tokens:
            value = self.whole.get(token)
            if value is not None:
                yield value
            elif len(token) >= _COMPOUND_MIN or not token.isascii():
                yield from (self.part_values[part] for part in self.parts.findall(token))


@lru_cache(maxsize=4096)
def read_name(text: str, language: str = "en") -> ExamName:
    """Read the name of an exam.

    Args:
        text: As sent; 300 characters of it are read.
        language: BCP 47, of the site: whose short words may be among it.

    Returns:
        What its words say. Two sides are both sides.
    """
    tokens = _tokens(text[:NAME_CHARACTERS_MAX])
    if not tokens:
        return ExamName()
    own = primary_of(language)
    modalities = {Modality(value) for value in _words("modality", own).values(tokens)} or {
        Modality(value) for value in _words("modality_else", own).values(tokens)
    }
    regions = [Region(value) for value in _words("region", own).values(tokens)]
    sides = {Laterality(value) for value in _words("laterality", own).values(tokens)}
    return ExamName(
        modality=next((modality for modality in _PRECEDENCE if modality in modalities), None),
        region=next(
            (region for region in _WHOLE_NAME_REGIONS if region in regions),
            regions[0] if regions else None,
        ),
        laterality=Laterality.BILATERAL if len(sides) > 1 else next(iter(sides), None),
    )


@cache
def _words(kind: str, language: str) -> _Words:
    rows = [row for row in _ROWS if row["kind"] == kind and row["language"] in {"", language}]
    parts = {row["word"]: row["value"] for row in rows if row["match"] == "part"}
    longest_first = sorted(parts, key=len, reverse=True)
    return _Words(
        whole={row["word"]: row["value"] for row in rows if row["match"] == "word"},
        parts=re.compile("|".join(map(re.escape, longest_first)) or r"(?!)"),
        part_values=parts,
    )


def _tokens(text: str) -> list[str]:
    """Split a name into words: capitals, full-width letters narrowed, accents taken off."""
    upper = text.upper()
    if not upper.isascii():
        upper = unicodedata.normalize("NFKC", upper)
    upper = _XRAY.sub("XRAY ", upper)
    if upper.isascii():
        return _TOKEN.findall(upper)
    return [_without_accents(token) for token in _TOKEN.findall(upper)]


def _without_accents(token: str) -> str:
    if token.isascii() or "\u3040" <= token[0] <= "\u9fff":  # a kana's voice mark is no accent
        return token
    apart = unicodedata.normalize("NFKD", token)
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
