"""Which findings a text names, and does not deny: words from findings.yaml, in six languages.

A stand-in for the labels of a clinician, to compare systems by: what it says of itself on texts
whose truth is known stands beside every number that comes of it (``model/transfer/
label_quality.py``). A finding that is doubted counts as named.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from mappings.languages import primary_of
from model.labels.denials import at_word, clauses_of
from model.sentences import split_sentences

if TYPE_CHECKING:
    import re

FILE = Path(__file__).with_name("findings.yaml")


@cache
def labels() -> tuple[str, ...]:
    """Return every label there is, in the table's order."""
    return tuple(_table())


def has_labels(language: str) -> bool:
    """Whether there are words for a language (BCP 47)."""
    return primary_of(language) in _table()[labels()[0]]


@lru_cache(maxsize=65_536)
def labels_of(text: str, language: str = "en") -> frozenset[str]:
    """Name the findings that a text states or doubts, and does not deny.

    Its answers are kept in memory: not for the reports of a running daemon.

    Args:
        text: An impression, or findings.
        language: BCP 47; one that ``has_labels``.

    Returns:
        Labels of findings.yaml; empty where the text calls all normal.
    """
    words = _patterns(primary_of(language))
    clauses = [clause for one in split_sentences(text) for clause in clauses_of(one.text, language)]
    return frozenset(
        label
        for label, pattern in words.items()
        if any(clause.states(pattern) for clause in clauses)
    )


def words_for(label: str, language: str) -> str:
    """Return the regular expression of a label's words, to be tried at the beginning of a word.

    Args:
        label: One of ``labels()``.
        language: BCP 47; one that ``has_labels``.
    """
    return _table()[label][primary_of(language)]


@cache
def _patterns(primary: str) -> dict[str, re.Pattern[str]]:
    return {label: at_word(words_for(label, primary), primary) for label in labels()}


@cache
def _table() -> dict[str, dict[str, str]]:
    told: dict[str, dict[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return told
