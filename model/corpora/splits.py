"""Train, dev and test that share no patient and no report, not even nearly.

By patient: whole groups (patients, and findings that are nearly the same, through any chain) go to
one split. By site and by time the split is given: what train has of a patient or of findings in dev
or test, and dev of those in test, is set aside. Nothing depends on chance but the seed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from model.cleaning.near_duplicates import Groups, NearIndex, Sketches, join_near
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from model.corpora.schema import CorpusRow

Name = Literal["train", "dev", "test", "aside"]
SPLITS: tuple[Name, ...] = ("train", "dev", "test")
SHARES: Mapping[Name, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
NEAR = 0.8
_ISO_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """Which split each row goes to, by its place in the corpus.

    Attributes:
        names: One for each row.
        aside: Rows in no split, by reason: ``patient``, ``near_duplicate`` or ``no_date``.
        clusters: Sizes of the groups of near-duplicate findings, over 1, largest first.
    """

    names: tuple[Name, ...]
    aside: Mapping[str, int]
    clusters: tuple[int, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return the rows of each split."""
        counts = Counter(self.names)
        return {name: counts[name] for name in (*SPLITS, "aside")}


@dataclass(slots=True)
class _Corpus:
    """What splitting needs of a corpus; no text."""

    sketches: Sketches = field(default_factory=Sketches)
    report_ids: list[str] = field(default_factory=list)
    patients: list[str | None] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    dates: list[str | None] = field(default_factory=list)


def split_by_patient(
    rows: Iterable[CorpusRow],
    *,
    shares: Mapping[Name, float] = SHARES,
    seed: int = 0,
    near: float = NEAR,
) -> SplitPlan:
    """Deal the groups to the splits; the largest first, since only train can hold them.

    Args:
        rows: The corpus.
        shares: Of train, dev and test; each over 0 or not there, 1 together.
        seed: Of the order of groups of one size.
        near: Jaccard share of findings from which they are taken for the same.
    """
    corpus = _read(rows)
    groups, clusters = _cluster(corpus, near)
    first_of: dict[str, int] = {}
    for place, patient in enumerate(corpus.patients):
        if patient is not None:
            groups.join(place, first_of.setdefault(patient, place))
    members: dict[int, list[int]] = {}
    for place in range(len(corpus.report_ids)):
        members.setdefault(groups.first_of(place), []).append(place)

    def order(first: int) -> tuple[int, bytes]:
        told = f"{seed}/{corpus.report_ids[first]}".encode("utf-8", "replace")
        return -len(members[first]), hashlib.sha256(told).digest()

    names: list[Name] = ["train"] * len(corpus.report_ids)
    filled: Counter[Name] = Counter()
    for first in sorted(members, key=order):
        name = _neediest(shares, filled, len(corpus.report_ids))
        filled[name] += len(members[first])
        for place in members[first]:
            names[place] = name
    return SplitPlan(tuple(names), {}, clusters)


def split_by_site(
    rows: Iterable[CorpusRow], *, dev: Sequence[str], test: Sequence[str], near: float = NEAR
) -> SplitPlan:
    """Hold whole sites back.

    Args:
        rows: The corpus.
        dev: Sites of dev.
        test: Sites of test; the rest is train.
        near: As in ``split_by_patient``.

    Raises:
        CorpusUnreadableError: There is no site of test, or one is not in the corpus.
    """
    corpus = _read(rows)
    if not test:
        raise CorpusUnreadableError("no_site_of_test", "--test")
    missing = sorted({*dev, *test}.difference(corpus.sites))
    if missing:
        raise CorpusUnreadableError("site_not_in_corpus", missing[0])
    names: list[Name] = [
        "test" if site in test else "dev" if site in dev else "train" for site in corpus.sites
    ]
    return _without_leaks(corpus, names, near, Counter())


def split_by_time(
    rows: Iterable[CorpusRow], *, dev_from: str, test_from: str, near: float = NEAR
) -> SplitPlan:
    """Hold back what came last; a row without a date is set aside.

    Args:
        rows: The corpus.
        dev_from: ISO date, its day or month the first of dev.
        test_from: The first of test, after it.
        near: As in ``split_by_patient``.

    Raises:
        CorpusUnreadableError: A date is missing or not ISO 8601, or ``test_from`` is not after
            ``dev_from``.
    """
    if not all(_ISO_DATE.fullmatch(date) for date in (dev_from, test_from) if date):
        raise CorpusUnreadableError("not_like_2026-03-01_or_2026-03", "--dev-from, --test-from")
    if not dev_from or test_from <= dev_from:
        raise CorpusUnreadableError("dates_missing_or_not_in_order", "--dev-from, --test-from")
    corpus = _read(rows)
    aside: Counter[str] = Counter()
    names: list[Name] = []
    for date in corpus.dates:
        if date is None:
            aside["no_date"] += 1
            names.append("aside")
        else:
            names.append("test" if date >= test_from else "dev" if date >= dev_from else "train")
    return _without_leaks(corpus, names, near, aside)


def _read(rows: Iterable[CorpusRow]) -> _Corpus:
    corpus = _Corpus()
    for row in rows:
        corpus.sketches.add(row.findings)
        corpus.report_ids.append(row.report_id)
        corpus.patients.append(row.patient_key)
        corpus.sites.append(row.site)
        corpus.dates.append(row.date)
    return corpus


def _cluster(corpus: _Corpus, near: float) -> tuple[Groups, tuple[int, ...]]:
    groups = Groups(len(corpus.sketches))
    join_near(corpus.sketches, groups, near)
    sizes = Counter(groups.first_of(place) for place in range(len(corpus.sketches)))
    return groups, tuple(sorted((size for size in sizes.values() if size > 1), reverse=True))


def _neediest(shares: Mapping[Name, float], filled: Counter[Name], total: int) -> Name:
    """Return the split that lacks the most rows."""
    return max(shares, key=lambda name: shares[name] * total - filled[name])


def _without_leaks(
    corpus: _Corpus, names: list[Name], near: float, aside: Counter[str]
) -> SplitPlan:
    """Set aside, of train then dev, what a later split has as well."""
    _, clusters = _cluster(corpus, near)
    index = NearIndex(corpus.sketches, near)
    patients: set[str] = set()
    kept: list[Name] = list(names)
    for name in reversed(SPLITS):
        places = [place for place, own in enumerate(names) if own == name]
        leaks = _leaks(corpus, places, patients, index.first_near)
        for place, reason in leaks.items():
            kept[place] = "aside"
            aside[reason] += 1
        for place in places:
            if place not in leaks:
                index.put(place)
                patients.update(filter(None, [corpus.patients[place]]))
    return SplitPlan(tuple(kept), dict(aside), clusters)


def _leaks(
    corpus: _Corpus,
    places: Iterable[int],
    patients: set[str],
    first_near: Callable[[int], int | None],
) -> dict[int, str]:
    leaks: dict[int, str] = {}
    for place in places:
        if corpus.patients[place] in patients:
            leaks[place] = "patient"
        elif first_near(place) is not None:
            leaks[place] = "near_duplicate"
    return leaks
