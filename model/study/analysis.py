"""What the answers say: every number of the report, as data.

The rule: all tests of one analysis are one family, adjusted together (Holm, 1979). Sites and
modalities are told and not tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from model.study.estimates import Share, holm
from model.study.judgements import (
    PreferenceResult,
    RatingResult,
    TuringResult,
    at_least_as_good,
    guess,
    paired_means,
    prefer,
    rate,
    right_about_writer,
)
from model.study.questions import SCALES
from model.study.timing import TimingResult, compare_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from model.study.readings import Answers, Place

GROUPINGS: dict[str, Callable[[Place], str]] = {
    "site": lambda place: place.site,
    "modality": lambda place: place.modality,
}


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One site or modality; told, not tested: too few cases for that, and too many tests."""

    grouping: str
    name: str
    cases: int
    chief: Share | None
    """At least as good in a comparison, right about the writer in a Turing study."""
    differences: dict[str, float]
    """By scale, model minus reference."""
    seconds: float | None
    """With the draft minus without."""


@dataclass(frozen=True, slots=True)
class FamilyTest:
    """One test of the family."""

    name: str
    method: str
    p: float | None
    p_holm: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """All results of a study."""

    study_id: str
    kind: str
    seed: int
    readers: int
    readers_answered: int
    cases: int
    items: int
    answered: int
    ratings: tuple[RatingResult, ...]
    preference: PreferenceResult | None
    turing: TuringResult | None
    timing: TimingResult | None
    groups: tuple[GroupResult, ...]
    family: tuple[FamilyTest, ...]


def analyse(answers: Answers, seed: int = 0) -> Analysis:
    """Work out every result.

    Args:
        answers: Joined with the key.
        seed: Of all resampling; the same seed and answers give the same numbers.
    """
    ratings = tuple(found for scale in SCALES if (found := rate(answers.readings, scale, seed)))
    preference = prefer(answers.preferences, seed) if answers.preferences else None
    turing = guess(answers.readings, seed) if answers.kind == "turing" else None
    timing = compare_times(answers.timings, seed)
    return Analysis(
        study_id=answers.study_id,
        kind=answers.kind,
        seed=seed,
        readers=len(answers.readers),
        readers_answered=len({place.reader for place in _places(answers)}),
        cases=answers.cases,
        items=answers.items,
        answered=answers.answered,
        ratings=ratings,
        preference=preference,
        turing=turing,
        timing=timing,
        groups=tuple(_groups(answers, seed)),
        family=_family(ratings, preference, turing, timing),
    )


def _places(answers: Answers) -> list[Place]:
    return [one.place for one in answers.readings] + [one.place for one in answers.timings]


def _groups(answers: Answers, seed: int) -> Iterable[GroupResult]:
    for grouping, name_of in GROUPINGS.items():
        for name in sorted({name_of(place) for place in _places(answers)}):
            yield _group(answers, grouping, name, seed)


def _group(answers: Answers, grouping: str, name: str, seed: int) -> GroupResult:
    name_of = GROUPINGS[grouping]
    readings = [one for one in answers.readings if name_of(one.place) == name]
    preferences = [one for one in answers.preferences if name_of(one.place) == name]
    timing = compare_times([one for one in answers.timings if name_of(one.place) == name], seed)
    chief = None
    if preferences:
        chief = at_least_as_good(preferences, seed)
    elif answers.kind == "turing" and readings:
        chief = right_about_writer(readings, seed)
    means = {scale: paired_means(readings, scale) for scale in SCALES}
    return GroupResult(
        grouping=grouping,
        name=name,
        cases=len({one.place.case for one in readings}),
        chief=chief,
        differences={
            scale: fmean(model - reference for model, reference in pairs.values())
            for scale, pairs in means.items()
            if pairs
        },
        seconds=timing.difference if timing else None,
    )


def _family(
    ratings: Iterable[RatingResult],
    preference: PreferenceResult | None,
    turing: TuringResult | None,
    timing: TimingResult | None,
) -> tuple[FamilyTest, ...]:
    tests: dict[tuple[str, str], float | None] = {
        (f"rating: {one.scale}", "Wilcoxon signed-rank"): one.test.p for one in ratings
    }
    if preference:
        tests["better text", "exact McNemar, votes of cases"] = preference.votes.p
        across = preference.across_sites
        tests["at least as good, across sites", "chi-squared"] = across.p if across else None
    if turing:
        tests["taken for a human's", "exact McNemar, votes of cases"] = turing.votes.p
        found = turing.source_by_answer
        tests["source by answer", "chi-squared"] = found.p if found else None
    if timing:
        tests["drafting time", "Wilcoxon signed-rank"] = timing.test.p
    adjusted = holm({name: p for (name, _), p in tests.items()})
    return tuple(FamilyTest(name, how, p, adjusted[name]) for (name, how), p in tests.items())
