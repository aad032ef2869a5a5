"""How many cases a reader study needs: for a difference, for a margin, for a kappa.

The rule: each answer states its method and what it takes for granted. Readers of one case agree, so
k readers are worth less than k answers: k / (1 + (k - 1) icc) of them (the design effect).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from model.errors import StudyInputError
from model.study.agreement import kappa_of_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

WILCOXON_EFFICIENCY = 3 / np.pi
"""Of the signed-rank test beside the t test, where differences are normal (Lehmann, 1975)."""
CASES_MAX = 20_000
SAWTOOTH = 20
"""The power of a discrete test falls now and then as cases are added: it must hold for so many."""
SIMULATED_CASES = 200
SIMULATIONS = 2_000


@dataclass(frozen=True, slots=True)
class Needed:
    """An answer."""

    cases: int
    readers: int
    reached: float
    """Power, or half the width of the interval for a kappa, at that many cases."""
    method: str
    taken: dict[str, float]
    """What was given."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Demands:
    """What every calculation needs."""

    readers: int = 1
    icc: float = 0.5
    """How far readers agree on what is measured, 0..1."""
    alpha: float = 0.05
    """Two-sided, for the whole family."""
    power: float = 0.8
    tests: int = 1
    """Tests of the family; the first step of Holm is Bonferroni's, so alpha is divided by it."""

    @property
    def inflation(self) -> float:
        """Variance of a case's mean over the readers, in variances of one answer."""
        return (1 + (self.readers - 1) * self.icc) / self.readers

    @property
    def alpha_each(self) -> float:
        """Two-sided alpha of one test."""
        return self.alpha / self.tests


def cases_for_difference(difference: float, sd: float, demands: Demands) -> Needed:
    """Return the cases to find a paired difference of ratings or seconds.

    Args:
        difference: The smallest one that matters, in points or seconds.
        sd: Standard deviation of one reader's paired differences, same unit.
        demands: Readers, alpha and power.

    Raises:
        StudyInputError: More than 20,000 cases would be needed.
    """
    effect = abs(difference) / (sd * sqrt(demands.inflation))
    pairs = _pairs(effect, demands)
    cases = ceil(pairs / WILCOXON_EFFICIENCY)
    _check(cases)
    reached = TTestPower().power(effect, cases * WILCOXON_EFFICIENCY, demands.alpha_each)
    return Needed(
        cases,
        demands.readers,
        float(reached),
        f"closed formula: paired t test (noncentral t), {pairs} cases, divided by the efficiency of"
        " the signed-rank test, 3/pi; sd of a case's mean over readers by the design effect",
        {"difference": difference, "sd": sd} | asdict(demands),
    )


def _pairs(effect: float, demands: Demands) -> int:
    """Return the pairs of a t test, up from what the normal distribution needs: never more."""
    tails = float(stats.norm.ppf([1 - demands.alpha_each / 2, demands.power]).sum())
    pairs = max(2, floor((tails / effect) ** 2))
    _check(pairs)
    while TTestPower().power(effect, pairs, demands.alpha_each) < demands.power:
        pairs += 1
    return pairs


def cases_for_margin(expected: float, threshold: float, demands: Demands) -> Needed:
    """Return the cases to show that a proportion is not below a threshold.

    Args:
        expected: The true share, such as that of texts at least as good as the reference, 0..1.
        threshold: The lowest share that would do: below ``expected`` by the margin.
        demands: Shown when the lower end of the two-sided Wilson interval lies above the threshold.

    Raises:
        StudyInputError: More than 20,000 cases would be needed, or the threshold is not below.
    """
    if not 0 <= threshold < expected <= 1:
        raise StudyInputError("must_be_below_the_expected_share", "--threshold")
    answers = _answers_for_margin(expected, threshold, demands)
    cases = ceil(answers * demands.inflation)
    _check(cases)
    reached = margin_power(int(cases / demands.inflation), expected, threshold, demands.alpha_each)
    return Needed(
        cases,
        demands.readers,
        reached,
        f"exact binomial power of the Wilson bound, {answers} independent answers, times the design"
        " effect over readers",
        {"expected": expected, "threshold": threshold} | asdict(demands),
    )


def _answers_for_margin(expected: float, threshold: float, demands: Demands) -> int:
    held = 0
    for n in range(2, CASES_MAX + SAWTOOTH):
        is_enough = margin_power(n, expected, threshold, demands.alpha_each) >= demands.power
        held = held + 1 if is_enough else 0
        if held > SAWTOOTH:
            return n - SAWTOOTH
    raise StudyInputError(f"more than {CASES_MAX} cases", "--threshold")


def margin_power(n: int, expected: float, threshold: float, alpha: float) -> float:
    """Return how likely the lower Wilson bound of n answers lies above the threshold."""
    # The bound rises with the count, so the counts that do are those from some one on.
    counts = np.arange(n + 1)
    bounds = proportion_confint(counts, n, alpha=alpha, method="wilson")[0]
    enough = int(np.searchsorted(np.asarray(bounds), threshold, side="right"))
    return float(stats.binom.sf(enough - 1, n, expected)) if enough <= n else 0.0


def cases_for_kappa(
    expected: float, half_width: float, shares: Sequence[float], readers: int, seed: int
) -> Needed:
    """Return the cases to know Fleiss' kappa to within a half width, with 95 % confidence.

    Args:
        expected: The true kappa, 0..1.
        half_width: Of the interval, above 0.
        shares: How often each answer is given; they add up to 1.
        readers: 2 or more.
        seed: Of the simulation.

    Raises:
        StudyInputError: The shares do not add up, there is one reader, or too many cases needed.
    """
    if len(shares) < 2 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:  # noqa: PLR2004 - rounding
        raise StudyInputError("must_be_two_or_more_that_add_up_to_1", "--shares")
    if readers < 2:  # noqa: PLR2004 - one agrees with nobody
        raise StudyInputError("kappa_needs_two_readers", "--readers")
    z = float(stats.norm.ppf(0.975))
    rng = np.random.default_rng(seed)
    spread = _kappa_sd(SIMULATED_CASES, expected, shares, readers, rng)
    # The standard error falls with the root of the number of cases.
    cases = max(2, ceil(SIMULATED_CASES * (z * spread / half_width) ** 2))
    _check(cases)
    reached = z * spread * sqrt(SIMULATED_CASES / cases)
    return Needed(
        cases,
        readers,
        reached,
        f"simulation: {SIMULATIONS} studies of {SIMULATED_CASES} cases (seed {seed}); with chance"
        " root kappa a reader gives the case's true answer, else one at random",
        {"expected": expected, "half_width": half_width, "readers": readers}
        | {f"share_{number}": share for number, share in enumerate(shares, start=1)},
    )


def _kappa_sd(
    cases: int, expected: float, shares: Sequence[float], readers: int, rng: np.random.Generator
) -> float:
    """Return the standard deviation of kappa over simulated studies."""
    found = []
    for _ in range(SIMULATIONS):
        truth = rng.choice(len(shares), size=(cases, 1), p=shares)
        guess = rng.choice(len(shares), size=(cases, readers), p=shares)
        answers = np.where(rng.random((cases, readers)) < sqrt(expected), truth, guess)
        counts = np.stack([(answers == one).sum(axis=1) for one in range(len(shares))], axis=1)
        found.append(kappa_of_counts(counts))
    return float(np.std([one for one in found if one is not None], ddof=1))


def _check(cases: int) -> None:
    if cases > CASES_MAX:
        raise StudyInputError(f"more than {CASES_MAX} cases", "--readers")
