"""How far readers agree: Fleiss' kappa for choices, intraclass correlation for ratings.

Kappa is statsmodels'; its interval is resampled over cases. The intraclass correlation has no home
in scipy or statsmodels, so the mean squares are here: two-way random effects, absolute agreement,
single (2,1) and mean of k readers (2,k), after Shrout and Fleiss (1979), intervals included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import fleiss_kappa

from model.study.estimates import LEVEL, Interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Kappa:
    """Fleiss' kappa; all None when every answer is the same, or too few are complete."""

    subjects: int
    readers: int
    value: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """ICC(2,1) and ICC(2,k); None when ratings have no spread, or too few are complete."""

    subjects: int
    readers: int
    single: float | None
    single_interval: Interval | None
    mean: float | None
    mean_interval: Interval | None


def kappa(answers: Sequence[Sequence[Hashable]], seed: int) -> Kappa:
    """Return the agreement on a choice.

    Args:
        answers: For each subject the answers of its readers, as many for each, 2 or more.
        seed: Of the resampling.
    """
    readers = len(answers[0]) if answers else 0
    if len(answers) < 2 or readers < 2:  # noqa: PLR2004 - agreement needs two of each
        return Kappa(len(answers), readers, None, None)
    categories = sorted({str(answer) for one in answers for answer in one})
    table = np.asarray(
        [[sum(str(answer) == name for answer in one) for name in categories] for one in answers]
    )
    value = kappa_of_counts(table)
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(RESAMPLES, len(table)))
    resampled = [kappa_of_counts(table[pick]) for pick in picks]
    return Kappa(len(answers), readers, value, _percentiles(resampled))


def kappa_of_counts(table: NDArray[np.int64]) -> float | None:
    """Return Fleiss' kappa of counts (subjects x categories); None of one category alone."""
    used = table[:, table.sum(axis=0) > 0]
    return float(fleiss_kappa(used, method="fleiss")) if used.shape[1] > 1 else None


def _percentiles(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high))


def intraclass(ratings: Sequence[Sequence[float]]) -> IntraclassCorrelation:
    """Return the agreement on a rating.

    Args:
        ratings: Subjects x readers, complete.
    """
    values = np.asarray(ratings, dtype=float)
    n, k = values.shape if values.ndim == 2 else (len(ratings), 0)  # noqa: PLR2004 - a table
    if n < 2 or k < 2 or values.min() == values.max():  # noqa: PLR2004 - two of each
        return IntraclassCorrelation(n, k, None, None, None, None)
    between, judges, error = _mean_squares(values)
    spread = between + (k - 1) * error + k * (judges - error) / n
    mean_spread = between + (judges - error) / n
    if spread <= 0 or mean_spread <= 0:
        return IntraclassCorrelation(n, k, None, None, None, None)
    single = (between - error) / spread
    limits = _limits(n, k, single, between, judges, error)
    return IntraclassCorrelation(
        n,
        k,
        single,
        limits,
        (between - error) / mean_spread,
        limits and Interval(_stepped_up(limits.low, k), _stepped_up(limits.high, k)),
    )


def _mean_squares(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean squares of subjects, of readers and of what is left (BMS, JMS, EMS)."""
    n, k = values.shape
    grand = values.mean()
    subjects = k * ((values.mean(axis=1) - grand) ** 2).sum()
    judges = n * ((values.mean(axis=0) - grand) ** 2).sum()
    left = ((values - grand) ** 2).sum() - subjects - judges
    return (
        float(subjects / (n - 1)),
        float(judges / (k - 1)),
        float(max(left, 0.0) / ((n - 1) * (k - 1))),
    )


def _limits(
    n: int, k: int, single: float, between: float, judges: float, error: float
) -> Interval | None:
    """Return the interval of ICC(2,1) by Satterthwaite's degrees of freedom (1979, p. 424)."""
    if error < 1e-12:  # noqa: PLR2004 - no error left: the F ratio has no limit
        return None
    ratio = judges / error
    rest = n * (1 + (k - 1) * single) - k * single
    above = (k - 1) * (n - 1) * (k * single * ratio + rest) ** 2
    freedom = above / ((n - 1) * k**2 * single**2 * ratio**2 + rest**2)
    tail = 1 - (1 - LEVEL) / 2
    upper_f = float(stats.f.ppf(tail, n - 1, freedom))
    lower_f = float(stats.f.ppf(tail, freedom, n - 1))
    common = k * judges + (k * n - k - n) * error
    low = n * (between - upper_f * error) / (upper_f * common + n * between)
    high = n * (lower_f * between - error) / (common + n * lower_f * between)
    return Interval(low, high)


def _stepped_up(single: float, k: int) -> float:
    """Return what the mean of k readers has (Spearman and Brown)."""
    return k * single / (1 + (k - 1) * single)
