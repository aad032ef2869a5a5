"""Intervals and tests agree with scipy's and statsmodels', and come out the same each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("scipy")

from model.evaluation.intervals import (
    Interval,
    bootstrap,
    bootstrap_ratios,
    compare,
    exact_ends,
    holm,
    randomisation_p,
)

VECTORS = Path(__file__).parents[3] / "vectors" / "evaluation" / "metrics.json"
STORED = json.loads(VECTORS.read_text(encoding="utf-8"))
FIRST, SECOND = STORED["paired"]["first"], STORED["paired"]["second"]


def test_a_bootstrap_interval_is_near_that_of_scipy_and_the_same_each_time() -> None:
    interval = bootstrap(FIRST, seed=3)

    assert interval.mean == pytest.approx(STORED["paired"]["mean"], abs=1e-6)
    assert (interval.low, interval.high) == pytest.approx(STORED["paired"]["bootstrap"], abs=0.02)
    assert interval == bootstrap(FIRST, seed=3)
    assert interval != bootstrap(FIRST, seed=4)


def test_a_ratio_of_weight_one_has_the_interval_of_its_mean() -> None:
    interval = bootstrap_ratios({"mean": [(value, 1.0) for value in FIRST]}, seed=3)["mean"]

    mean = bootstrap(FIRST, seed=3)
    assert interval is not None
    assert (interval.mean, interval.low, interval.high) == pytest.approx(
        (mean.mean, mean.low, mean.high), abs=1e-9
    )
    assert interval.n == mean.n


def test_ratios_drawn_together_are_each_that_of_its_own_reports() -> None:
    shares = [(missed, due) for due in range(5) for missed in range(due + 1)]
    once = [(at == 3, at == 3) for at in range(len(shares))]

    told = bootstrap_ratios({"share": shares, "once": once, "never": [(0, 0)] * len(shares)})

    share = told["share"]
    assert share is not None
    assert {"share": share} == bootstrap_ratios({"share": shares})
    assert share.n == len(shares) - 1
    assert told["once"] == Interval(1.0, 1.0, 1.0, 1)
    assert told["never"] is None


@pytest.mark.parametrize("reports", [1, 3, 60, 500])
@pytest.mark.parametrize("share", [0, 1])
def test_the_exact_ends_of_none_or_all_are_those_of_scipy(reports: int, share: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(share * reports, reports).proportion_ci(0.95, "exact")

    assert exact_ends(share, reports) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_signed_rank_test_is_that_of_scipy() -> None:
    difference = compare(FIRST, SECOND)

    assert difference.wilcoxon_p == pytest.approx(STORED["paired"]["wilcoxon_p"], abs=1e-6)


def test_random_signs_come_near_all_signs() -> None:
    difference = compare(FIRST, SECOND)

    exact = STORED["paired"]["randomisation_p_exact"]
    assert difference.randomisation_p == pytest.approx(exact, abs=0.01)
    assert difference.low > 0


def test_systems_that_never_differ_are_not_told_apart() -> None:
    difference = compare(FIRST, FIRST)

    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert difference.randomisation_p == difference.wilcoxon_p == 1.0


def test_a_p_is_never_zero() -> None:
    assert 0.0 < randomisation_p([1.0] * 400) < 0.001


def test_a_family_of_tests_is_corrected_as_by_statsmodels() -> None:
    told = STORED["holm"]

    assert holm(told["p"]) == pytest.approx(told["corrected"], abs=1e-6)
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
