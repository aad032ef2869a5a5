"""Where a report stands: OBX-11 and OBR-25, letters and the words that feeds send instead.

OBX-11 speaks first. ``U`` (final without sending the text again) is final: its empty OBX-5 is not
an empty report. A withdrawn line (D, W, X) is not part of a report that otherwise stands.

Standard: HL7 tables 0085 and 0123, in the words of FHIR DiagnosticReport.status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.domain import ReportStatus
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable

_TABLE = {
    (row["source"], row["word"]): ReportStatus(row["status"]) for row in read_table("status_words")
}
_ADVANCE = (
    ReportStatus.REGISTERED,
    ReportStatus.PARTIAL,
    ReportStatus.PRELIMINARY,
    ReportStatus.FINAL,
    ReportStatus.AMENDED,
    ReportStatus.CORRECTED,
)
_WITHDRAWN = (ReportStatus.ENTERED_IN_ERROR, ReportStatus.CANCELLED)
_OVERRULING = frozenset({ReportStatus.CANCELLED, ReportStatus.CORRECTED, ReportStatus.AMENDED})


def read_observation_status(word: str) -> ReportStatus | None:
    """Read OBX-11; None when empty or unknown."""
    return _read("OBX-11", word)


def is_withdrawn(status: ReportStatus | None) -> bool:
    """Say whether a line with this status no longer holds."""
    return status in _WITHDRAWN


def choose_status(
    observations: Iterable[ReportStatus | None], result_status: str
) -> ReportStatus | None:
    """Choose the status of a report.

    Args:
        observations: OBX-11 of its narrative lines, read.
        result_status: OBR-25 as sent.

    Returns:
        The furthest of the lines that stand; when none stands, why; OBR-25 when the lines are
        silent, or when it says that a final text was cancelled, corrected or amended.
    """
    seen = set(observations)
    standing = [status for status in _ADVANCE if status in seen]
    withdrawn = [status for status in _WITHDRAWN if status in seen]
    chosen = standing[-1] if standing else (withdrawn[0] if withdrawn else None)
    ordered = _read("OBR-25", result_status)
    if chosen is None or (chosen is ReportStatus.FINAL and ordered in _OVERRULING):
        return ordered
    return ReportStatus.CANCELLED if ordered is ReportStatus.CANCELLED else chosen


def _read(source: str, word: str) -> ReportStatus | None:
    key = " ".join(word.upper().split())
    return _TABLE.get((source, key)) or _TABLE.get(("any", key))
