"""What readers say of the texts: ratings, preferences, and who they think wrote them.

The rule: paired. A case counts where both of its texts were judged by the same reader, and its
readers are averaged, or vote, before a test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from model.study.agreement import IntraclassCorrelation, Kappa, intraclass, kappa
from model.study.estimates import (
    Discordance,
    Independence,
    Interval,
    Share,
    SignedRank,
    discordance,
    independence,
    mean_interval,
    share,
    signed_rank,
)
from model.study.readings import by_case_and_source

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from model.study.cases import Source
    from model.study.readings import Preference, Reading


@dataclass(frozen=True, slots=True)
class RatingResult:
    """One scale: the model's texts beside the reference."""

    scale: str
    model: float
    reference: float
    difference: float
    """Model minus reference, mean over cases; above 0 is for the model."""
    interval: Interval | None
    test: SignedRank
    agreement: IntraclassCorrelation


@dataclass(frozen=True, slots=True)
class PreferenceResult:
    """Which text is better."""

    counts: dict[str, int]
    at_least_as_good: Share
    votes: Discordance
    """Cases where most readers prefer the model's text, and the reference."""
    across_sites: Independence | None
    agreement: Kappa


@dataclass(frozen=True, slots=True)
class TuringResult:
    """Who wrote it."""

    said_human: dict[str, Share]
    """By source, the share of texts taken for a human's."""
    right: Share
    votes: Discordance
    """Cases where most took only the model's text for a human's, and only the reference."""
    source_by_answer: Independence | None
    agreement: Kappa


def rate(readings: Sequence[Reading], scale: str, seed: int) -> RatingResult | None:
    """Compare the two sources on one scale; None when no pair is complete."""
    means = paired_means(readings, scale)
    if not means:
        return None
    model = fmean(pair[0] for pair in means.values())
    reference = fmean(pair[1] for pair in means.values())
    differences = [pair[0] - pair[1] for pair in means.values()]
    return RatingResult(
        scale=scale,
        model=model,
        reference=reference,
        difference=fmean(differences),
        interval=mean_interval(differences, seed),
        test=signed_rank(differences),
        agreement=intraclass(_complete_ratings(readings, scale)),
    )


def paired_means(readings: Sequence[Reading], scale: str) -> dict[str, tuple[float, float]]:
    """Return the model's and the reference's mean by case, over readers who judged both."""
    means: dict[str, tuple[float, float]] = {}
    for case, sources in by_case_and_source(readings).items():
        both = sorted(sources["model"].keys() & sources["reference"].keys())
        if both:
            means[case] = (
                fmean(sources["model"][reader].ratings[scale] for reader in both),
                fmean(sources["reference"][reader].ratings[scale] for reader in both),
            )
    return means


def _by_text(readings: Iterable[Reading]) -> list[dict[str, Reading]]:
    """Return reader and reading of each text that every reader of the study judged."""
    texts: defaultdict[tuple[str, Source], dict[str, Reading]] = defaultdict(dict)
    readers = set()
    for reading in readings:
        texts[reading.place.case, reading.source][reading.place.reader] = reading
        readers.add(reading.place.reader)
    return [judged for _, judged in sorted(texts.items()) if judged.keys() == readers]


def _complete_ratings(readings: Iterable[Reading], scale: str) -> list[list[int]]:
    return [
        [judged[reader].ratings[scale] for reader in sorted(judged)]
        for judged in _by_text(readings)
    ]


def prefer(preferences: Sequence[Preference], seed: int) -> PreferenceResult:
    """Count whose text is better."""
    by_case: defaultdict[str, list[str]] = defaultdict(list)
    by_site: defaultdict[str, list[bool]] = defaultdict(list)
    for one in preferences:
        by_case[one.place.case].append(one.better)
        by_site[one.place.site].append(one.better != "reference")
    counts = Counter(one.better for one in preferences)
    votes = [answers.count("model") - answers.count("reference") for answers in by_case.values()]
    readers = {one.place.reader for one in preferences}
    complete: list[list[Hashable]] = [
        list(answers) for answers in by_case.values() if len(answers) == len(readers)
    ]
    return PreferenceResult(
        counts={name: counts[name] for name in ("model", "same", "reference")},
        at_least_as_good=at_least_as_good(preferences, seed),
        votes=discordance(sum(vote > 0 for vote in votes), sum(vote < 0 for vote in votes)),
        across_sites=independence([[sum(yes), len(yes) - sum(yes)] for yes in by_site.values()]),
        agreement=kappa(complete, seed),
    )


def at_least_as_good(preferences: Iterable[Preference], seed: int) -> Share:
    """Count the answers that find the model's text better or as good."""
    by_case: defaultdict[str, list[bool]] = defaultdict(list)
    for one in preferences:
        by_case[one.place.case].append(one.better != "reference")
    return share(by_case, seed)


def guess(readings: Sequence[Reading], seed: int) -> TuringResult:
    """Count whom readers took for the writer."""
    said_human: dict[str, defaultdict[str, list[bool]]] = {
        "model": defaultdict(list),
        "reference": defaultdict(list),
    }
    for one in readings:
        said_human[one.source][one.place.case].append(one.said == "reference")
    shares = {source: share(by_case, seed) for source, by_case in said_human.items()}
    both = said_human["model"].keys() & said_human["reference"].keys()
    votes = [(_vote(said_human["model"][c]), _vote(said_human["reference"][c])) for c in both]
    return TuringResult(
        said_human=shares,
        right=right_about_writer(readings, seed),
        votes=discordance(
            sum(model > 0 > reference for model, reference in votes),
            sum(model < 0 < reference for model, reference in votes),
        ),
        source_by_answer=independence([[one.count, one.n - one.count] for one in shares.values()]),
        agreement=kappa(
            [[judged[reader].said for reader in sorted(judged)] for judged in _by_text(readings)],
            seed,
        ),
    )


def _vote(answers: Sequence[bool]) -> int:
    """Return how many more said yes than no."""
    return 2 * sum(answers) - len(answers)


def right_about_writer(readings: Iterable[Reading], seed: int) -> Share:
    """Count the answers that name the writer."""
    by_case: defaultdict[str, list[bool]] = defaultdict(list)
    for one in readings:
        by_case[one.place.case].append(one.said == one.source)
    return share(by_case, seed)
