"""How right the labeller is where the truth is known: on impressions of synthetic corpora.

Every number that rests on labels is to be read beside this. The truth is a list of English names;
a name is labelled by the same table, so that "rib fracture" is a fracture. What no label covers is
counted and told. Wordings of one generator say nothing about a hospital's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.languages import primary_of
from model.labels.labeller import has_labels, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model.transfer.institutions import Institution


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Counts over findings of all impressions of one language.

    Attributes:
        language: BCP 47, primary.
        reports: Impressions.
        found: Right labels.
        invented: Labels that the truth has not.
        missed: Findings of the truth without their label.
        uncovered: Names of findings that no label is for, and how often.
    """

    language: str
    reports: int
    found: int
    invented: int
    missed: int
    uncovered: tuple[tuple[str, int], ...]

    @property
    def precision(self) -> float | None:
        """Share of the labels that are right."""
        told = self.found + self.invented
        return self.found / told if told else None

    @property
    def recall(self) -> float | None:
        """Share of the covered findings that are labelled."""
        due = self.found + self.missed
        return self.found / due if due else None


def judge_labeller(institutions: Sequence[Institution]) -> tuple[LabelQuality, ...]:
    """Judge the labeller on every reference whose truth is known, language by language."""
    pairs: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for one in institutions:
        for row in one.test:
            if row.report_id in one.truths and has_labels(row.language):
                language = primary_of(row.language)
                pairs.setdefault(language, []).append((row.impression, one.truths[row.report_id]))
    return tuple(quality_on(language, pairs[language]) for language in sorted(pairs))


def quality_on(language: str, pairs: Iterable[tuple[str, tuple[str, ...]]]) -> LabelQuality:
    """Judge the labeller on texts with the English names of what each names as wrong."""
    reports = found = invented = missed = 0
    uncovered: Counter[str] = Counter()
    for text, names in pairs:
        due = frozenset[str]().union(*(labels_of(name) for name in names))
        said = labels_of(text, language)
        reports += 1
        found += len(due & said)
        invented += len(said - due)
        missed += len(due - said)
        uncovered.update(name for name in names if not labels_of(name))
    return LabelQuality(language, reports, found, invented, missed, tuple(uncovered.most_common()))
