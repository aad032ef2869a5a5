"""Agreement gives the figures that were published for worked examples."""

from __future__ import annotations

import random

import numpy as np
import pytest

from model.study.agreement import intraclass, kappa, kappa_of_counts

FLEISS_1971 = [
    "444444", "222555", "233335", "555555", "222444", "113333", "333355", "113334", "114444",
    "555555", "144444", "124444", "222333", "144444", "224445", "333335", "111455", "111112",
    "224444", "133555", "555555", "244444", "224555", "114444", "144445", "222224", "111155",
    "224444", "133333", "555555",
]  # fmt: skip
"""30 patients, 6 psychiatrists each, 5 diagnoses; table 1. Order within a patient is not known."""
SHROUT_FLEISS_1979 = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
"""6 targets, 4 judges; table 2."""


def test_kappa_is_that_of_fleiss_1971() -> None:
    found = kappa(FLEISS_1971, seed=0)

    assert (found.subjects, found.readers) == (30, 6)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.interval is not None
    assert found.interval.low < 0.43 < found.interval.high


def test_intraclass_correlations_are_those_of_shrout_and_fleiss_1979() -> None:
    """Table 4; the intervals are those that R's psych::ICC prints for them."""
    found = intraclass(SHROUT_FLEISS_1979)

    assert found.single == pytest.approx(0.29, abs=5e-3)
    assert found.mean == pytest.approx(0.62, abs=5e-3)
    assert found.single_interval is not None
    assert found.mean_interval is not None
    assert found.single_interval.low == pytest.approx(0.019, abs=5e-4)
    assert found.single_interval.high == pytest.approx(0.76, abs=5e-3)
    assert found.mean_interval.low == pytest.approx(0.071, abs=5e-4)
    assert found.mean_interval.high == pytest.approx(0.93, abs=5e-3)


def test_readers_who_agree_have_a_kappa_of_one_and_a_correlation_of_one() -> None:
    assert kappa([["a", "a"], ["b", "b"], ["a", "a"]], seed=0).value == pytest.approx(1)
    assert intraclass([[1, 1], [3, 3], [5, 5]]).single == pytest.approx(1)


def test_a_reader_who_rates_all_higher_agrees_less() -> None:
    """Absolute agreement: the two rank alike, and yet differ."""
    found = intraclass([[1, 3], [2, 4], [3, 5]])

    assert found.single is not None
    assert found.single < 0.5


def test_chance_alone_has_a_kappa_about_zero() -> None:
    rng = random.Random(1)  # noqa: S311 - invented answers
    found = kappa([[rng.choice("abc") for _ in range(4)] for _ in range(400)], seed=0)

    assert found.value == pytest.approx(0, abs=0.05)
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.high


@pytest.mark.parametrize("answers", [[], [["a", "b"]], [["a"], ["b"]], [["a", "a"], ["a", "a"]]])
def test_agreement_on_nothing_is_none(answers: list[list[str]]) -> None:
    assert kappa(answers, seed=0).value is None


@pytest.mark.parametrize("ratings", [[], [[3, 4]], [[3], [4]], [[3, 3], [3, 3]]])
def test_a_correlation_of_nothing_is_none(ratings: list[list[float]]) -> None:
    assert intraclass(ratings).single is None


def test_a_category_that_nobody_chose_changes_nothing() -> None:
    counts = np.asarray([[2, 1, 0], [0, 3, 0], [1, 2, 0]])

    assert kappa_of_counts(counts) == pytest.approx(kappa_of_counts(counts[:, :2]))
