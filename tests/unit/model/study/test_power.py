"""The numbers of cases are those of textbooks, and hold when a study of that size is simulated."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from model.errors import StudyInputError
from model.study import power
from model.study.power import (
    Demands,
    cases_for_difference,
    cases_for_kappa,
    cases_for_margin,
    margin_power,
)


def test_pairs_of_a_t_test_are_those_of_cohen_1988() -> None:
    """With dz = 0.5, two-sided 0.05, power 0.8: 34 pairs (also G*Power); 3/pi makes it 36."""
    needed = cases_for_difference(0.5, 1, Demands())

    assert "34 cases" in needed.method
    assert needed.cases == 36
    assert needed.reached >= 0.8


def test_a_study_of_that_size_finds_the_difference_as_often_as_said() -> None:
    needed = cases_for_difference(0.5, 1, Demands())
    draws = np.random.default_rng(1).normal(0.5, 1, (1_500, needed.cases))

    found = np.mean(stats.wilcoxon(draws, axis=1).pvalue < 0.05)

    assert found == pytest.approx(needed.reached, abs=0.04)


def test_readers_who_agree_wholly_are_worth_one() -> None:
    one = cases_for_difference(0.3, 0.9, Demands())
    alike = cases_for_difference(0.3, 0.9, Demands(readers=5, icc=1))
    unlike = cases_for_difference(0.3, 0.9, Demands(readers=4, icc=0))

    assert alike.cases == one.cases
    assert unlike.cases == pytest.approx(one.cases / 4, abs=2)


def test_more_tests_need_more_cases() -> None:
    cases = [cases_for_difference(0.3, 0.9, Demands(tests=tests)).cases for tests in (1, 4, 8)]

    assert cases == sorted(set(cases))


def test_a_huge_effect_needs_no_fewer_than_two_cases() -> None:
    assert cases_for_difference(50, 1, Demands()).cases >= 2


def test_a_margin_is_kept_as_often_as_said() -> None:
    needed = cases_for_margin(0.8, 0.7, Demands())
    counts = np.random.default_rng(1).binomial(needed.cases, 0.8, 20_000)
    share, z = counts / needed.cases, 1.959964
    centre = share + z**2 / 2 / needed.cases
    half = z * np.sqrt(share * (1 - share) / needed.cases + z**2 / 4 / needed.cases**2)
    lower = (centre - half) / (1 + z**2 / needed.cases)

    assert needed.reached >= 0.8
    assert np.mean(lower > 0.7) == pytest.approx(needed.reached, abs=0.02)


def test_power_holds_for_the_next_sizes_too() -> None:
    needed = cases_for_margin(0.75, 0.65, Demands())
    powers = [margin_power(needed.cases + more, 0.75, 0.65, 0.05) for more in range(20)]

    assert min(powers) >= 0.8
    assert margin_power(needed.cases - 1, 0.75, 0.65, 0.05) < 0.8


def test_a_margin_that_cannot_be_kept_has_no_power() -> None:
    assert margin_power(3, 0.9, 0.8, 0.05) == 0


@pytest.mark.parametrize(("expected", "threshold"), [(0.7, 0.7), (0.6, 0.7)])
def test_a_threshold_must_lie_below_what_is_expected(expected: float, threshold: float) -> None:
    with pytest.raises(StudyInputError) as caught:
        cases_for_margin(expected, threshold, Demands())

    assert caught.value.where == "--threshold"


def test_a_kappa_is_known_as_closely_as_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "SIMULATIONS", 300)
    needed = cases_for_kappa(0.6, 0.1, [0.4, 0.3, 0.3], readers=3, seed=0)
    spread = power._kappa_sd(needed.cases, 0.6, [0.4, 0.3, 0.3], 3, np.random.default_rng(7))

    assert needed.reached <= 0.1
    assert 1.96 * spread == pytest.approx(0.1, rel=0.15)


def test_two_readers_and_two_answers_are_near_the_closed_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Donner and Eliasziw (1992): the variance of a binary kappa of two readers."""
    monkeypatch.setattr(power, "SIMULATIONS", 500)
    k, p, n = 0.5, 0.3, 200
    variance = (1 - k) / n * ((1 - k) * (1 - 2 * k) + k * (2 - k) / (2 * p * (1 - p)))

    spread = power._kappa_sd(n, k, [p, 1 - p], 2, np.random.default_rng(3))

    assert spread == pytest.approx(sqrt(variance), rel=0.1)


@pytest.mark.parametrize("shares", [[1.0], [0.5, 0.4], [1.2, -0.2]])
def test_shares_must_add_up(shares: list[float]) -> None:
    with pytest.raises(StudyInputError) as caught:
        cases_for_kappa(0.5, 0.1, shares, readers=2, seed=0)

    assert caught.value.where == "--shares"


def test_one_reader_has_no_kappa() -> None:
    with pytest.raises(StudyInputError, match="two_readers"):
        cases_for_kappa(0.5, 0.1, [0.5, 0.5], readers=1, seed=0)


def test_a_study_that_nobody_could_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "CASES_MAX", 300)

    with pytest.raises(StudyInputError, match="more than"):
        cases_for_difference(0.001, 1, Demands())
    with pytest.raises(StudyInputError, match="more than"):
        cases_for_margin(0.70, 0.69, Demands())
