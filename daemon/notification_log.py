"""What the outbox knows of notifications: which event of its Subscription each one is.

Each delivery of kind ``notification`` is one event; its number is its place among those of its
Subscription, so numbers have no gap and no counter has to be kept beside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from daemon.delivery import DeliveryId
    from daemon.journal_reads import JournalReader
    from mappings.domain import ReportId

EVENTS_MAX = 1000
"""Most events that one ``$events`` gives."""


@dataclass(frozen=True, slots=True)
class DraftEvent:
    """What a notification is about: the draft's identifier, and when the event was (instant)."""

    identifier: str = field(repr=False)
    at: str

    @property
    def payload(self) -> bytes:
        """As it is kept in the outbox."""
        return json.dumps({"identifier": self.identifier, "at": self.at}).encode()


def read_event(payload: bytes) -> DraftEvent:
    """Read what ``DraftEvent.payload`` wrote."""
    return DraftEvent(**json.loads(payload))


class NotificationLog:
    """Asks the journal, which it never writes."""

    def __init__(self, reader: JournalReader) -> None:
        """Take the connections to read with."""
        self._reader = reader

    async def count(self, subscription_id: str) -> int:
        """Return how many events a Subscription has had."""
        return await self._reader.ask(lambda c: _count(c, subscription_id))

    async def number(self, delivery_id: DeliveryId) -> int:
        """Return which event of its Subscription a delivery is, from 1."""
        return await self._reader.ask(lambda c: _number(c, delivery_id))

    async def events(
        self, subscription_id: str, since: int, until: int | None
    ) -> list[tuple[int, DraftEvent]]:
        """Return events by number, both ends included, at most ``EVENTS_MAX``."""
        return await self._reader.ask(lambda c: _events(c, subscription_id, since, until))

    async def is_mirror_due(self, report_id: ReportId | None) -> bool:
        """Return whether the copy of a draft, that is read here, is still to be written."""
        return await self._reader.ask(lambda c: _is_mirror_due(c, report_id))

    async def close(self) -> None:
        """Release the connections."""
        await self._reader.close()


def _count(connection: sqlite3.Connection, subscription_id: str) -> int:
    (count,) = connection.execute(
        "SELECT count(*) FROM delivery WHERE kind = 'notification' AND target = ?",
        (subscription_id,),
    ).fetchone()
    return int(count)


def _number(connection: sqlite3.Connection, delivery_id: str) -> int:
    (number,) = connection.execute(
        """SELECT count(*) FROM delivery AS this JOIN delivery AS earlier
            ON earlier.kind = 'notification' AND earlier.target = this.target
                AND earlier.arrival <= this.arrival
            WHERE this.id = ?""",
        (delivery_id,),
    ).fetchone()
    return int(number)


def _events(
    connection: sqlite3.Connection, subscription_id: str, since: int, until: int | None
) -> list[tuple[int, DraftEvent]]:
    first = max(since, 1)
    count = EVENTS_MAX if until is None else max(0, min(until - first + 1, EVENTS_MAX))
    rows = connection.execute(
        """SELECT payload FROM delivery WHERE kind = 'notification' AND target = ?
            ORDER BY arrival LIMIT ? OFFSET ?""",
        (subscription_id, count, first - 1),
    )
    return [(first + index, read_event(payload)) for index, (payload,) in enumerate(rows)]


def _is_mirror_due(connection: sqlite3.Connection, report_id: str | None) -> bool:
    found = connection.execute(
        "SELECT 1 FROM delivery WHERE report_id = ? AND kind = 'mirror' AND state = 'due'",
        (report_id,),
    )
    return found.fetchone() is not None
