"""Shares of sums with their bootstrap intervals."""

from __future__ import annotations

import random

import pytest
from scipy.stats import bootstrap

from model.evaluation import intervals
from model.transfer.ratios import gap_between, gap_on_same, interval_of, ratio

CHANCE = random.Random(4)  # noqa: S311 - numbers to count
PARTS = [(float(CHANCE.randint(0, 3)), float(CHANCE.randint(3, 5))) for _ in range(60)]


def test_a_ratio_is_sum_over_sum() -> None:
    assert ratio([(1, 2), (0, 2), (3, 4)]) == 0.5


def test_where_nothing_was_counted_there_is_no_number() -> None:
    assert ratio([(0, 0)]) is None
    assert interval_of([(0, 0)]) is None
    assert interval_of([]) is None
    assert gap_between([(1, 1)], [(0, 0)]) is None
    assert gap_on_same([(0, 0)], [(1, 1)]) is None


def test_the_interval_agrees_with_scipys_bootstrap() -> None:
    over, under = zip(*PARTS, strict=True)
    theirs = bootstrap(
        (over, under),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=1,
    ).confidence_interval

    ours = interval_of(PARTS)

    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert (ours.mean, ours.n) == (pytest.approx(sum(over) / sum(under)), 60)


def test_a_mean_has_the_interval_that_an_evaluation_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    values = [over for over, _ in PARTS]
    theirs = intervals.bootstrap(values)

    ours = interval_of([(value, 1) for value in values])

    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_same_numbers_give_the_same_interval() -> None:
    assert interval_of(PARTS) == interval_of(PARTS)


def test_two_samples_are_drawn_apart_and_two_systems_together() -> None:
    apart, together = gap_between(PARTS, PARTS), gap_on_same(PARTS, PARTS)

    assert apart is not None
    assert together is not None
    assert (together.difference, together.low, together.high) == (0.0, 0.0, 0.0)
    assert apart.difference == 0.0
    assert apart.low < 0 < apart.high


def test_a_clear_difference_is_outside_of_chance() -> None:
    gap = gap_between([(1, 1)] * 30, [(0, 1)] * 15 + [(1, 1)] * 15)

    assert gap is not None
    assert gap.difference == 0.5
    assert 0.2 < gap.low < 0.5 < gap.high < 0.8
