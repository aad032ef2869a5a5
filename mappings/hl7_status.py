"""Where a report stands: OBX-11 and OBR-25, letters and the words that feeds send instead.

OBX-11 speaks first. ``U`` (final without sending the text again) is final: its empty OBX-5 is not
an empty report. A withdrawn line (D, W, X) is not part of a report that otherwise stands.

Standard: HL7 tables 0085 and 0123, in the words of FHIR DiagnosticReport.status.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from mappings.domain import ReportStatus
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

StatusWords: TypeAlias = "Mapping[tuple[str, str], ReportStatus]"
"""(``OBX-11``, ``OBR-25`` or ``any``; the word in capitals) -> status."""
_NO_WORDS: StatusWords = MappingProxyType({})
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
WITHDRAWN = (ReportStatus.ENTERED_IN_ERROR, ReportStatus.CANCELLED)
_WORD_MAX = 64
_OVERRULING = frozenset({ReportStatus.CANCELLED, ReportStatus.CORRECTED, ReportStatus.AMENDED})


def read_observation_status(word: str, own: StatusWords = _NO_WORDS) -> ReportStatus | None:
    """Read OBX-11; None when empty or unknown. ``own`` are the site's words, which win."""
    return _read("OBX-11", word, own)


def is_withdrawn(status: ReportStatus | None) -> bool:
    """Say whether a line with this status no longer holds."""
    return status in WITHDRAWN


def choose_furthest(statuses: Iterable[ReportStatus | None]) -> ReportStatus | None:
    """Return how far a report is whose parts stand here: the furthest; when none stands, why."""
    seen = set(statuses)
    standing = [status for status in _ADVANCE if status in seen]
    withdrawn = [status for status in WITHDRAWN if status in seen]
    return standing[-1] if standing else (withdrawn[0] if withdrawn else None)


def choose_status(
    observations: Iterable[ReportStatus | None], result_status: str, own: StatusWords = _NO_WORDS
) -> ReportStatus | None:
    """Choose the status of a report.

    Args:
        observations: OBX-11 of its narrative lines, read.
        result_status: OBR-25 as sent.
        own: The site's words by field (``OBX-11``, ``OBR-25`` or ``any``), which win.

    Returns:
        The furthest of the lines that stand; when none stands, why; OBR-25 when the lines are
        silent, or when it says that a final text was cancelled, corrected or amended.
    """
    chosen = choose_furthest(observations)
    ordered = _read("OBR-25", result_status, own)
    if chosen is None or (chosen is ReportStatus.FINAL and ordered in _OVERRULING):
        return ordered
    return ReportStatus.CANCELLED if ordered is ReportStatus.CANCELLED else chosen


def fold_word(word: str) -> str:
    """Bring a status word into the form in which it is looked for."""
    return " ".join(word.upper().split())


def _read(source: str, word: str, own: StatusWords) -> ReportStatus | None:
    if own:
        key = _word_of(word)
        found = own.get((source, key)) or own.get(("any", key))
        if found is not None:
            return found
    # What is kept must be small: a field may have megabytes.
    read = _read_shipped if len(word) <= _WORD_MAX else _read_shipped.__wrapped__
    return read(source, word)


@lru_cache(maxsize=256)
def _read_shipped(source: str, word: str) -> ReportStatus | None:
    key = _word_of(word)
    return _TABLE.get((source, key)) or _TABLE.get(("any", key))


def _word_of(field: str) -> str:
    """Return the word of a field: a stray line may have gone back to it, and stands after it."""
    return fold_word(field.partition("\n")[0])
