"""What a draft may be held to, language by language: the words for findings, denials and doubts.

English has tables of its own (concepts.yaml; ``model.normality`` knows what it denies). The others
share a list of concepts (concepts_elsewhere.yaml), whose names and denials are those of
``model.labels``: their texts are read in small letters without accents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mappings.languages import primary_of
from model.labels.denials import asserted_in, at_word, clauses_of, folded
from model.labels.labeller import words_for
from model.normality import asserted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENGLISH = "en"
_FOLDER = Path(__file__).parent
_HEADING = re.compile(r"^[^:.,;]{1,40}:")
_PART = re.compile(r"[^,]+")


@dataclass(frozen=True, slots=True)
class Concept:
    """What names a finding, what else speaks for it, and what makes it due."""

    name: str
    named: re.Pattern[str]
    evidence: re.Pattern[str]
    critical: re.Pattern[str] | None

    def is_supported(self, stated: str, evident: str) -> bool:
        """Whether findings name it, or hold evidence of it.

        Args:
            stated: The findings without what they deny.
            evident: The same without what they call normal.
        """
        return bool(self.named.search(stated) or self.evidence.search(evident))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One language.

    Attributes:
        is_english: Whether ``model.normality`` knows the language.
        concepts: What a draft may name.
        not_new: Says of a finding that it is old or doubtful.
        guess: Matches a guess at a cause.
        read: Brings a text into the form that the patterns are written for.
        asserted: Brings a sentence into that form, without what it denies.
        evident: The same, without what it calls normal.
    """

    is_english: bool
    concepts: tuple[Concept, ...]
    not_new: re.Pattern[str]
    guess: re.Pattern[str]
    read: Callable[[str], str]
    asserted: Callable[[str], str]
    evident: Callable[[str], str]


def vocabulary_of(language: str) -> Vocabulary | None:
    """Return the vocabulary of a language (BCP 47), or None where there is none."""
    primary = primary_of(language)
    return _vocabulary(primary) if primary in _table("qualifiers") else None


@cache
def _vocabulary(primary: str) -> Vocabulary:
    row: dict[str, str] = _table("qualifiers")[primary]
    not_new, guess = (re.compile(row[name], re.IGNORECASE) for name in ("not_new", "guess"))
    if primary == ENGLISH:
        return Vocabulary(
            is_english=True,
            concepts=tuple(_english()),
            not_new=not_new,
            guess=guess,
            read=str,
            asserted=asserted,
            evident=asserted,
        )
    return Vocabulary(
        is_english=False,
        concepts=tuple(_elsewhere(primary)),
        not_new=not_new,
        guess=guess,
        read=folded,
        asserted=partial(asserted_in, language=primary),
        evident=partial(_evident, language=primary, normal=re.compile(row["normal"])),
    )


def _evident(sentence: str, language: str, normal: re.Pattern[str]) -> str:
    """Leave out its heading, too: it names an organ, whatever is said of it."""
    kept = []
    for clause in clauses_of(_HEADING.sub("", folded(sentence)), language):
        text, asserted_text = clause.text, clause.asserted
        parts = (part.span() for part in _PART.finditer(text))
        kept += [asserted_text[s:e] for s, e in parts if not normal.search(text, s, e)]
    return " , ".join(kept)


def _english() -> Iterator[Concept]:
    for name, row in _table("concepts").items():
        yield _concept(name, row["named"], row["evidence"], row.get("critical"), ENGLISH)


def _elsewhere(primary: str) -> Iterator[Concept]:
    for name, row in _table("concepts_elsewhere").items():
        named = "|".join(words_for(label, primary) for label in row["named"])
        critical = row.get("critical", {}).get(primary)
        yield _concept(name, named, row["evidence"][primary], critical, primary)


def _concept(name: str, named: str, evidence: str, critical: str | None, primary: str) -> Concept:
    return Concept(
        name=name,
        named=at_word(named, primary),
        evidence=at_word(evidence, primary),
        critical=at_word(critical, primary) if critical else None,
    )


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return table
