"""What becomes of a report's older versions when a newer one is born, posted, or gets no draft.

Rules: the newest version speaks for its key. Older ones that are not posted are SUPERSEDED; a
posted one stands until the draft of a newer one is posted in its place, or until it must be taken
back. At most one report of a key is POSTED and at most one is RETRACTING. A draft may be at the
server although nobody has recorded its post (the answer is under way, or was lost in a crash), so
the newest version with a draft is taken back in the name of all, whatever its state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon import journal_outbox
from daemon.journal_codec import decode_study
from daemon.journal_moves import move, withdraw
from daemon.journal_versions import (
    ENDS_DRAFTING,
    FINAL_RANK,
    Version,
    is_newer,
    reason_to_withdraw,
    version_of,
)
from daemon.lifecycle import Event, State
from mappings.domain import ReportStatus
from mappings.reasons import RetractReason, SkipReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.journal_transaction import Transaction
    from daemon.journal_versions import Birth

NEWER_VERSION = journal_outbox.NEWER_VERSION
UNPOSTED = frozenset({State.MAPPED, State.DRAFTED, State.WITHHELD, State.FAILED})
"""States that give way to a newer version at once."""
WITHDRAWABLE = frozenset(
    {State.POSTED, State.DRAFTED, State.FAILED, State.SUPERSEDED, State.RETRACTING}
)
"""States in which the server may hold a version's draft."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another version of the same key. ``came_later``: its message did, though it was mapped first
    (a long message, or one that is read again).
    """

    report_id: str
    version: Version
    state: State
    reason: str | None
    has_draft: bool
    came_later: bool


def begin(
    transaction: Transaction, message_id: str, birth: Birth, report_id: str, *, is_left: bool
) -> tuple[Event, str | None]:
    """Decide how a report begins, and let the older versions of its key give way to it.

    Args:
        transaction: The open one.
        message_id: Of the message that it is born of.
        birth: What mapping has decided.
        report_id: The id that it will have.
        is_left: Whether a posted draft is left when a person has spoken; else it is taken back.

    Returns:
        The first event of its life, and its reason.
    """
    if not birth.is_leading:
        return birth.event, birth.reason
    if _is_own_draft(transaction, birth):
        return Event.SKIP, SkipReason.OWN_DRAFT.value
    others = _others(transaction, message_id, birth)
    version = version_of(birth.report)
    if any(
        is_newer(other.version, than=version)
        or (other.came_later and not is_newer(version, than=other.version))
        for other in others
    ):
        return Event.SUPERSEDE, "newer_version_present"
    event, reason = _first_step(birth, others)
    why = reason_to_withdraw(birth.report.study.report_status, event, reason, is_left=is_left)
    for other in others:
        journal_outbox.withdraw(transaction, other.report_id)
    _give_way(transaction, others, report_id, why, birth.report.study.sections.findings)
    return event, reason


def _first_step(birth: Birth, others: Sequence[Other]) -> tuple[Event, str | None]:
    """A report is not drafted for once a person has spoken about it, in whatever version."""
    if birth.event is not Event.MAP:
        return birth.event, birth.reason
    if any(other.state is State.SKIPPED and other.reason in ENDS_DRAFTING for other in others):
        return Event.SKIP, SkipReason.DRAFTING_ENDED.value
    is_final = birth.report.study.report_status is ReportStatus.FINAL
    if is_final and any(
        other.state is State.POSTED and other.version.rank < FINAL_RANK for other in others
    ):
        return Event.SKIP, SkipReason.FINAL_PRESENT.value
    return birth.event, birth.reason


def record_place_taken(transaction: Transaction, report_id: str, report_key: str | None) -> None:
    """POSTED -> SUPERSEDED for the older versions whose draft a newer one has just replaced."""
    rows = transaction.execute(
        "SELECT id FROM report WHERE report_key = ? AND state = ? AND id <> ?",
        (report_key, State.POSTED, report_id),
    ).fetchall()
    for (older_id,) in rows:
        move(transaction, older_id, Event.SUPERSEDE, _because_of(report_id))


def withdraw_unfit(transaction: Transaction, report_id: str) -> None:
    """Take back what may stand at the server of an older version: the newest has no draft.

    What stands there was written for other findings, unless they are the same; a reader could take
    it for a draft of the report as it is now.
    """
    row = transaction.find("SELECT report_key, study FROM report WHERE id = ?", (report_id,))
    if row is None or row[0] is None:
        return
    others = [other for other in _all_of(transaction, row[0]) if other.report_id != report_id]
    findings = decode_study(row[1]).sections.findings
    _give_way(transaction, others, report_id, RetractReason.REPORT_CHANGED, findings)


def _give_way(
    transaction: Transaction,
    others: Sequence[Other],
    newer_id: str,
    why: RetractReason | None,
    findings: str | None,
) -> None:
    """Withdraw the newest draft of ``others`` if there is a reason; supersede the rest."""
    newest = next((other for other in reversed(others) if other.has_draft), None)
    is_unfit = why is not None and newest is not None and newest.state in WITHDRAWABLE
    if is_unfit and why is RetractReason.REPORT_CHANGED:
        is_unfit = any(
            _findings_of(transaction, other.report_id) != findings
            for other in others
            if other is newest or other.state is State.POSTED
        )
    giving_way = UNPOSTED | ({State.POSTED, State.RETRACTING} if is_unfit else set())
    for other in others:
        if is_unfit and other is newest:
            detail = _because_of(newer_id) | {"reason": str(why)}
            withdraw(transaction, other.report_id, detail)
        elif other.state in giving_way:
            move(transaction, other.report_id, Event.SUPERSEDE, _because_of(newer_id))


def _because_of(newer_id: str) -> dict[str, str | int | None]:
    return {"reason": NEWER_VERSION, "newer_report_id": newer_id}


def _others(transaction: Transaction, message_id: str, birth: Birth) -> list[Other]:
    key = birth.report.report_key
    return _all_of(transaction, key, message_id) if key is not None else []


def _all_of(transaction: Transaction, report_key: str, message_id: str = "") -> list[Other]:
    """Return the versions of a key, oldest born first; none of ``message_id``'s own."""
    rows = transaction.execute(
        """SELECT report.id, rank, reported_at, report.state, report.reason,
                draft.observation IS NOT NULL,
                message.arrival > coalesce((SELECT arrival FROM message WHERE id = ?), 0)
            FROM report JOIN message ON message.id = message_id
                LEFT JOIN draft ON draft.report_id = report.id
            WHERE report_key = ? AND message_id <> ? ORDER BY report.arrival""",
        (message_id, report_key, message_id),
    )
    return [
        Other(id_, Version(rank, at), State(state), reason, bool(has_draft), bool(came_later))
        for id_, rank, at, state, reason, has_draft, came_later in rows
    ]


def _findings_of(transaction: Transaction, report_id: str) -> str | None:
    row = transaction.find("SELECT study FROM report WHERE id = ?", (report_id,))
    return None if row is None else decode_study(row[0]).sections.findings


def _is_own_draft(transaction: Transaction, birth: Birth) -> bool:
    """Whether the impression of an unsigned report is our own draft, sent back to us."""
    study = birth.report.study
    impression = study.sections.impression
    if impression is None or version_of(birth.report).rank >= FINAL_RANK:
        return False
    rows = transaction.execute(
        """SELECT text FROM draft JOIN report ON report.id = report_id
            WHERE report_key = ? AND observation IS NOT NULL""",
        (birth.report.report_key,),
    )
    return any(text.split() == impression.split() for (text,) in rows)
