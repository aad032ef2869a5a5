"""Numbers that are a share of sums over reports, with bootstrap intervals: means, precision, F1.

A report gives a numerator and a denominator (a mean: its value and 1; precision: right labels and
all labels). Reports are the unit that is drawn again. Two institutions are drawn apart, two systems
on the same reports together. The same numbers give the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model.evaluation.intervals import bootstrap_ratios, percentiles, resampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.evaluation.intervals import Array, Interval


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the first is above the second, with its 95 % interval."""

    difference: float
    low: float
    high: float


def ratio(parts: Sequence[tuple[float, float]]) -> float | None:
    """Return sum over sum; None where there was nothing to count."""
    below = sum(under for _, under in parts)
    return sum(over for over, _ in parts) / below if below else None


def interval_of(parts: Sequence[tuple[float, float]], seed: int = 0) -> Interval | None:
    """Return the ratio with its percentile bootstrap interval; None where nothing was counted.

    Source: Efron and Tibshirani (1993), chapter 13.
    """
    return bootstrap_ratios({"it": parts}, seed)["it"] if parts else None


def gap_between(
    first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]], seed: int = 0
) -> Gap | None:
    """Compare two samples of different reports; None where one of them counts nothing."""
    above, below = ratio(first), ratio(second)
    if above is None or below is None:
        return None
    rng = np.random.default_rng(seed)
    low, high = percentiles(_resampled(first, rng) - _resampled(second, rng))
    return Gap(above - below, low, high)


def gap_on_same(
    first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]], seed: int = 0
) -> Gap | None:
    """Compare two systems on the same reports, drawn together; None where one counts nothing."""
    above, below = ratio(first), ratio(second)
    if above is None or below is None:
        return None
    ours = _resampled(first, np.random.default_rng(seed))
    theirs = _resampled(second, np.random.default_rng(seed))
    low, high = percentiles(ours - theirs)
    return Gap(above - below, low, high)


def _resampled(parts: Sequence[tuple[float, float]], rng: np.random.Generator) -> Array:
    """Return the ratio of each resample; not a number where it drew nothing to count."""
    sums = resampled(np.asarray(parts, dtype=float), rng, lambda drawn: drawn.sum(axis=1))
    over, under = sums[:, 0], sums[:, 1]
    shares: Array = np.full(len(under), np.nan)
    np.divide(over, under, out=shares, where=under > 0)
    return shares
