"""One change of one report's state: the row and its audit entry, together.

Rule: nothing else writes a report's state after its birth, and nothing moves but through
``next_state``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.audit import SELF, Change
from daemon.errors import UnknownIdError
from daemon.lifecycle import Event, IllegalTransitionError, State, next_state

if TYPE_CHECKING:
    from daemon.audit import Detail
    from daemon.journal_transaction import Transaction

STARTS_AFRESH = {Event.DRAFT, Event.REDRAFT, Event.REPOST, Event.WITHDRAW}
"""Events after which the attempts are counted from 0 again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A report as its row has it. ``retracted_for`` is why its draft is, or was, taken back."""

    report_id: str
    message_id: str
    report_key: str | None
    state: State
    reason: str | None
    attempts: int
    retracted_for: str | None


def find_report(transaction: Transaction, report_id: str) -> Stored:
    """Return a report's row.

    Raises:
        UnknownIdError: There is none.
    """
    row = transaction.find(
        """SELECT id, message_id, report_key, state, reason, attempts, retracted_for
            FROM report WHERE id = ?""",
        (report_id,),
    )
    if row is None:
        raise UnknownIdError("unknown_id")
    return Stored(row[0], row[1], row[2], State(row[3]), *row[4:])


def move(
    transaction: Transaction,
    report_id: str,
    event: Event,
    detail: Detail,
    *,
    actor: str = SELF,
    was: State | None = None,
) -> tuple[Stored, State]:
    """Let ``event`` happen to a report.

    Args:
        transaction: The open one.
        report_id: Whose state changes.
        event: What happened.
        detail: Of the audit entry; its ``reason`` becomes the report's.
        actor: Who asked.
        was: The state that the event is about; None for any.

    Returns:
        The row before, and the state after.

    Raises:
        IllegalTransitionError: The event has no place in the report's state; nothing was written.
        UnknownIdError: There is no such report.
    """
    stored = find_report(transaction, report_id)
    if was is not None and stored.state is not was:
        raise IllegalTransitionError(stored.state, event)
    state = next_state(stored.state, event)
    attempts = 0 if event in STARTS_AFRESH else stored.attempts
    # A note on a report that stays where it is does not change why it is there.
    reason = detail.get("reason") or (stored.reason if state is stored.state else None)
    transaction.execute(
        """UPDATE report SET state = ?, reason = ?, attempts = ?, not_before = NULL
            WHERE id = ?""",
        (state, reason, attempts, report_id),
    )
    change = Change(event, stored.message_id, report_id, stored.state, state, detail, actor)
    transaction.audit(change)
    return stored, state


def withdraw(transaction: Transaction, report_id: str, detail: Detail, actor: str = SELF) -> None:
    """Say that a report's draft may not stand at the server, and why: ``detail["reason"]``."""
    move(transaction, report_id, Event.WITHDRAW, detail, actor=actor)
    transaction.execute(
        "UPDATE report SET retracted_for = ? WHERE id = ?", (detail["reason"], report_id)
    )
