"""Tests and intervals give the figures that were published for worked examples."""

from __future__ import annotations

import random

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from model.study.estimates import (
    discordance,
    holm,
    independence,
    mean_interval,
    share,
    signed_rank,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_that_of_newcombe_1998_table_1(
    count: int, n: int, low: float, high: float
) -> None:
    found = wilson(count, n)

    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_is_none() -> None:
    assert wilson(0, 0) is None


def test_signed_rank_is_that_of_hollander_and_wolfe_1973() -> None:
    """Depression scale before and after a tranquilizer; V = 40, one-sided p = 0.01953."""
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]

    found = signed_rank([one - other for one, other in zip(before, after, strict=True)])

    assert found.p == pytest.approx(2 * 0.01953125)
    assert found.rank_biserial == pytest.approx((40 - 5) / 45)


def test_zero_differences_are_ranked_and_left_out() -> None:
    """Pratt: the ranks of the others begin after the zeros, so small ones weigh nearly as much."""
    found = signed_rank([0, 0, 0, 1, -2, 3])

    assert (found.n, found.zeros) == (6, 3)
    assert found.rank_biserial == pytest.approx((4 + 6 - 5) / 15)
    assert found.p is not None


@pytest.mark.parametrize(
    "differences",
    [[1, 2, 2, -1, 3, 0, 0], [0.5, 0.5, -0.5, 1], [0, -1, -1, -1, -2, 4, 4], [3, 3, 3, 3]],
)
def test_the_exact_p_with_ties_and_zeros_is_that_of_scipys_permutations(
    differences: list[float],
) -> None:
    permuted = stats.wilcoxon(
        differences, zero_method="pratt", method=stats.PermutationMethod(n_resamples=99_999)
    )

    assert signed_rank(differences).p == pytest.approx(permuted.pvalue)


def test_many_cases_are_tested_by_the_normal_distribution() -> None:
    differences = [(-1) ** number * number for number in range(1, 60)] + [60.0] * 8

    expected = stats.wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue
    assert signed_rank(differences).p == pytest.approx(expected)


def test_differences_equal_but_for_rounding_are_ties() -> None:
    found = signed_rank([0.1 + 0.2, -0.3, 1, 1])

    assert found.rank_biserial == pytest.approx((1.5 + 3.5 + 3.5 - 1.5) / 10)


def test_nothing_but_zeros_is_not_tested() -> None:
    assert signed_rank([0.0, 0.0]).p is None


def test_mcnemar_is_that_of_fagerland_2013() -> None:
    """Airway hyper-responsiveness before and after transplantation: exact conditional p = 0.070."""
    assert discordance(1, 7).p == pytest.approx(0.0703125)


def test_no_discordant_pair_is_not_tested() -> None:
    assert discordance(0, 0).p is None


def test_chi_squared_is_that_of_agresti_2007_table_2_5() -> None:
    """Gender and party identification: X2 = 30.1, df = 2."""
    found = independence([[762, 327, 468], [484, 239, 477]])

    assert found is not None
    assert (found.chi2, found.df) == (pytest.approx(30.07, abs=5e-3), 2)
    assert found.p < 0.0001
    assert found.cramers_v == pytest.approx((30.0701 / 2757) ** 0.5, abs=1e-4)


def test_a_table_with_one_used_row_or_column_is_not_tested() -> None:
    assert independence([[3, 0], [5, 0]]) is None
    assert independence([[3, 4]]) is None


def test_holm_steps_down_and_never_falls() -> None:
    """0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 is not let below the one before it."""
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005, "untested": None})

    assert found == {
        "a": pytest.approx(0.03),
        "b": pytest.approx(0.06),
        "c": pytest.approx(0.06),
        "d": pytest.approx(0.02),
        "untested": None,
    }


def test_holm_is_that_of_statsmodels() -> None:
    chance = random.Random(2)  # noqa: S311 - numbers to correct
    for size in (2, 17):
        told = {str(place): chance.random() ** 4 for place in range(size)}

        theirs = multipletests(list(told.values()), method="holm")[1]

        assert list(holm(told).values()) == theirs.tolist()


def test_a_family_without_a_test_is_left_as_it_is() -> None:
    assert holm({"a": None}) == {"a": None}


def test_a_resampled_interval_is_the_same_from_the_same_seed() -> None:
    values = [number**0.5 for number in range(1, 40)]
    first, again, other = (mean_interval(values, seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert first is not None
    assert first.low < sum(values) / 39 < first.high


def test_one_value_has_no_interval() -> None:
    assert mean_interval([3.0], 0) is None


def test_a_share_over_cases_is_wider_where_readers_of_a_case_agree() -> None:
    agreeing = {str(number): [number % 2 == 0] * 4 for number in range(20)}

    found = share(agreeing, 0)

    assert (found.count, found.n, found.value) == (40, 80, 0.5)
    assert found.wilson is not None
    assert found.over_cases is not None
    assert found.over_cases.high - found.over_cases.low > found.wilson.high - found.wilson.low
