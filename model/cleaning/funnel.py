"""Which rows a corpus loses to which rule: each rule alone, and all in the order of the funnel.

A row that an earlier rule took is no reason to call another its duplicate. In memory are, for each
row, its id, a few numbers and the shingles of its text; never the text.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model.cleaning.near_duplicates import Sketches, find_leaders, text_key
from model.cleaning.rules import BITS, flag_row
from model.cleaning.settings import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from model.cleaning.settings import CleaningSettings
    from model.corpora.schema import CorpusRow

KEPT = -1
NOBODY = -1
LIKENESS_RULES = ("duplicate", "near_duplicate")


@dataclass(slots=True)
class Funnel:
    """What becomes of each row; every list goes by the row's place in the corpus.

    Attributes:
        report_ids: As in the corpus.
        flags: Bits of the rules that would take the row if they were alone.
        taken_by: The place of the rule in ``RULES`` that took it, or KEPT.
        likeness: The earlier row that it is a duplicate of, or NOBODY.
    """

    report_ids: list[str] = field(default_factory=list)
    flags: array[int] = field(default_factory=lambda: array("L"))
    taken_by: array[int] = field(default_factory=lambda: array("b"))
    likeness: array[int] = field(default_factory=lambda: array("l"))

    def rule_of(self, place: int) -> str | None:
        """Return the rule that took a row; None for a row that is kept."""
        taken_by = self.taken_by[place]
        return None if taken_by == KEPT else RULES[taken_by]

    def is_flagged(self, place: int, rule: str) -> bool:
        """Whether the rule alone would take the row."""
        return bool(self.flags[place] & BITS[rule])


class _Texts:
    """Who has the same text, and the shingles of each different text."""

    def __init__(self, settings: CleaningSettings) -> None:
        self._settings = settings
        self.sketches = Sketches()
        self.sketch_of = array("l")
        self._places: dict[bytes, int] = {}
        self.same: list[bytes | None] = []

    def add(self, row: CorpusRow) -> None:
        key = text_key(row.findings, row.impression)
        if key not in self._places:
            self._places[key] = self.sketches.add(f"{row.findings}\n{row.impression}")
        self.sketch_of.append(self._places[key])
        if self._settings.duplicate.same_patient_only:
            patient = row.patient_key
            self.same.append(None if patient is None else text_key(patient) + key)
        else:
            self.same.append(key)

    def find(self, rule: str, places: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield each of the rows that is like an earlier one, with that one."""
        if rule == "duplicate":
            return _same(self, places)
        return _near(self, places, self._settings.near_duplicate.threshold)


def run_funnel(
    rows: Iterable[CorpusRow],
    settings: CleaningSettings,
    advance: Callable[[int], None] = lambda _: None,
) -> Funnel:
    """Judge every row.

    Args:
        rows: The corpus, in its order: of duplicates the first is kept.
        settings: The rules.
        advance: Called with the number of rows just read, for a progress bar.

    Returns:
        What becomes of each row.
    """
    funnel, texts = Funnel(), _Texts(settings)
    for row in rows:
        funnel.report_ids.append(row.report_id)
        funnel.flags.append(flag_row(row, settings))
        texts.add(row)
        advance(1)
    every = range(len(funnel.report_ids))
    funnel.taken_by = array("b", [KEPT]) * len(every)
    funnel.likeness = array("l", [NOBODY]) * len(every)
    for rule in LIKENESS_RULES:
        for place, _ in texts.find(rule, every):
            funnel.flags[place] |= BITS[rule]
    for rule in RULES:
        if settings.switch(rule).enabled:
            _take(funnel, texts, rule)
    return funnel


def _take(funnel: Funnel, texts: _Texts, rule: str) -> None:
    """Let a rule take what the rules before it have left."""
    left = [place for place, taken_by in enumerate(funnel.taken_by) if taken_by == KEPT]
    if rule in LIKENESS_RULES:
        taken = list(texts.find(rule, left))
    else:
        taken = [(place, NOBODY) for place in left if funnel.is_flagged(place, rule)]
    for place, first in taken:
        funnel.taken_by[place] = RULES.index(rule)
        funnel.likeness[place] = first


def _same(texts: _Texts, places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield each row whose text stands in an earlier one, with the first of them."""
    first_of: dict[bytes, int] = {}
    for place in places:
        key = texts.same[place]
        if key is None:
            continue
        first = first_of.setdefault(key, place)
        if first != place:
            yield place, first


def _near(texts: _Texts, places: Iterable[int], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield each row whose text is near that of an earlier one that is kept, with that one."""
    first_of: dict[int, int] = {}
    repeated: list[tuple[int, int]] = []
    for place in places:
        sketch = texts.sketch_of[place]
        first = first_of.setdefault(sketch, place)
        if first != place:
            repeated.append((place, sketch))
    leaders = dict(find_leaders(texts.sketches, list(first_of), threshold))
    for sketch, place in first_of.items():
        leader = leaders[sketch]
        if leader is not None:
            yield place, first_of[leader]
    for place, sketch in repeated:
        leader = leaders[sketch]
        yield place, first_of[sketch if leader is None else leader]
