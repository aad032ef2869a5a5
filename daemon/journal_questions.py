"""The reading half of the embedded journal: each question of the port, asked of a pool of readers.

Rule: nothing here writes; a question waits for no write. The questions' SQL stands in
journal_reads.py and beside the writes that it belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon import journal_batches, journal_flags, journal_outbox
from daemon import journal_reads as reads

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from daemon.delivery import DeliveryId, DeliveryKind, PendingDelivery
    from daemon.journal import (
        AuditEntry,
        ChainVerdict,
        PendingMessage,
        PendingReport,
        Row,
        Trail,
    )
    from daemon.lifecycle import State
    from mappings.domain import ReportId


class JournalQuestions:
    """See ``daemon.journal_ports`` for what each method promises."""

    def __init__(self, reader: reads.JournalReader) -> None:
        self._reader = reader

    async def backlog(self) -> int:
        """Count the messages and reports that are not drafted yet."""
        return await self._reader.ask(journal_batches.backlog)

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""
        return await self._reader.ask(journal_flags.is_paused)

    async def pending_messages(self, limit: int) -> Sequence[PendingMessage]:
        """RECEIVED messages that wait to be mapped, oldest first."""
        return await self._reader.ask(lambda c: reads.pending_messages(c, limit))

    async def pending_reports(
        self, state: State, *, now: datetime, limit: int, but_not: Collection[ReportId] = ()
    ) -> Sequence[PendingReport]:
        """Reports in ``state`` whose ``not_before`` has passed, oldest first."""
        excluded = list(but_not)
        return await self._reader.ask(
            lambda c: reads.pending_reports(c, state, now, limit, excluded)
        )

    async def state_of(self, report_id: ReportId) -> State | None:
        """Return a report's state now; None for no report."""
        return await self._reader.ask(lambda c: reads.state_of(c, report_id))

    async def pending_deliveries(
        self,
        *,
        now: datetime,
        limit: int,
        but_not: Collection[DeliveryId] = (),
        kinds: Collection[DeliveryKind] | None = None,
    ) -> Sequence[PendingDelivery]:
        """Deliveries that are due, of each kind and target only the oldest."""
        excluded = list(but_not)
        return await self._reader.ask(
            lambda c: journal_outbox.pending_deliveries(c, now, limit, excluded, kinds)
        )

    async def deliveries_due(self) -> Mapping[tuple[DeliveryKind, str], int]:
        """How many deliveries wait, by kind and target."""
        return await self._reader.ask(journal_outbox.deliveries_due)

    async def counts(self) -> Mapping[State, int]:
        """Count messages (RECEIVED to map, REJECTED) and reports (the rest) by state."""
        return await self._reader.ask(reads.counts)

    async def rows(
        self,
        *,
        state: State | None = None,
        accession_number: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Row]:
        """List the newest reports, and messages without one."""
        return await self._reader.ask(
            lambda c: reads.rows(c, state, accession_number, since, limit)
        )

    async def trail(self, id_: str) -> Trail:
        """Return everything about a message, by its id or that of one of its reports."""
        return await self._reader.ask(lambda c: reads.trail(c, id_))

    async def entries(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """List audit entries with a sequence above ``after``, in order."""
        return await self._reader.ask(lambda c: reads.entries(c, after, limit))

    async def verify_chain(self, *, head: str | None = None) -> ChainVerdict:
        """Recompute the audit chain, and look for an earlier ``head`` in it."""
        return await self._reader.ask(lambda c: reads.verify_chain(c, head))
