"""Whether the draft saves time: drafting with and without it, the same cases, other readers.

The rule: a case is written with the draft by one reader and without it by another, so the readers'
own pace would stand in each difference; it is taken off first. It is the mean of a reader's two
arms, which the draft's effect shifts alike for everyone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from model.study.estimates import Interval, SignedRank, mean_interval, signed_rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.study.readings import Timing


@dataclass(frozen=True, slots=True)
class TimingResult:
    """Seconds to write an impression with the draft and without; readers' own pace taken off."""

    cases: int
    with_draft: float
    without_draft: float
    difference: float
    """With minus without, mean over cases; below 0 the draft saves time."""
    interval: Interval | None
    test: SignedRank


def compare_times(timings: Sequence[Timing], seed: int) -> TimingResult | None:
    """Compare drafting with and without the draft; None when no case was written both ways."""
    arms = _paced(timings)
    pairs = [(fmean(arm[True]), fmean(arm[False])) for arm in arms.values() if len(arm) > 1]
    if not pairs:
        return None
    differences = [with_draft - without for with_draft, without in pairs]
    return TimingResult(
        cases=len(pairs),
        with_draft=fmean(pair[0] for pair in pairs),
        without_draft=fmean(pair[1] for pair in pairs),
        difference=fmean(differences),
        interval=mean_interval(differences, seed),
        test=signed_rank(differences),
    )


def _paced(timings: Sequence[Timing]) -> dict[str, dict[bool, list[float]]]:
    """Return the seconds by case and arm, as if all readers were equally quick."""
    by_reader: defaultdict[str, dict[bool, list[float]]] = defaultdict(dict)
    for one in timings:
        by_reader[one.place.reader].setdefault(one.has_draft, []).append(one.seconds)
    pace = {
        name: fmean(fmean(arm) for arm in arms.values())
        for name, arms in by_reader.items()
        if len(arms) > 1
    }
    usual = fmean(pace.values()) if pace else 0.0
    found: defaultdict[str, dict[bool, list[float]]] = defaultdict(dict)
    for one in timings:
        if one.place.reader in pace:
            seconds = one.seconds - pace[one.place.reader] + usual
            found[one.place.case].setdefault(one.has_draft, []).append(seconds)
    return found
