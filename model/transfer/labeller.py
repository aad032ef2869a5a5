"""Which findings a text names, and which of them it denies: words from tables, in four languages.

A stand-in for the labels of a clinician, to compare systems by: what it says of itself on texts
whose truth is known stands beside every number that comes of it (``label_quality.py``). A finding
that is doubted counts as named. findings.yaml has the words, denials.yaml how each language denies.

Source of the method: Chapman et al. (2001), A simple algorithm for identifying negated findings
and diseases in discharge summaries (NegEx).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml

from model.sentences import split_sentences

FOLDER = Path(__file__).parent
_WORDS_AFTER = r"(?=(?:\W+\w+){0,3}\W*(?:,|$))"  # the end of a clause, or near it
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "’": "'"})  # noqa: RUF001 - as typesetters write


@dataclass(frozen=True, slots=True)
class _Language:
    """One language's findings and denials, ready to search."""

    findings: dict[str, re.Pattern[str]]
    before: re.Pattern[str]
    after: re.Pattern[str]
    no_denial: re.Pattern[str]
    stops: re.Pattern[str]
    joins: re.Pattern[str]


@cache
def labels() -> tuple[str, ...]:
    """Return every label there is, in the table's order."""
    return tuple(_table("findings"))


def has_labels(language: str) -> bool:
    """Whether there are words for a language (BCP 47)."""
    return _primary(language) in _table("denials")


@lru_cache(maxsize=65_536)
def labels_of(text: str, language: str = "en") -> frozenset[str]:
    """Name the findings that a text states or doubts, and does not deny.

    Args:
        text: An impression, or findings.
        language: BCP 47; one that ``has_labels``.

    Returns:
        Labels of findings.yaml; empty where the text calls all normal.
    """
    words = _language(_primary(language))
    sentences = (folded(" ".join(one.text.split())) for one in split_sentences(text))
    parts = (part for sentence in sentences for part in words.stops.split(sentence))
    return frozenset(label for part in parts for label in _stated(part, words))


def folded(text: str) -> str:
    """Return a text in small letters without accents, as the tables are written."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _stated(part: str, words: _Language) -> list[str]:
    denied = _denied(part, words)
    return [
        label
        for label, pattern in words.findings.items()
        if any(
            not any(start < found.end() and found.start() < end for start, end in denied)
            for found in pattern.finditer(part)
        )
    ]


def _denied(part: str, words: _Language) -> list[tuple[int, int]]:
    """Return the stretches of a part that it denies."""
    read = words.no_denial.sub(lambda found: " " * len(found.group()), part)
    reach = [(cue.start(), len(part)) for cue in words.before.finditer(read)]
    for cue in words.after.finditer(read):
        clause = read.rfind(",", 0, cue.start()) + 1
        is_list = words.joins.match(read, clause) is not None
        reach.append((0 if is_list else clause, cue.start()))
    return reach


@cache
def _language(primary: str) -> _Language:
    denials = _table("denials")[primary]
    return _Language(
        findings={label: _at_word(row[primary]) for label, row in _table("findings").items()},
        before=_at_word(denials["before"]),
        after=re.compile(rf"\b(?:{denials['after']}){_WORDS_AFTER}"),
        no_denial=_at_word(denials["no_denial"]),
        stops=re.compile(denials["stops"]),
        joins=re.compile(rf"\s*(?:{denials['joins']})\b"),
    )


def _at_word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})")


@cache
def _table(name: str) -> dict[str, dict[str, str]]:
    told: dict[str, dict[str, str]] = yaml.safe_load(
        (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return told


def _primary(language: str) -> str:
    return language.split("-", maxsplit=1)[0].lower()
