"""Estimates with their intervals, and the tests for paired answers: scipy and statsmodels, named.

The rule: one case is one observation. Readers of one case are averaged (or vote) before a test, for
their answers are not independent; only proportions of single answers have a Wilson interval beside
the one that is resampled over cases. Every resampling has a seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from model.evaluation.intervals import holm as corrected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 9_999
EXACT_CASES_MAX = 50
"""Above it the signed-rank test takes the normal distribution."""
ZEROS = "pratt"
"""Zero differences are ranked with the others and then left out (Pratt, 1959): dropping them first,
as Wilcoxon did, would hide that most pairs are alike."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion of answers."""

    count: int
    n: int
    value: float | None
    wilson: Interval | None
    """Wilson (1927), as if all answers were independent."""
    over_cases: Interval | None
    """Percentile bootstrap over cases: the one to believe where a case has several readers."""


@dataclass(frozen=True, slots=True)
class SignedRank:
    """Wilcoxon's signed-rank test of paired values, two-sided."""

    n: int
    zeros: int
    p: float | None
    rank_biserial: float | None
    """Effect size: (ranks for minus ranks against) / their sum, -1..1 (Kerby, 2014)."""


@dataclass(frozen=True, slots=True)
class Discordance:
    """Exact McNemar test (the sign test of the pairs that differ), two-sided."""

    for_first: int
    for_second: int
    p: float | None


@dataclass(frozen=True, slots=True)
class Independence:
    """Pearson's chi-squared test of a contingency table, without Yates' correction."""

    chi2: float
    df: int
    p: float
    cramers_v: float
    smallest_expected: float
    """Below 5 the test is rough (Cochran, 1954)."""


def wilson(count: int, n: int) -> Interval | None:
    """Return Wilson's score interval of a proportion; None when n is 0."""
    if not n:
        return None
    low, high = proportion_confint(count, n, alpha=1 - LEVEL, method="wilson")
    return Interval(float(low), float(high))


def share(by_case: Mapping[str, Sequence[bool]], seed: int) -> Share:
    """Return how many answers are yes.

    Args:
        by_case: The answers of each case's readers.
        seed: Of the resampling.
    """
    answers = [answer for one in by_case.values() for answer in one]
    count, n = sum(answers), len(answers)
    per_case = [sum(one) / len(one) for one in by_case.values() if one]
    return Share(
        count, n, count / n if n else None, wilson(count, n), mean_interval(per_case, seed)
    )


def mean_interval(values: Sequence[float], seed: int) -> Interval | None:
    """Return the percentile bootstrap interval of a mean; None of fewer than two values."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return None
    found = stats.bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        batch=500,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def signed_rank(differences: Sequence[float]) -> SignedRank:
    """Test whether paired differences lie about 0; zeros after Pratt, ties by mid-ranks."""
    values = np.asarray(differences, dtype=float)
    # Means over readers differ in the last bit; equal differences must be ties.
    values = np.round(values, 9)
    zeros = int(np.count_nonzero(values == 0))
    if zeros == len(values):
        return SignedRank(len(values), zeros, None, None)
    ranks = stats.rankdata(np.abs(values))
    above, below = float(ranks[values > 0].sum()), float(ranks[values < 0].sum())
    if len(values) <= EXACT_CASES_MAX:
        p = _exact_p(ranks[values != 0], above)
    else:
        p = float(stats.wilcoxon(values, zero_method=ZEROS, method="asymptotic").pvalue)
    return SignedRank(len(values), zeros, p, (above - below) / (above + below))


def _exact_p(ranks: NDArray[np.float64], above: float) -> float:
    """Return the two-sided p over all signs of these ranks.

    scipy counts them one by one where there are ties or zeros, which takes seconds for 13 cases.
    Mid-ranks doubled are whole numbers, so their sums are counted by convolution.
    """
    counts = np.ones(1)
    for rank in np.rint(2 * ranks).astype(int):
        longer = np.zeros(len(counts) + rank)
        longer[: len(counts)] += counts / 2
        longer[rank:] += counts / 2
        counts = longer
    middle = (len(counts) - 1) / 2
    distances = np.abs(np.arange(len(counts)) - middle)
    return min(1.0, float(counts[distances >= abs(2 * above - middle) - 1e-9].sum()))


def discordance(for_first: int, for_second: int) -> Discordance:
    """Test whether pairs that differ do so in either direction equally often (McNemar, exact)."""
    if not for_first + for_second:
        return Discordance(0, 0, None)
    table = [[0, for_first], [for_second, 0]]
    return Discordance(for_first, for_second, float(mcnemar(table, exact=True).pvalue))


def independence(table: Sequence[Sequence[int]]) -> Independence | None:
    """Test whether rows and columns of counts are independent; None when one has no spread."""
    counts = np.asarray(table, dtype=float)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:  # noqa: PLR2004 - nothing to compare
        return None
    found = stats.chi2_contingency(counts, correction=False)
    v = float(np.sqrt(found.statistic / counts.sum() / (min(counts.shape) - 1)))
    smallest = float(found.expected_freq.min())
    return Independence(float(found.statistic), int(found.dof), float(found.pvalue), v, smallest)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Adjust the p values of a family (Holm, 1979); what could not be tested does not count."""
    tested = {name: p for name, p in p_values.items() if p is not None}
    found = dict(zip(tested, corrected([*tested.values()]), strict=True))
    return {name: found.get(name) for name in p_values}
