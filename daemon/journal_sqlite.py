"""The journal in one SQLite file: the ports of journal_ports.py, embedded, with no server.

Writes go to the one writer (journal_writer.py, in a daemon journal_remote.py); questions stand in
journal_questions.py. What a write does stands in the modules imported below; this file only joins
them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from daemon import (
    journal_batches,
    journal_flags,
    journal_messages,
    journal_outbox,
    journal_reports,
    journal_resources,
)
from daemon.errors import JournalUnavailableError
from daemon.journal_commit import GroupCommit, ids_in_time
from daemon.journal_questions import JournalQuestions
from daemon.journal_reads import JournalReader
from daemon.journal_schema import check_file, connect_writer, prepare_file
from daemon.journal_writer import ANCHOR_EVERY, ThreadWriter
from daemon.lifecycle import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from daemon.clock import Clock
    from daemon.delivery import DeliveryId, NewDelivery
    from daemon.journal import NewReport, Received
    from daemon.journal_batches import Fetched, Taken
    from daemon.journal_resources import ReceivedResource, ResourceIdentity
    from daemon.journal_writer import JournalWriter
    from daemon.lifecycle import State
    from mappings.domain import Draft, DraftObservation, MessageId, RawReport, ReportId


PROBE_S = 5.0


def open_journal(
    path: Path,
    *,
    clock: Clock,
    on_head: Callable[[int, str], None] | None = None,
    read_only: bool = False,
    new_id: Callable[[], str] | None = None,
    anchor_every: int = ANCHOR_EVERY,
    is_left_on_final: bool = True,
) -> SqliteJournal:
    """Open the journal, making it when it is not there.

    Args:
        path: The file; a missing folder is made with mode 0700.
        clock: The time of the audit entries.
        on_head: Told the chain's head every ``anchor_every`` entries and at close.
        read_only: Open what is there and never write: every write is refused.
        new_id: Gives each message and report its id, never the same twice; None for
            ``ids_in_time``.
        anchor_every: Entries between two calls of ``on_head``.
        is_left_on_final: Whether a posted draft is left to stand when a person has spoken; else
            it is taken back.

    Raises:
        ConfigurationError: The file cannot be used; ``where`` is ``journal.url``.
    """
    if read_only:
        check_file(path)
        return SqliteJournal(JournalReader(path), None)
    prepare_file(path)
    commits = GroupCommit(connect_writer(path), clock, new_id or ids_in_time(clock))
    writer = ThreadWriter(commits, on_head, anchor_every=anchor_every)
    return SqliteJournal(JournalReader(path), writer, is_left_on_final=is_left_on_final)


class SqliteJournal(JournalQuestions):
    """See ``daemon.journal_ports`` for what each method promises."""

    def __init__(
        self,
        reader: JournalReader,
        writer: JournalWriter | None,
        *,
        is_left_on_final: bool = True,
    ) -> None:
        super().__init__(reader)
        self._writer = writer
        self._is_left = is_left_on_final

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
        arrival = journal_messages.Arrival(raw, peer)
        return await self.writer.submit_with_others(journal_messages.receive_together, arrival)

    async def refuse(
        self, raw: RawReport, *, peer: str, reason: str, where: str | None
    ) -> MessageId:
        """Keep the bytes of a message that the door answered with no, as REJECTED."""
        return await self.writer.submit(journal_messages.refuse, raw, peer, reason, where)

    async def receive_all(self, batch: Sequence[Fetched]) -> Sequence[Taken]:
        """Store a batch of messages in one transaction, refused ones with their dead letters."""
        return await self.writer.submit(journal_batches.receive_all, batch)

    async def receive_resource(
        self, raw: RawReport, *, peer: str, identity: ResourceIdentity
    ) -> ReceivedResource:
        """Store a message as RECEIVED, or find it, or what its conditions name, there already."""
        return await self.writer.submit(journal_resources.receive_resource, raw, peer, identity)

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
            journal_reports.record_mapped, message_id, reports, deliveries, is_left=self._is_left
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
            journal_messages.record_rejected, message_id, (reason, where), deliveries
        )

    async def count_attempt(self, message_id: MessageId) -> None:
        """Count that a RECEIVED message is about to be read once more."""
        await self.writer.submit(journal_messages.count_attempt, message_id)

    async def record_drafted(
        self, report_id: ReportId, draft: Draft, observation: DraftObservation
    ) -> None:
        """MAPPED -> DRAFTED, keeping the text and the very bytes to post."""
        await self.writer.submit(journal_reports.record_drafted, report_id, draft, observation)

    async def record_withheld(self, report_id: ReportId, draft: Draft, reason: str) -> None:
        """MAPPED -> WITHHELD, keeping the text for a person with rights to see."""
        await self.writer.submit(journal_reports.record_withheld, report_id, draft, reason)

    async def record_posted(
        self,
        report_id: ReportId,
        *,
        reference: str,
        version_id: str | None,
        outcome: str,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """DRAFTED -> POSTED (or a note when a newer version came meanwhile)."""
        detail = {"reference": reference, "version_id": version_id, "outcome": str(outcome)}
        await self.writer.submit(journal_reports.record_posted, report_id, detail, deliveries)

    async def record_retracted(
        self,
        report_id: ReportId,
        *,
        reference: str,
        version_id: str | None,
        outcome: str,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """RETRACTING -> RETRACTED (or a note when it moved on meanwhile)."""
        detail = {"reference": reference, "version_id": version_id, "outcome": str(outcome)}
        await self.writer.submit(journal_reports.record_retracted, report_id, detail, deliveries)

    async def record_retry(
        self,
        report_id: ReportId,
        *,
        reason: str,
        not_before: datetime,
        was: State | None = None,
        is_counted: bool = True,
    ) -> None:
        """Stay in state; count the attempt; wait as data."""
        await self.writer.submit(
            journal_reports.record_retry,
            report_id,
            reason,
            not_before,
            was=was,
            is_counted=is_counted,
        )

    async def record_exit(
        self, report_id: ReportId, event: Event, reason: str, *, was: State | None = None
    ) -> None:
        """SKIP or FAIL a report.

        Raises:
            ValueError: Another event.
        """
        if event not in {Event.SKIP, Event.FAIL}:
            raise ValueError("an exit is SKIP or FAIL")
        await self.writer.submit(journal_reports.record_exit, report_id, event, reason, was=was)

    async def record_delivered(self, delivery_id: DeliveryId, *, answer: str) -> None:
        """Say that the receiver has taken a delivery."""
        await self.writer.submit(journal_outbox.record_delivered, delivery_id, answer)

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
            journal_outbox.record_retry, delivery_id, reason, not_before, is_counted=is_counted
        )

    async def record_delivery_failed(self, delivery_id: DeliveryId, *, reason: str) -> None:
        """Give a delivery up."""
        await self.writer.submit(journal_outbox.record_failed, delivery_id, reason)

    async def replay(self, id_: str, *, actor: str) -> tuple[str, str]:
        """Operator: back into the pipeline. Takes any of our ids; returns from, to.

        A message id replays each of its reports that can be; the first one's move is returned.
        """
        return await self.writer.submit(journal_reports.replay, id_, actor)

    async def set_paused(self, *, is_paused: bool, actor: str) -> None:
        """Stop or start posting, across restarts; audited."""
        await self.writer.submit(journal_flags.set_paused, is_paused=is_paused, actor=actor)

    async def bind_target(self, target: str) -> None:
        """Remember the server that drafts are for; refuse another while work is under way."""
        await self.writer.submit(journal_flags.bind_target, target)

    async def check_writable(self) -> None:
        """Write again if the last write failed; cheap when it did not."""
        silent = JournalUnavailableError("journal_writer_silent")
        if self.writer.is_silent:
            raise silent
        if self.writer.has_failed:
            try:
                async with asyncio.timeout(PROBE_S):
                    await self.writer.submit(journal_flags.probe)
            except TimeoutError:
                raise silent from None

    async def close(self, deadline_s: float | None = None) -> None:
        """Finish what is queued, then release the files; see ``JournalWriter.close``."""
        await self._reader.close()
        if self._writer is not None:
            await self._writer.close(deadline_s)
