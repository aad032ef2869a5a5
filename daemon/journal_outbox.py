"""The outbox: what we owe to others, kept until it is taken or given up.

Rules: a delivery is born in the transaction of the change that causes it, so neither stands
without the other; its bytes never change, so a second try sends the same. What goes to a target
leaves one by one in the order of its birth, for each target and kind on its own; acknowledgments
that go back on a connection have no order. Waiting for another try is data (``attempts``,
``not_before``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daemon.audit import SELF, Change
from daemon.delivery import DeliveryId, DeliveryState, DeliveryTrail, NewDelivery, PendingDelivery
from daemon.errors import DeliveryMovedOnError, UnknownIdError
from daemon.journal_codec import storable, time_of, time_text
from mappings.domain import MessageId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from daemon.audit import Detail
    from daemon.delivery import DeliveryKind
    from daemon.journal_transaction import Transaction

NEWER_VERSION = "newer_version"


@dataclass(frozen=True, slots=True)
class _Step:
    """What may happen to a delivery. ``event`` is stored in the audit trail: never rename one."""

    event: str
    state: DeliveryState
    may_leave: tuple[DeliveryState, ...] = ("due",)


DELIVER = _Step("deliver", "sent", ("due", "withdrawn"))
PUT_OFF = _Step("put_off_delivery", "due")
FAIL = _Step("fail_delivery", "failed")
WITHDRAW = _Step("withdraw_delivery", "withdrawn", ("due", "failed"))
RESEND = _Step("resend_delivery", "due", ("failed",))
REPEAT = _Step("repeat_delivery", "due", ("sent", "failed"))


def queue(
    transaction: Transaction,
    message_id: str,
    report_id: str | None,
    deliveries: Sequence[NewDelivery],
) -> None:
    """Keep what is to be sent because of a change that is being recorded."""
    for delivery in deliveries:
        delivery_id = transaction.new_id()
        transaction.execute(
            """INSERT INTO delivery (id, message_id, report_id, kind, target, state, control_id,
                payload) VALUES (?, ?, ?, ?, ?, 'due', ?, ?)""",
            (
                delivery_id,
                message_id,
                report_id,
                delivery.kind,
                storable(delivery.target),
                storable(delivery.control_id),
                delivery.payload,
            ),
        )
        detail: Detail = {
            "delivery_id": delivery_id,
            "kind": delivery.kind,
            "target": delivery.target,
            "bytes": len(delivery.payload),
        }
        transaction.audit(Change("queue_delivery", message_id, report_id, detail=detail))


def withdraw(transaction: Transaction, report_id: str) -> None:
    """Hold back what is not sent yet of a report that has a newer version.

    What failed as well: an operator must not bring back what a person has spoken over. A copy and
    an event stay owed: that the draft was posted is true, and what comes later follows them.
    """
    rows = transaction.execute(
        """SELECT id FROM delivery WHERE report_id = ? AND state IN ('due', 'failed')
            AND kind NOT IN ('mirror', 'notification')""",
        (report_id,),
    ).fetchall()
    for (delivery_id,) in rows:
        _move(transaction, delivery_id, WITHDRAW, NEWER_VERSION)


def targets_of(
    transaction: Transaction, report_key: str | None, kind: DeliveryKind
) -> frozenset[str]:
    """Return who was ever owed a delivery of ``kind`` about any version of a report.

    One that was withdrawn counts: it may have been on its way.
    """
    rows = transaction.execute(
        """SELECT DISTINCT target FROM delivery JOIN report ON report.id = report_id
            WHERE report_key = ? AND kind = ?""",
        (report_key, kind),
    )
    return frozenset(target for (target,) in rows)


def record_delivered(transaction: Transaction, delivery_id: DeliveryId, answer: str) -> None:
    """Due -> sent. One that was withdrawn while it was on its way is sent all the same."""
    _move(transaction, delivery_id, DELIVER, answer)


def record_retry(
    transaction: Transaction,
    delivery_id: DeliveryId,
    reason: str,
    not_before: datetime,
    *,
    is_counted: bool,
) -> None:
    """Stay due; wait as data; count the attempt when the receiver was reached."""
    _move(transaction, delivery_id, PUT_OFF, reason)
    transaction.execute(
        "UPDATE delivery SET attempts = attempts + ?, not_before = ? WHERE id = ?",
        (is_counted, time_text(not_before), delivery_id),
    )


def record_failed(transaction: Transaction, delivery_id: DeliveryId, reason: str) -> None:
    """Due -> failed, for good."""
    _move(transaction, delivery_id, FAIL, reason)


def repeat_application_ack(transaction: Transaction, message_id: str) -> None:
    """Send the last application acknowledgment of a message again: its sender sent it again."""
    row = transaction.find(
        """SELECT id, state FROM delivery WHERE message_id = ? AND kind = 'application_ack'
            ORDER BY arrival DESC LIMIT 1""",
        (message_id,),
    )
    if row is not None and row[1] in REPEAT.may_leave:
        _move(transaction, row[0], REPEAT, None)
        transaction.execute("UPDATE delivery SET attempts = 0 WHERE id = ?", (row[0],))


def is_delivery(transaction: Transaction, id_: str) -> bool:
    """Return whether ``id_`` is a delivery's."""
    return transaction.find("SELECT 1 FROM delivery WHERE id = ?", (id_,)) is not None


def resend(
    transaction: Transaction, delivery_id: str, actor: str
) -> tuple[DeliveryState, DeliveryState]:
    """Failed -> due, by an operator: the same bytes, the attempts counted from 0."""
    _move(transaction, delivery_id, RESEND, None, actor)
    transaction.execute("UPDATE delivery SET attempts = 0 WHERE id = ?", (delivery_id,))
    return "failed", RESEND.state


def _move(
    transaction: Transaction,
    delivery_id: str,
    step: _Step,
    reason: str | None,
    actor: str = SELF,
) -> None:
    row = transaction.find(
        "SELECT message_id, report_id, state FROM delivery WHERE id = ?", (delivery_id,)
    )
    if row is None:
        raise UnknownIdError("unknown_id")
    message_id, report_id, before = row
    if before not in step.may_leave:
        raise DeliveryMovedOnError("delivery_moved_on", before)
    transaction.execute(
        "UPDATE delivery SET state = ?, reason = ?, not_before = NULL WHERE id = ?",
        (step.state, reason, delivery_id),
    )
    detail = {"delivery_id": delivery_id, "from": before, "to": step.state, "reason": reason}
    transaction.audit(Change(step.event, message_id, report_id, detail=detail, actor=actor))


PENDING = """id, message_id, report_id, kind, target, attempts, payload, control_id,
    (SELECT door FROM message WHERE message.id = delivery.message_id)"""
# The oldest of each kind for each target, found by hopping from one to the next over the index: a
# long backlog costs no more than a short one.
HEADS = """
WITH RECURSIVE head (arrival, kind, target) AS (
    SELECT * FROM (SELECT arrival, kind, target FROM delivery WHERE state = 'due'
        ORDER BY kind, target, arrival LIMIT 1)
    UNION ALL
    SELECT next.arrival, next.kind, next.target FROM head JOIN delivery AS next
        ON next.arrival = (SELECT arrival FROM delivery
            WHERE state = 'due' AND (kind, target) > (head.kind, head.target)
            ORDER BY kind, target, arrival LIMIT 1)
)
SELECT arrival FROM head WHERE target > ''
"""


def pending_deliveries(
    connection: sqlite3.Connection,
    now: datetime,
    limit: int,
    but_not: Collection[DeliveryId],
    kinds: Collection[DeliveryKind] | None,
) -> list[PendingDelivery]:
    """Find what is due: the oldest of each kind for each target, so that no target's backlog hides
    another's, and the acknowledgments that go back on a connection; oldest first.
    """
    due = """state = 'due' AND (not_before IS NULL OR not_before <= :now)
        AND id NOT IN (SELECT value FROM json_each(:but_not))
        AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))"""
    rows = connection.execute(
        f"""SELECT {PENDING} FROM delivery WHERE {due} AND arrival IN (
                SELECT arrival FROM ({HEADS})
                UNION ALL SELECT arrival FROM (
                    SELECT arrival FROM delivery INDEXED BY delivery_queue
                    WHERE kind = 'application_ack' AND target = '' AND {due}
                    ORDER BY arrival LIMIT :limit))
            ORDER BY arrival LIMIT :limit""",  # noqa: S608 - only constants of this file
        {
            "now": time_text(now),
            "but_not": json.dumps(list(but_not)),
            "kinds": None if kinds is None else json.dumps(list(kinds)),
            "limit": limit,
        },
    )
    return [
        PendingDelivery(DeliveryId(id_), MessageId(message_id), *rest)
        for id_, message_id, *rest in rows
    ]


def deliveries_due(connection: sqlite3.Connection) -> dict[tuple[DeliveryKind, str], int]:
    """Count what waits, by kind and target."""
    rows = connection.execute(
        "SELECT kind, target, count(*) FROM delivery WHERE state = 'due' GROUP BY kind, target"
    )
    return {(kind, target): count for kind, target, count in rows}


def trails_of(connection: sqlite3.Connection, message_id: str) -> list[DeliveryTrail]:
    """List everything that was to be sent because of a message, oldest first."""
    rows = connection.execute(
        """SELECT id, report_id, kind, target, state, attempts, not_before, reason, payload,
            control_id FROM delivery WHERE message_id = ? ORDER BY arrival""",
        (message_id,),
    )
    trails = [DeliveryTrail(*row) for row in rows]
    return [
        replace(trail, not_before=time_of(str(trail.not_before))) if trail.not_before else trail
        for trail in trails
    ]
