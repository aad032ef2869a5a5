"""Judges drafts of a synthetic corpus by its truth: every system on the same reports of one split.

A baseline tells what a number is worth: on a corpus of short, regular impressions even copying
scores well. ``reference`` is the corpus's own impression: it shows the scale's ends, and how often
the draft checks refuse what is right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.domain import Draft, EngineIdentity, FinishReason
from model.corpora.schema import read_corpus
from model.engines.extractive import ExtractiveEngine
from model.errors import CorpusUnreadableError
from model.evaluation.engine_drafts import draft_with_adapter, draft_with_engine
from model.evaluation.neighbours import NeighbourIndex
from model.evaluation.reports import on_same_reports, readable_draft
from model.evaluation.truth import known_report
from model.evaluation.truth_scores import (
    MEANING,
    count_scores,
    interval_scores,
    mean_scores,
    score_draft,
    score_parts,
)
from model.prompt import TEMPLATE_VERSION
from model.synth import read_rows
from model.synth.corpus import ENGLISH
from model.synth.lexicon import group_of, lexicon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow
    from model.evaluation.truth import KnownReport
    from model.evaluation.truth_scores import Scored
    from model.synth.corpus import Split


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbers of every system on the same reports.

    Attributes:
        split: Which part of the corpus.
        reports: How many of its reports, from its beginning.
        left_out: Reports among them that are judged for nobody: too long for the base.
        sha256: Of the split's whole file.
        systems: System, metric, value; None where there was nothing to count.
        intervals: System, metric, the ends of its 95 % interval; None as in ``systems``.
        counts: Metric and its n, the same for every system.
        other_languages: Reports of the split that are not judged: the truth is read in English.
        parts: The chief numbers by site, modality, region and language.
        drafts: For reading: report, system, texts and faults, one object a draft.
    """

    split: Split
    reports: int
    left_out: int
    sha256: str
    systems: dict[str, dict[str, float | None]]
    intervals: dict[str, dict[str, tuple[float, float] | None]]
    counts: dict[str, int]
    other_languages: int
    parts: dict[str, dict[str, dict[str, Any]]]
    drafts: tuple[dict[str, Any], ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON and for an adapter's card, without the drafts."""
        return {
            "split": self.split,
            "reports": self.reports,
            "left_out": self.left_out,
            "sha256": self.sha256,
            "systems": self.systems,
            "intervals": self.intervals,
            "counts": self.counts,
            "other_languages": self.other_languages,
            "parts": self.parts,
            "meaning": MEANING,
        }


def run_evaluation(
    *,
    data: Path,
    adapter: Path | None,
    base: Path | None = None,
    limit: int | None = None,
    redrafts_max: int = 0,
    split: Split = "test",
    advance: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Draft and score.

    Args:
        data: A corpus folder.
        adapter: Folder of the adapter; None measures the baselines alone, without torch.
        base: Folder of the base model; None for the demo base.
        limit: Take the first so many English reports; None takes all. Regions take turns.
        redrafts_max: With redrafts, what the daemon would take is a system of its own.
        split: Part of the corpus; training never saw the sentences of ``test``.
        advance: Called with the number of the adapter's first drafts just written.

    Returns:
        The numbers and the drafts.

    Raises:
        CorpusUnreadableError: It is no synthetic corpus, or has no English report in this split.
        EngineUnavailableError: Weights or libraries are missing.
        PromptRefusedError: No report is short enough for the base.
    """
    path = data / f"{split}.jsonl"
    everyone = _read_known(path)
    asked = [report for report in everyone if report.language == ENGLISH][:limit]
    written: dict[str, Sequence[Draft | None]] = {}
    if adapter is not None:
        written |= draft_with_adapter(adapter, base, asked, redrafts_max, advance)
    written |= _draft_without_model(asked, list(read_corpus(data / "train.jsonl")))
    reports, drafts = on_same_reports(asked, written, str(path))
    scored = {name: _scored(reports, drafted) for name, drafted in drafts.items()}
    return Evaluation(
        split=split,
        reports=len(reports),
        left_out=len(asked) - len(reports),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        systems={name: mean_scores(scores) for name, scores in scored.items()},
        intervals={name: interval_scores(scores) for name, scores in scored.items()},
        counts=count_scores(scored["reference"]),
        other_languages=sum(report.language != ENGLISH for report in everyone),
        parts=score_parts(reports, scored),
        drafts=tuple(_readable(reports, drafts, scored)),
    )


def _draft_without_model(
    reports: Sequence[KnownReport], train: Sequence[CorpusRow]
) -> dict[str, Sequence[Draft | None]]:
    drafts: dict[str, Sequence[Draft | None]] = {}
    if train:
        index = NeighbourIndex([row.findings for row in train])
        nearest = (train[index.nearest(one.findings, 1)[0][0]] for one in reports)
        drafts["nearest neighbour"] = [baseline_draft(row.impression, "nearest") for row in nearest]
    return drafts | {
        "extractive": draft_with_engine(ExtractiveEngine(), reports),
        "constant": [baseline_draft(normal_sentence(one), "constant") for one in reports],
        "reference": [baseline_draft(one.impression, "reference") for one in reports],
    }


def normal_sentence(report: KnownReport) -> str:
    """Return the one sentence by which the corpus calls a report of this region normal."""
    return lexicon(report.region).normal[group_of(report.modality)]


def baseline_draft(text: str, name: str) -> Draft:
    """Make a draft of a text that no engine wrote."""
    return Draft(
        text=text,
        finish=FinishReason.STOP,
        prompt_tokens=0,
        output_tokens=len(text.split()),
        engine=EngineIdentity(
            engine="extractive",
            engine_version=f"baseline/{name}",
            base=None,
            base_digest=None,
            adapter=None,
            adapter_digest=None,
            template_version=TEMPLATE_VERSION,
            dtype=None,
            is_demo=True,
        ),
    )


def _read_known(path: Path) -> list[KnownReport]:
    try:
        reports = [known_report(row, number) for number, row in enumerate(read_rows(path), 1)]
    except (ValueError, TypeError, RecursionError):
        raise CorpusUnreadableError("row_not_json", str(path)) from None
    if not any(report.language == ENGLISH for report in reports):
        raise CorpusUnreadableError("no_english_report", str(path))
    return reports


def _scored(reports: Sequence[KnownReport], drafts: Sequence[Draft]) -> list[Scored]:
    return [score_draft(*pair) for pair in zip(reports, drafts, strict=True)]


def _readable(
    reports: Sequence[KnownReport],
    drafts: Mapping[str, Sequence[Draft]],
    scored: Mapping[str, Sequence[Scored]],
) -> Iterator[dict[str, Any]]:
    for system, drafted in drafts.items():
        for report, draft, score in zip(reports, drafted, scored[system], strict=True):
            yield readable_draft(report, system, draft.text) | _told(score)


def _told(score: Scored) -> dict[str, Any]:
    judgement = score.judgement
    return {
        "rouge_l": round(score.shares["rouge_l"][0], 4),
        "wrong_side": judgement.has_wrong_side,
        "wrong_number": judgement.has_wrong_number,
        "false_finding": judgement.has_false_finding,
        "missed": list(judgement.missed),
        "refused": [
            f"{verdict.check}: {verdict.reason}"
            for verdict in score.verdicts
            if not verdict.is_passed
        ],
    }
