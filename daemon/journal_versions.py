"""Which of two versions of one report is the newer, and which of a message's reports leads.

Rule: a late preliminary never takes the place of a final. From final on, versions are ordered by
the time they were reported (a cancelled or corrected report may be finalised again), then by
status, then by arrival; before, by status and then the same. A time that cannot be compared
(absent, or one with and one without an offset) decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from daemon.lifecycle import Event
from mappings.domain import ReportStatus
from mappings.reasons import RetractReason, SkipReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.journal import NewReport
    from mappings.domain import ReportKey

FINAL_RANK = 2
RANKS = {
    ReportStatus.FINAL: FINAL_RANK,
    ReportStatus.AMENDED: 3,
    ReportStatus.CORRECTED: 3,
    ReportStatus.CANCELLED: 4,
    ReportStatus.ENTERED_IN_ERROR: 4,
}
"""Every other status, and none, ranks 1."""
HUMAN_WORDS = {
    SkipReason.IMPRESSION_PRESENT,
    SkipReason.REPORT_CANCELLED,
    SkipReason.FINAL_PRESENT,
    SkipReason.DOCUMENT_NOT_READ,
    SkipReason.RESULTS_UNRESOLVED,
}
"""Skips because a person has spoken, or may have: they speak for the whole report."""
ENDS_DRAFTING = {
    SkipReason.IMPRESSION_PRESENT,
    SkipReason.FINAL_PRESENT,
    SkipReason.DOCUMENT_NOT_READ,
    SkipReason.DRAFTING_ENDED,
}
"""Skips because the report has, or had in an earlier version, an impression of a person's."""


@dataclass(frozen=True, slots=True)
class Version:
    """What orders the versions of one report; ``reported_at`` is ISO 8601."""

    rank: int
    reported_at: str | None


@dataclass(frozen=True, slots=True)
class Birth:
    """How a report of a message begins. Only a leading one meets the versions of other messages."""

    report: NewReport
    event: Event
    reason: str | None
    is_leading: bool


def version_of(report: NewReport) -> Version:
    """Return what orders ``report`` among the versions with its key."""
    return Version(rank_of(report.study.report_status), report.study.reported_at)


def rank_of(status: ReportStatus | None) -> int:
    """Return how far a report has come: 1 as long as nobody has signed it."""
    return RANKS.get(status, 1) if status else 1


def is_newer(version: Version, than: Version) -> bool:
    """Return whether ``version`` is newer by its own words; False when only arrival can tell."""
    is_later = _is_later(version.reported_at, than.reported_at)
    if version.rank == than.rank:
        return is_later
    if min(version.rank, than.rank) >= FINAL_RANK:
        # A person has spoken twice: the later word holds, whichever it is.
        is_earlier = _is_later(than.reported_at, version.reported_at)
        return is_later or (version.rank > than.rank and not is_earlier)
    return version.rank > than.rank


def reason_to_withdraw(
    status: ReportStatus | None, event: Event, reason: str | None, *, is_left: bool
) -> RetractReason | None:
    """Say why a draft of an older version may not stand beside a newer one.

    Args:
        status: Of the newer version.
        event: How the newer version begins: MAP, or SKIP for ``reason``.
        reason: Of the SKIP.
        is_left: Whether a draft is left to stand when a person has spoken.

    Returns:
        None when it may stand, or when the newer version's own draft will take its place.
        ``REPORT_CHANGED`` holds only where the findings are others.
    """
    if event is not Event.SKIP:
        return None
    if reason == SkipReason.REPORT_CANCELLED:
        return RetractReason.REPORT_CANCELLED
    if reason in ENDS_DRAFTING - {SkipReason.FINAL_PRESENT}:
        return None if is_left else RetractReason.IMPRESSION_PRESENT
    if rank_of(status) >= FINAL_RANK:
        return None if is_left else RetractReason.FINAL_PRESENT
    return RetractReason.REPORT_CHANGED


def plan_births(reports: Sequence[NewReport]) -> list[Birth]:
    """Choose, where reports of one message share a key, the one that leads.

    They are parts of one version, and only one draft can stand under a key. A skip because a
    person has spoken leads; else a report to draft before one to skip; else the newer; else the
    later group. The others to draft are born SUPERSEDED; the others to skip stay skipped.
    """
    groups: dict[ReportKey, list[NewReport]] = defaultdict(list)
    for report in reports:
        if report.report_key is not None:
            groups[report.report_key].append(report)
    leaders = {id(_leader(group)) for group in groups.values()}
    return [_birth(report, is_leading=id(report) in leaders) for report in reports]


def _birth(report: NewReport, *, is_leading: bool) -> Birth:
    is_left_over = report.event is Event.MAP and report.report_key is not None and not is_leading
    if is_left_over:
        return Birth(report, Event.SUPERSEDE, "same_report_in_message", is_leading)
    return Birth(report, report.event, report.reason, is_leading)


def _leader(group: Sequence[NewReport]) -> NewReport:
    leader = group[0]
    for report in group[1:]:
        if _weight(report) > _weight(leader) or (
            _weight(report) == _weight(leader)
            and not is_newer(version_of(leader), than=version_of(report))
        ):
            leader = report
    return leader


def _weight(report: NewReport) -> int:
    if report.event is Event.SKIP and report.reason in HUMAN_WORDS:
        return 2
    return 1 if report.event is Event.MAP else 0


def _is_later(reported_at: str | None, than: str | None) -> bool:
    one, other = _moment(reported_at), _moment(than)
    if one is None or other is None or one.tzinfo != other.tzinfo:
        return False
    # To the minute and to the second are compared to the minute: the rest nobody said.
    digits = min(_digits(reported_at), _digits(than))
    return one.isoformat()[:digits] > other.isoformat()[:digits]


def _moment(text: str | None) -> datetime | None:
    """Return UTC when the text has an offset, the bare local time when it has none."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _digits(text: str | None) -> int:
    """Return how much of an ISO time is said: 10 to the day, 16 to the minute, 19 to the second."""
    day, _, rest = (text or "").partition("T")
    clock = rest.replace("Z", "+").replace("-", "+").partition("+")[0]
    return len(day) + (1 + len(clock) if clock else 0)
