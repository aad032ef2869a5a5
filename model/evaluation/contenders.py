"""Who drafts in a comparison: baselines that know little, an adapter, or somebody's own drafts.

A baseline tells what a number is worth. Each contender gives a text for each report, in their
order, or None where the report is too long for it; only the adapter needs torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.engines.extractive import ALL_NORMAL, ExtractiveEngine
from model.evaluation.engine_drafts import ADAPTER, draft_with_adapter, draft_with_engine
from model.evaluation.neighbours import CONSENSUS_OF, NeighbourIndex, consensus
from model.evaluation.reports import read_drafts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from mappings.domain import Draft
    from model.corpora.schema import CorpusRow

BASELINES = ("constant", "nearest", "consensus", "extractive")
NEED_TRAINING = ("nearest", "consensus")
NAMES = (*BASELINES, ADAPTER)


@dataclass(frozen=True, slots=True)
class Means:
    """What contenders may draw on.

    Attributes:
        train: Reports to learn from, none of them judged here; may be empty.
        adapter: Folder of the adapter, where one drafts.
        base: Folder of its base; None for the demo base.
        drafts: Files of somebody's own drafts, by the contender's name.
        redrafts_max: How many redrafts may follow a draft of the adapter's that a check refuses.
        advance: Called with the number of the adapter's drafts just written.
    """

    train: Sequence[CorpusRow] = ()
    adapter: Path | None = None
    base: Path | None = None
    drafts: tuple[tuple[str, Path], ...] = ()
    redrafts_max: int = 0
    advance: Callable[[int], None] = lambda _: None


def draft_all(
    names: Sequence[str], reports: Sequence[CorpusRow], means: Means
) -> dict[str, Sequence[str | None]]:
    """Let each contender draft every report.

    Args:
        names: Of ``NAMES``; those of ``NEED_TRAINING`` need ``means.train``. ``REDRAFTED``, too,
            where ``means`` has redrafts.
        reports: What is judged.
        means: What they draw on; its ``drafts`` are added at the end.

    Raises:
        CorpusUnreadableError: A file of drafts does not fit.
        EngineUnavailableError: The adapter's weights or libraries are missing.
    """
    own = {name: read_drafts(path, reports) for name, path in means.drafts}  # refused before work
    drafts: dict[str, Sequence[str | None]] = {}
    if set(names) & set(NEED_TRAINING):
        drafts |= _from_neighbours(reports, means.train)
    if "constant" in names:
        drafts["constant"] = _constant(reports, means.train)
    if "extractive" in names:
        drafts["extractive"] = _texts(draft_with_engine(ExtractiveEngine(), reports))
    if ADAPTER in names and means.adapter is not None:
        written = draft_with_adapter(
            means.adapter, means.base, reports, means.redrafts_max, means.advance
        )
        drafts |= {name: _texts(drafted) for name, drafted in written.items()}
    return {name: drafts[name] for name in names} | own


def missing_baseline(names: Collection[str]) -> list[str]:
    """Return the note that no baseline is among our own contenders; nothing where one is."""
    if set(names) & set(BASELINES):
        return []
    known = ", ".join(BASELINES)
    return [f"No baseline beside ({known}): nothing tells what these numbers are worth."]


def _from_neighbours(
    reports: Sequence[CorpusRow], train: Sequence[CorpusRow]
) -> dict[str, list[str]]:
    index = NeighbourIndex([row.findings for row in train])
    drafts: dict[str, list[str]] = {name: [] for name in NEED_TRAINING}
    for report in reports:
        near = index.nearest(report.findings, CONSENSUS_OF)
        said = [train[place].impression for place, _ in near]
        drafts["nearest"].append(said[0])
        votes = [similarity for _, similarity in near]
        drafts["consensus"].append(consensus(said, votes, report.language))
    return drafts


def _constant(reports: Sequence[CorpusRow], train: Sequence[CorpusRow]) -> list[str]:
    """Say what training says most often of that language and region."""
    said: dict[tuple[str, str | None], Counter[str]] = {}
    for row in train:
        said.setdefault((row.language, row.region), Counter())[row.impression] += 1
    return [
        said[report.language, report.region].most_common(1)[0][0]
        if (report.language, report.region) in said
        else ALL_NORMAL
        for report in reports
    ]


def _texts(drafts: Sequence[Draft | None]) -> list[str | None]:
    return [None if draft is None else draft.text for draft in drafts]
