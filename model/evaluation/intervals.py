"""How sure a number is: bootstrap intervals, paired tests, and their correction for many.

Reports are the unit: they are drawn, flipped or ranked as wholes, for both systems at once.
Randomness comes from a seed, so the same drafts give the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Array = np.ndarray[Any, np.dtype[np.float64]]

RESAMPLES = 2000
LEVEL = 0.95
_DIGITS = 10
_CHUNK = 256  # resamples at a time: memory stays small for thousands of reports


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` reports with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much the first system's mean is above the second's on the same reports."""

    mean: float
    low: float
    high: float
    randomisation_p: float
    wilcoxon_p: float
    n: int


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean and its percentile bootstrap interval; one value or more.

    Source: Efron and Tibshirani (1993), chapter 13.
    """
    told = np.asarray(values, dtype=float)
    low, high = _of_means(told, seed)
    return Interval(float(told.mean()), low, high, len(told))


def bootstrap_ratios(
    parts: Mapping[str, Sequence[tuple[float, float]]], seed: int = 0
) -> dict[str, Interval | None]:
    """Return each ratio of sums with its interval, all on the same resamples.

    Args:
        parts: For each ratio what each report, one or more, adds above and below the line.
        seed: Of the resamples.

    Returns:
        Sum over sum, ``n`` being the reports that count; None where the sum below is 0.

    Source: Efron and Tibshirani (1993), chapter 13.
    """
    told = np.asarray(list(parts.values()), dtype=float)
    ratios, reports, _ = told.shape
    by_report = told.transpose(1, 0, 2).reshape(reports, 2 * ratios)

    def sums_of(drawn: Array) -> Array:
        times = [np.bincount(places, minlength=reports) for places in drawn.astype(int)]
        sums: Array = np.asarray(times, dtype=float) @ by_report
        return sums

    drawn = resampled(np.arange(reports, dtype=float), np.random.default_rng(seed), sums_of)
    return {
        name: _interval_of(told[at], drawn[:, 2 * at], drawn[:, 2 * at + 1])
        for at, name in enumerate(parts)
    }


def exact_ends(share: float, reports: int) -> tuple[float, float]:
    """Return the ends of the exact interval of a share that is 0, or 1, in every report.

    However often such reports are drawn again, they say the same: the bootstrap's interval would
    have no width, and look like certainty.

    Source: Clopper and Pearson (1934), The use of confidence or fiducial limits.
    """
    reach = 1 - ((1 - LEVEL) / 2) ** (1 / reports)
    return (1 - reach, 1.0) if share else (0.0, reach)


def _interval_of(told: Array, over: Array, under: Array) -> Interval | None:
    above, below = told.sum(axis=0)
    if not below:
        return None
    shares: Array = np.full(len(under), np.nan)  # of a resample that drew nothing to count
    np.divide(over, under, out=shares, where=under > 0)
    return Interval(float(above / below), *percentiles(shares), int((told[:, 1] > 0).sum()))


def compare(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Difference:
    """Compare two systems on the same reports, in the same order; one report or more.

    Both tests are two-sided. The interval is the paired bootstrap's.
    """
    # Rounded: float subtraction must not break the ties that the rank test counts.
    differences = np.round(np.asarray(first, float) - np.asarray(second, float), _DIGITS)
    low, high = _of_means(differences, seed)
    return Difference(
        mean=float(differences.mean()),
        low=low,
        high=high,
        randomisation_p=randomisation_p(differences.tolist(), seed),
        wilcoxon_p=wilcoxon_p(differences.tolist()),
        n=len(differences),
    )


def randomisation_p(differences: Sequence[float], seed: int = 0) -> float:
    """Return p of the paired approximate randomisation test: signs are flipped at random.

    Source: Noreen (1989); p counts the observed arrangement, so it is never 0.
    """
    told = np.asarray(differences, dtype=float)
    rng = np.random.default_rng(seed)
    observed, extreme = abs(told.sum()) - 1e-12, 0
    for size in _chunks():
        signs = rng.integers(0, 2, (size, len(told))) * 2 - 1
        extreme += int((np.abs(signs @ told) >= observed).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Return p of Wilcoxon's signed-rank test, by scipy; 1 where no report differs."""
    if not any(differences):
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences, zero_method="wilcox", method="approx").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p of a family of tests, in their order.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = floor
    return corrected


def resampled(told: Array, rng: np.random.Generator, fold: Callable[[Array], Array]) -> Array:
    """Draw reports (rows) again; ``fold`` takes resamples times reports to a row for each."""
    reports = len(told)
    return np.concatenate(
        [fold(told[rng.integers(0, reports, (size, reports))]) for size in _chunks()]
    )


def percentiles(values: Array) -> tuple[float, float]:
    """Return the interval's ends; what is not a number does not count."""
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _of_means(told: Array, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    return percentiles(resampled(told, rng, lambda drawn: drawn.mean(axis=1)))


def _chunks() -> list[int]:
    whole, rest = divmod(RESAMPLES, _CHUNK)
    return [_CHUNK] * whole + [rest] * bool(rest)
