"""What a sentence denies, in each language of denials.yaml.

Source of the method: Chapman et al. (2001), A simple algorithm for identifying negated findings
and diseases in discharge summaries (NegEx).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from mappings.languages import primary_of

_FILE = Path(__file__).with_name("denials.yaml")
_WORDS_AFTER = r"(?=(?:\W+\w+){0,3}\W*(?:,|$))"  # the end of a clause, or near it
_UNSPACED = frozenset({"zh"})
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "’": "'"})  # noqa: RUF001 - as typesetters write


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence, folded, and the stretches of it that it denies."""

    text: str
    denied: tuple[tuple[int, int], ...]

    @property
    def asserted(self) -> str:
        """Its text, as long as it is, with what it denies blank."""
        text = self.text
        for start, end in self.denied:
            text = text[:start] + " " * (end - start) + text[end:]
        return text

    def states(self, words: re.Pattern[str]) -> bool:
        """Whether it says one of the words where it denies nothing."""
        return any(
            not any(start < found.end() and found.start() < end for start, end in self.denied)
            for found in words.finditer(self.text)
        )


@dataclass(frozen=True, slots=True)
class _Words:
    """How one language denies, ready to search."""

    before: re.Pattern[str]
    after: re.Pattern[str]
    no_denial: re.Pattern[str]
    stops: re.Pattern[str]
    joins: re.Pattern[str]
    answers: re.Pattern[str]


def clauses_of(sentence: str, language: str) -> list[Clause]:
    """Cut a sentence where a denial's reach ends.

    Args:
        sentence: One statement, as ``split_sentences`` gives it.
        language: BCP 47; a row of denials.yaml.
    """
    words = _words(primary_of(language))
    parts = words.stops.split(folded(" ".join(sentence.split())))
    return [Clause(part, tuple(_denied(part, words))) for part in parts]


def asserted_in(sentence: str, language: str) -> str:
    """Return a sentence, folded, without what it denies, with " ; " between its clauses.

    "Pneumothorax: none" denies what its heading names, too.
    """
    words = _words(primary_of(language))
    heading, colon, answer = folded(sentence).partition(":")
    statement = answer if colon and words.answers.match(answer) else heading + colon + answer
    kept = (clause.asserted.strip() for clause in clauses_of(statement, language))
    return " ; ".join(filter(None, kept))


def at_word(pattern: str, language: str) -> re.Pattern[str]:
    """Compile a pattern to be tried at the beginning of a word, or anywhere where words have none.

    Args:
        pattern: A regular expression.
        language: BCP 47.
    """
    start = "" if primary_of(language) in _UNSPACED else r"\b"
    return re.compile(rf"{start}(?:{pattern})", re.IGNORECASE)


def folded(text: str) -> str:
    """Return a text in small letters without accents, as the tables are written."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _denied(part: str, words: _Words) -> list[tuple[int, int]]:
    read = words.no_denial.sub(lambda found: " " * len(found.group()), part)
    reach = [(cue.start(), len(part)) for cue in words.before.finditer(read)]
    for cue in words.after.finditer(read):
        clause = read.rfind(",", 0, cue.start()) + 1
        is_list = words.joins.match(read, clause) is not None
        reach.append((0 if is_list else clause, cue.start()))
    return reach


@cache
def _words(primary: str) -> _Words:
    row = yaml.safe_load(_FILE.read_text(encoding="utf-8"))[primary]
    return _Words(
        before=at_word(row["before"], primary),
        after=at_word(rf"(?:{row['after']}){_WORDS_AFTER}", primary),
        no_denial=at_word(row["no_denial"], primary),
        stops=re.compile(row["stops"]),
        joins=re.compile(rf"\s*(?:{row['joins']})\b"),
        answers=re.compile(rf"\s*(?:{row['before']}|(?:{row['answers']})\b)"),
    )
