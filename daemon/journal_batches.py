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
from daemon.journal_messages import Arrival, receive_together
from mappings.domain import MessageId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.delivery import NewDelivery
    from daemon.journal_transaction import Transaction
    from mappings.domain import RawReport


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


def receive_all(transaction: Transaction, batch: Sequence[Fetched]) -> list[Taken]:
    """Store a batch, in its order; find what is there already."""
    if any(one.reason for one in batch) or any(_find_place(transaction, one.raw) for one in batch):
        return [_receive(transaction, one) for one in batch]
    # Nothing out of the ordinary: few statements for all of them.
    arrivals = [Arrival(one.raw, one.raw.origin) for one in batch]
    taken = [
        Taken(received.message_id, received.is_duplicate, received.is_control_id_reused)
        for received in receive_together(transaction, arrivals)
    ]
    _store_places(transaction, [one.raw for one in batch], taken)
    return taken


def _find_place(transaction: Transaction, raw: RawReport) -> tuple[str, bool] | None:
    """Return what stood at a message's place before, and whether it was the same."""
    row = transaction.find(
        "SELECT message_id, digest = ? FROM origin WHERE place = ? ORDER BY 2 DESC LIMIT 1",
        (raw.digest, raw.origin),
    )
    return None if row is None else (row[0], bool(row[1]))


def _store_places(
    transaction: Transaction, raws: Sequence[RawReport], taken: Sequence[Taken]
) -> None:
    pairs = zip(raws, taken, strict=True)
    transaction.insert("origin", [(raw.origin, raw.digest, one.message_id) for raw, one in pairs])


def _receive(transaction: Transaction, fetched: Fetched) -> Taken:
    raw = fetched.raw
    there = _find_place(transaction, raw)
    if there is not None and there[1]:
        return Taken(MessageId(there[0]), is_duplicate=True)
    taken = _store(transaction, fetched, is_place_reused=there is not None)
    _store_places(transaction, [raw], [taken])
    return taken


def _store(transaction: Transaction, fetched: Fetched, *, is_place_reused: bool) -> Taken:
    raw = fetched.raw
    if fetched.reason is None:
        received = journal_messages.receive(transaction, raw, raw.origin)
        return Taken(
            received.message_id,
            received.is_duplicate,
            received.is_control_id_reused,
            is_place_reused,
        )
    message_id = journal_messages.refuse(
        transaction, raw, raw.origin, fetched.reason, fetched.where
    )
    journal_outbox.queue(transaction, message_id, None, fetched.deliveries)
    return Taken(message_id, is_place_reused=is_place_reused)


def backlog(connection: sqlite3.Connection) -> int:
    """Count what still waits to be read or drafted: what the model has not caught up with."""
    (messages,) = connection.execute(
        "SELECT count(*) FROM message WHERE state = 'RECEIVED' AND is_mapped = 0"
    ).fetchone()
    (reports,) = connection.execute("SELECT count(*) FROM report WHERE state = 'MAPPED'").fetchone()
    return int(messages) + int(reports)
