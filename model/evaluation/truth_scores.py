"""From drafts to the numbers of one system: each is a share or a mean over n, with no threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.corpora.asking import findings_of
from model.draft_checks import check_draft, is_withheld
from model.evaluation.intervals import bootstrap_ratios, exact_ends
from model.evaluation.overlap import rouge
from model.evaluation.reports import BY, places_by
from model.evaluation.truth import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mappings.domain import CheckVerdict, Draft
    from model.evaluation.intervals import Interval
    from model.evaluation.truth import Judgement, KnownReport

MEANING = {
    "rouge_l": "ROUGE-L F against the corpus's impression; mean over reports",
    "rouge_l_stemmed": "the same with words cut to their stems",
    "wrong_side": "share of reports whose draft gives a finding a side that it does not have",
    "wrong_number": "share of reports whose draft gives a size that the finding does not have",
    "missed_finding": "share of the findings due in an impression that the draft does not name"
    " with their side and size",
    "false_finding": "share of reports whose draft names a finding that is not there",
    "missed_abnormal": "share of reports with something to report whose draft names nothing of it",
    "invented_abnormal": "share of reports with nothing to report whose draft states something"
    " abnormal all the same",
    "number_check": "share of reports where the draft check refuses a number",
    "side_check": "share of reports where the draft check refuses a side",
    "finding_check": "share of reports where the draft check refuses a finding that the report does"
    " not state",
    "left_out_check": "share of reports where the draft check misses a finding that cannot wait",
    "withheld": "share of reports where any draft check refuses the draft",
    "shown_fault": "share of the drafts that no check refuses that have a wrong side, a wrong size"
    " or a finding that is not there (n is of all drafts, a system's own is less what is withheld)",
    "shown_missed": "share of the findings due that the drafts that no check refuses do not name (n"
    " as before)",
    "words": "mean length of a draft in words",
    "reference_words": "mean length of the corpus's impression in words",
}
"""What each number of an evaluation is. Sides, sizes and findings are judged by the corpus's exact
truth (model/evaluation/truth.py), the checks by the findings' text alone (model/checks)."""

PART_METRICS = (
    "rouge_l",
    "wrong_side",
    "wrong_number",
    "missed_finding",
    "missed_abnormal",
    "invented_abnormal",
)
"""What is told of each site, modality, region and language."""

Share = tuple[float, int]
"""What one report adds to a mean: a sum and how much it weighs."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One draft with what was found of it."""

    judgement: Judgement
    verdicts: tuple[CheckVerdict, ...]
    shares: Mapping[str, Share]


def score_draft(report: KnownReport, draft: Draft) -> Scored:
    """Score one draft of a report."""
    judgement = judge(report, draft.text)
    verdicts = check_draft(findings_of(report), draft)
    refused = {verdict.check for verdict in verdicts if not verdict.is_passed}
    is_shown = not is_withheld(verdicts)
    is_faulty = (
        judgement.has_wrong_side or judgement.has_wrong_number or judgement.has_false_finding
    )
    shares: dict[str, Share] = {
        "rouge_l": (_rouge_l(report, draft), 1),
        "rouge_l_stemmed": (_rouge_l(report, draft, is_stemmed=True), 1),
        "wrong_side": (judgement.has_wrong_side, 1),
        "wrong_number": (judgement.has_wrong_number, 1),
        "missed_finding": (len(judgement.missed), judgement.reported),
        "false_finding": (judgement.has_false_finding, 1),
        "missed_abnormal": (judgement.is_missed_abnormal, int(not judgement.is_normal)),
        "invented_abnormal": (judgement.is_invented_abnormal, int(judgement.is_normal)),
        "number_check": ("number_not_in_findings" in refused, 1),
        "side_check": ("side_not_in_findings" in refused, 1),
        "finding_check": ("finding_not_in_findings" in refused, 1),
        "left_out_check": ("finding_left_out" in refused, 1),
        "withheld": (not is_shown, 1),
        "shown_fault": (is_shown and is_faulty, int(is_shown)),
        "shown_missed": (
            len(judgement.missed) if is_shown else 0,
            judgement.reported if is_shown else 0,
        ),
        "words": (len(draft.text.split()), 1),
        "reference_words": (len(report.impression.split()), 1),
    }
    return Scored(judgement, verdicts, shares)


def mean_scores(scored: Sequence[Scored]) -> dict[str, float | None]:
    """Return every number of a system; None where there was nothing to count."""
    weights = count_scores(scored)
    return {
        name: round(sum(one.shares[name][0] for one in scored) / n, 4) if n else None
        for name, n in weights.items()
    }


def interval_scores(scored: Sequence[Scored]) -> dict[str, tuple[float, float] | None]:
    """Return the ends of every number's 95 % interval; reports, one or more, are drawn again.

    A share of findings is drawn with its report: findings of one report are missed together. A
    share that is 0 or 1 has the exact ends of Clopper and Pearson (1934), its n the reports that
    count.
    """
    found = bootstrap_ratios({name: [one.shares[name] for one in scored] for name in MEANING})
    return {
        name: None if told is None else _ends(told, is_share=MEANING[name].startswith("share"))
        for name, told in found.items()
    }


def _ends(told: Interval, *, is_share: bool) -> tuple[float, float]:
    is_everywhere_the_same = is_share and told.mean in {0.0, 1.0}
    low, high = exact_ends(told.mean, told.n) if is_everywhere_the_same else (told.low, told.high)
    return round(low, 4), round(high, 4)


def score_parts(
    reports: Sequence[KnownReport], scored: Mapping[str, Sequence[Scored]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return part, value (such as ``region``, ``chest``), then ``reports`` and ``systems``."""
    return {
        part: {
            value: _score_part(places, scored) for value, places in places_by(part, reports).items()
        }
        for part in BY
    }


def _score_part(places: Sequence[int], scored: Mapping[str, Sequence[Scored]]) -> dict[str, Any]:
    means = {name: mean_scores([scores[at] for at in places]) for name, scores in scored.items()}
    return {
        "reports": len(places),
        "systems": {
            name: {metric: found[metric] for metric in PART_METRICS}
            for name, found in means.items()
        },
    }


def count_scores(scored: Sequence[Scored]) -> dict[str, int]:
    """Return the n of every number."""
    return {name: sum(one.shares[name][1] for one in scored) for name in MEANING}


def _rouge_l(report: KnownReport, draft: Draft, *, is_stemmed: bool = False) -> float:
    told = rouge(report.impression, draft.text, report.language, is_stemmed=is_stemmed)
    return told["rouge_l"] or 0.0  # a number: English, which alone is judged, has stems
