"""Reports to evaluate on: JSON lines with findings and impression, in anyone's naming of the rest.

The row is that of every corpus here (``model/corpora/schema.py``); ``id`` is taken for
``report_id`` and ``exam`` for ``exam_display``; a row without an id gets its line number.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from model.corpora.schema import parse_row
from model.errors import CorpusUnreadableError, PromptRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow

Who = TypeVar("Who")
Written = TypeVar("Written")
Report = TypeVar("Report", bound="CorpusRow")

BY = ("site", "modality", "region", "language")
"""What reports are told apart by in tables."""
TAKEN_FOR = {"report_id": "id", "exam_display": "exam"}
DRAFT_NAMES = ("draft", "pred")


def read_reports(path: Path) -> list[CorpusRow]:
    """Read the reports that have both findings and an impression.

    Raises:
        CorpusUnreadableError: A line is no report, or there is none with both.
    """
    rows = [parse_row(_renamed(told, number), number) for number, told in _objects(path)]
    reports = [row for row in rows if row.findings.strip() and row.impression.strip()]
    if not reports:
        raise CorpusUnreadableError("no_report_with_findings_and_impression", path.name)
    return reports


def read_drafts(path: Path, reports: Sequence[CorpusRow]) -> list[str]:
    """Read somebody's drafts: ``draft`` (or ``pred``) by ``report_id`` (or ``id``).

    Returns:
        A text for each report, in their order.

    Raises:
        CorpusUnreadableError: A report has no draft here, or two.
    """
    drafts: dict[str, str] = {}
    for number, told in _objects(path):
        text = next((told[name] for name in DRAFT_NAMES if name in told), None)
        identity = _renamed(told, number)["report_id"]
        if not isinstance(text, str) or identity in drafts:
            raise CorpusUnreadableError("draft_missing_or_twice", f"{path.name}, line {number}")
        drafts[identity] = text
    missing = Counter(report.report_id in drafts for report in reports)[False]
    if missing:
        raise CorpusUnreadableError(f"{missing} reports have no draft", path.name)
    return [drafts[report.report_id] for report in reports]


def on_same_reports(
    reports: Sequence[Report], drafts: Mapping[Who, Sequence[Written | None]], where: str
) -> tuple[list[Report], dict[Who, list[Written]]]:
    """Leave out for all what one cannot take, so that all are judged on the same reports.

    Args:
        reports: Any number.
        drafts: What each drafts, or its prompts; None for a report that is too long for it.
        where: The reports' name, for the error.

    Returns:
        The reports that everybody has a draft of, and those drafts.

    Raises:
        PromptRefusedError: There is no such report.
    """
    places = [
        place
        for place in range(len(reports))
        if all(written[place] is not None for written in drafts.values())
    ]
    if not places:
        raise PromptRefusedError("no_report_short_enough_for_every_base", where)
    return [reports[place] for place in places], {
        who: [draft for place in places if (draft := written[place]) is not None]
        for who, written in drafts.items()
    }


def places_by(name: str, reports: Sequence[CorpusRow]) -> dict[str, list[int]]:
    """Return the places of the reports of each value of a field, the values in their order."""
    found: dict[str, list[int]] = {}
    for place, report in enumerate(reports):
        found.setdefault(str(getattr(report, name) or "unknown"), []).append(place)
    return {value: found[value] for value in sorted(found)}


def readable_draft(report: CorpusRow, system: str, text: str) -> dict[str, Any]:
    """Return a draft with its report, for reading and for a reader study."""
    return {
        "report_id": report.report_id,
        "system": system,
        "site": report.site,
        "modality": report.modality,
        "indication": report.indication,
        "findings": report.findings,
        "reference": report.impression,
        "draft": text,
    }


def same_findings(text: str) -> str:
    """Return what two findings share that say the same word for word, blanks and case apart."""
    return " ".join(text.lower().split())


def _objects(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"cannot_read_file ({type(error).__name__})"
        raise CorpusUnreadableError(reason, path.name) from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _parsed(line, f"{path.name}, line {number}")


def _parsed(line: str, where: str) -> Mapping[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise CorpusUnreadableError("row_not_json", where) from None
    if not isinstance(told, dict):
        raise CorpusUnreadableError("row_not_an_object", where)
    return told


def _renamed(told: Mapping[str, Any], number: int) -> dict[str, Any]:
    renamed = {ours: told[theirs] for ours, theirs in TAKEN_FOR.items() if theirs in told}
    return {"report_id": f"line-{number}", **renamed, **told}
