"""One evaluation: every system on the same reports of one split, scored in the same way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model.errors import CorpusUnreadableError
from model.evaluation.scores import (
    MEANING,
    count_scores,
    mean_scores,
    score_draft,
    score_parts,
)
from model.evaluation.systems import (
    draft_constant,
    draft_extractive,
    draft_nearest,
    draft_reference,
    draft_with_adapter,
    load_adapter,
)
from model.synth import read_rows
from model.synth.corpus import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Draft
    from model.evaluation.scores import Scored
    from model.synth.corpus import Split


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbers of every system on the same reports.

    Attributes:
        split: Which part of the corpus.
        reports: How many of its reports, from its beginning.
        sha256: Of the split's whole file.
        systems: System, metric, value; None where there was nothing to count.
        counts: Metric and its n, the same for every system.
        other_languages: Reports of the split that are not judged: the truth is read in English.
        parts: The chief numbers by site, modality, region and language.
        drafts: For reading: report, system, texts and faults, one object a draft.
    """

    split: Split
    reports: int
    sha256: str
    systems: dict[str, dict[str, float | None]]
    counts: dict[str, int]
    other_languages: int
    parts: dict[str, dict[str, dict[str, Any]]]
    drafts: tuple[dict[str, Any], ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON and for an adapter's card, without the drafts."""
        return {
            "split": self.split,
            "reports": self.reports,
            "sha256": self.sha256,
            "systems": self.systems,
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
    split: Split = "test",
    advance: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Draft and score.

    Args:
        data: A corpus folder.
        adapter: Folder of the adapter; None measures the baselines alone, without torch.
        base: Folder of the base model; None for the demo base.
        limit: Take the first so many English reports; None takes all. Regions take turns.
        split: Part of the corpus; training never saw the sentences of ``test``.
        advance: Called with the number of the adapter's drafts just written: the baselines take
            no time.

    Returns:
        The numbers and the drafts.

    Raises:
        CorpusUnreadableError: It is no synthetic corpus, or has no English report in this split.
        EngineUnavailableError: Weights or libraries are missing.
        PromptRefusedError: A report is too long for the base.
    """
    path = data / f"{split}.jsonl"
    everyone = _with_truth(path)
    rows = [row for row in everyone if row["language"] == ENGLISH][:limit]
    drafts: dict[str, list[Draft]] = {}
    if adapter is not None:
        drafts["adapter"] = draft_with_adapter(rows, load_adapter(adapter, base), advance)
    drafts |= _draft_without_model(rows, list(read_rows(data / "train.jsonl")))
    scored = {name: _scored(rows, written) for name, written in drafts.items()}
    return Evaluation(
        split=split,
        reports=len(rows),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        systems={name: mean_scores(scores) for name, scores in scored.items()},
        counts=count_scores(scored["reference"]),
        other_languages=sum(row["language"] != ENGLISH for row in everyone),
        parts=score_parts(rows, scored),
        drafts=tuple(
            _readable(row, name, draft, score)
            for name, written in drafts.items()
            for row, draft, score in zip(rows, written, scored[name], strict=True)
        ),
    )


def _draft_without_model(
    rows: Sequence[Mapping[str, Any]], train: Sequence[Mapping[str, Any]]
) -> dict[str, list[Draft]]:
    drafts = {"nearest neighbour": draft_nearest(rows, train)} if train else {}
    return drafts | {
        "extractive": draft_extractive(rows),
        "constant": draft_constant(rows),
        "reference": draft_reference(rows),
    }


def _with_truth(path: Path) -> list[dict[str, Any]]:
    """Read the reports of a synthetic corpus; a house's own have no truth to be judged by."""
    try:
        rows = [{"language": ENGLISH, **row} for row in read_rows(path)]
    except (ValueError, TypeError, RecursionError):
        raise CorpusUnreadableError("row_not_json", str(path)) from None
    if not all(isinstance(row.get("truth"), list) for row in rows):
        raise CorpusUnreadableError(
            "reports without a known truth: name --systems to hold them against impressions",
            str(path),
        )
    if not any(row["language"] == ENGLISH for row in rows):
        raise CorpusUnreadableError("no_english_report", str(path))
    return rows


def _scored(rows: Sequence[Mapping[str, Any]], drafts: Sequence[Draft]) -> list[Scored]:
    return [score_draft(row, draft) for row, draft in zip(rows, drafts, strict=True)]


def _readable(row: Mapping[str, Any], system: str, draft: Draft, score: Scored) -> dict[str, Any]:
    judgement = score.judgement
    return {
        "report_id": row["report_id"],
        "system": system,
        "site": row["site"],
        "modality": row["modality"],
        "indication": row["indication"],
        "findings": row["findings"],
        "reference": row["impression"],
        "draft": draft.text,
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
