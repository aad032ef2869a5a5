"""The journal in one SQLite file: the port of daemon/journal.py, embedded, with no server.

Writes go to the one writer thread (journal_writer.py), reads to a pool of read-only connections
(journal_reads.py). What a write does stands in journal_messages.py and
journal_reports.py; this file only joins them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from daemon import journal_flags, journal_messages, journal_outbox, journal_reports
from daemon import journal_reads as reads
from daemon.errors import ConfigurationError, JournalUnavailableError
from daemon.journal_schema import SETTING, check_file, connect_writer, prepare_file
from daemon.journal_writer import ANCHOR_EVERY, JournalWriter
from daemon.lifecycle import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from daemon.clock import Clock
    from daemon.delivery import DeliveryId, DeliveryKind, NewDelivery, PendingDelivery
    from daemon.journal import (
        AuditEntry,
        ChainVerdict,
        NewReport,
        PendingMessage,
        PendingReport,
        Received,
        Row,
        Trail,
    )
    from daemon.lifecycle import State
    from mappings.domain import Draft, DraftObservation, MessageId, RawReport, ReportId


def random_id() -> str:
    """Return 128 random bits as hex: ours, and telling nothing."""
    return secrets.token_hex(16)


def open_journal(
    path: Path,
    *,
    clock: Clock,
    on_head: Callable[[int, str], None] | None = None,
    read_only: bool = False,
    new_id: Callable[[], str] = random_id,
    anchor_every: int = ANCHOR_EVERY,
) -> SqliteJournal:
    """Open the journal, making it when it is not there.

    Args:
        path: The file; a missing folder is made with mode 0700.
        clock: The time of the audit entries.
        on_head: Told the chain's head every ``anchor_every`` entries and at close.
        read_only: Open what is there and never write: every write is refused.
        new_id: Gives each message and report its id; never the same twice.
        anchor_every: Entries between two calls of ``on_head``.

    Raises:
        ConfigurationError: The file cannot be used; ``where`` is ``journal.url``.
    """
    if read_only:
        check_file(path)
        return SqliteJournal(reads.JournalReader(path), None, new_id)
    prepare_file(path)
    writer = JournalWriter(connect_writer(path), clock, on_head, anchor_every=anchor_every)
    return SqliteJournal(reads.JournalReader(path), writer, new_id)


@contextmanager
def acquire_serve_lock(path: Path) -> Iterator[None]:
    """Hold the right to serve this journal: two daemons would post the same drafts twice.

    The lock is the kernel's, on ``PATH.lock``: it goes with the process, however that ends.

    Raises:
        ConfigurationError: Another process holds it (``journal_in_use``).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_now(lock)
        yield
    finally:
        os.close(lock)


def _lock_now(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError("journal_in_use", SETTING) from None


class SqliteJournal:
    """See ``daemon.journal.Journal`` for what each method promises."""

    def __init__(
        self,
        reader: reads.JournalReader,
        writer: JournalWriter | None,
        new_id: Callable[[], str],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._new_id = new_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def writer(self) -> JournalWriter:
        """The writer, where there is one.

        Raises:
            JournalUnavailableError: The journal was opened read-only.
        """
        if self._writer is None:
            raise JournalUnavailableError("journal_read_only")
        return self._writer

    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        """Store a message as RECEIVED, or find it there already."""
        return await self.writer.submit(
            lambda t: journal_messages.receive(t, raw, peer, self._new_id)
        )

    async def refuse(
        self, raw: RawReport, *, peer: str, reason: str, where: str | None
    ) -> MessageId:
        """Keep the bytes of a message that the door answered with no, as REJECTED."""
        return await self.writer.submit(
            lambda t: journal_messages.refuse(t, raw, peer, reason, where, self._new_id)
        )

    async def record_mapped(
        self,
        message_id: MessageId,
        reports: Sequence[NewReport],
        *,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """Give birth to the reports of a message (1..n), superseding older unposted versions.

        Raises:
            ValueError: No report at all; a message without a group has one that is skipped.
        """
        if not reports:
            raise ValueError("a mapped message has at least one report")
        await self.writer.submit(
            lambda t: journal_reports.record_mapped(
                t, message_id, reports, deliveries, self._new_id
            )
        )

    async def record_rejected(
        self,
        message_id: MessageId,
        reason: str,
        where: str | None,
        *,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """RECEIVED -> REJECTED: the content cannot be read."""
        await self.writer.submit(
            lambda t: journal_messages.record_rejected(
                t, message_id, (reason, where), deliveries, self._new_id
            )
        )

    async def count_attempt(self, message_id: MessageId) -> None:
        """Count that a RECEIVED message is about to be read once more."""
        await self.writer.submit(lambda t: journal_messages.count_attempt(t, message_id))

    async def record_drafted(
        self, report_id: ReportId, draft: Draft, observation: DraftObservation
    ) -> None:
        """MAPPED -> DRAFTED, keeping the text and the very bytes to post."""
        await self.writer.submit(
            lambda t: journal_reports.record_drafted(t, report_id, draft, observation)
        )

    async def record_withheld(self, report_id: ReportId, draft: Draft, reason: str) -> None:
        """MAPPED -> WITHHELD, keeping the text for a person with rights to see."""
        await self.writer.submit(
            lambda t: journal_reports.record_withheld(t, report_id, draft, reason)
        )

    async def record_posted(
        self,
        report_id: ReportId,
        *,
        reference: str,
        version_id: str | None,
        outcome: str,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """DRAFTED -> POSTED (or a note on SUPERSEDED when a newer version came meanwhile)."""
        detail = {"reference": reference, "version_id": version_id, "outcome": str(outcome)}
        await self.writer.submit(
            lambda t: journal_reports.record_posted(t, report_id, detail, deliveries, self._new_id)
        )

    async def record_retry(self, report_id: ReportId, *, reason: str, not_before: datetime) -> None:
        """Stay in state; count the attempt; wait as data."""
        await self.writer.submit(
            lambda t: journal_reports.record_retry(t, report_id, reason, not_before)
        )

    async def record_exit(self, report_id: ReportId, event: Event, reason: str) -> None:
        """SKIP or FAIL a report.

        Raises:
            ValueError: Another event.
        """
        if event not in {Event.SKIP, Event.FAIL}:
            raise ValueError("an exit is SKIP or FAIL")
        await self.writer.submit(lambda t: journal_reports.record_exit(t, report_id, event, reason))

    async def record_delivered(self, delivery_id: DeliveryId, *, answer: str) -> None:
        """Say that the receiver has taken a delivery."""
        await self.writer.submit(lambda t: journal_outbox.record_delivered(t, delivery_id, answer))

    async def record_delivery_retry(
        self,
        delivery_id: DeliveryId,
        *,
        reason: str,
        not_before: datetime,
        is_counted: bool = True,
    ) -> None:
        """Keep a delivery due, but not before then."""
        await self.writer.submit(
            lambda t: journal_outbox.record_retry(
                t, delivery_id, reason, not_before, is_counted=is_counted
            )
        )

    async def record_delivery_failed(self, delivery_id: DeliveryId, *, reason: str) -> None:
        """Give a delivery up."""
        await self.writer.submit(lambda t: journal_outbox.record_failed(t, delivery_id, reason))

    async def replay(self, id_: str, *, actor: str) -> tuple[str, str]:
        """Operator: back into the pipeline. Takes any of our ids; returns from, to.

        A message id replays each of its reports that can be; the first one's move is returned.
        """
        return await self.writer.submit(lambda t: journal_reports.replay(t, id_, actor))

    async def set_paused(self, *, is_paused: bool, actor: str) -> None:
        """Stop or start posting, across restarts; audited."""
        await self.writer.submit(
            lambda t: journal_flags.set_paused(t, is_paused=is_paused, actor=actor)
        )

    async def bind_target(self, target: str) -> None:
        """Remember the server that drafts are for; refuse another while work is under way."""
        await self.writer.submit(lambda t: journal_flags.bind_target(t, target))

    async def check_writable(self) -> None:
        """Write again if the last write failed; cheap when it did not."""
        if self.writer.has_failed:
            await self.writer.submit(journal_flags.probe)

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""
        return await self._reader.ask(reads.is_paused)

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

    async def pending_deliveries(
        self, *, now: datetime, limit: int, but_not: Collection[DeliveryId] = ()
    ) -> Sequence[PendingDelivery]:
        """Deliveries that are due, of each kind and target only the oldest."""
        excluded = list(but_not)
        return await self._reader.ask(
            lambda c: journal_outbox.pending_deliveries(c, now, limit, excluded)
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

    async def close(self) -> None:
        """Finish what is queued, then release the files."""
        await self._reader.close()
        if self._writer is not None:
            await self._writer.close()
