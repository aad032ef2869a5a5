"""Messages that arrive in batches from a log: one transaction for all of them.

Rule: nothing of a batch is kept until all of it is, with the dead letters of those refused; only
then may the caller tell the log that it was read. A place in the log is known by its name and the
content that stood there: the same again is a duplicate, other content at the same place is a new
message and said to be so, because a log that was made again counts from the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daemon import journal_messages, journal_outbox
from mappings.domain import MessageId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from daemon.delivery import NewDelivery
    from daemon.journal_writer import Transaction
    from mappings.domain import RawReport

    NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message of a batch. With a ``reason`` it is refused, and ``deliveries`` tell of that."""

    raw: RawReport
    reason: str | None = None
    where: str | None = None
    deliveries: tuple[NewDelivery, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it. ``is_place_reused``: other content stood at its place before."""

    message_id: MessageId
    is_duplicate: bool = False
    is_control_id_reused: bool = False
    is_place_reused: bool = False


def receive_all(transaction: Transaction, batch: Sequence[Fetched], new_id: NewId) -> list[Taken]:
    """Store a batch, in its order; find what is there already."""
    return [_receive(transaction, fetched, new_id) for fetched in batch]


def _receive(transaction: Transaction, fetched: Fetched, new_id: NewId) -> Taken:
    raw = fetched.raw
    there = transaction.find(
        "SELECT message_id, digest = ? FROM origin WHERE place = ? ORDER BY 2 DESC LIMIT 1",
        (raw.digest, raw.origin),
    )
    if there is not None and there[1]:
        return Taken(MessageId(there[0]), is_duplicate=True)
    taken = _store(transaction, fetched, is_place_reused=there is not None, new_id=new_id)
    transaction.execute(
        "INSERT INTO origin VALUES (?, ?, ?)", (raw.origin, raw.digest, taken.message_id)
    )
    return taken


def _store(
    transaction: Transaction, fetched: Fetched, *, is_place_reused: bool, new_id: NewId
) -> Taken:
    raw = fetched.raw
    if fetched.reason is None:
        received = journal_messages.receive(transaction, raw, raw.origin, new_id)
        return Taken(
            received.message_id,
            received.is_duplicate,
            received.is_control_id_reused,
            is_place_reused,
        )
    message_id = journal_messages.refuse(
        transaction, raw, raw.origin, fetched.reason, fetched.where, new_id
    )
    journal_outbox.queue(transaction, message_id, None, fetched.deliveries, new_id)
    return Taken(message_id, is_place_reused=is_place_reused)


def backlog(connection: sqlite3.Connection) -> int:
    """Count what still waits to be read or drafted: what the model has not caught up with."""
    (messages,) = connection.execute(
        "SELECT count(*) FROM message WHERE state = 'RECEIVED' AND is_mapped = 0"
    ).fetchone()
    (reports,) = connection.execute("SELECT count(*) FROM report WHERE state = 'MAPPED'").fetchone()
    return int(messages) + int(reports)
