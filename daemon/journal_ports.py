"""The ports of the journal: what each of its users asks of durable storage, and no more.

Every write is durable (fsync) when its call returns, and carries its audit entry in the same
transaction. Reads never wait for writes. One store has them all: journal_sqlite.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from daemon.delivery import DeliveryId, DeliveryKind, NewDelivery, PendingDelivery
    from daemon.journal import (
        ChainVerdict,
        NewReport,
        PendingMessage,
        PendingReport,
        Received,
        Row,
        Trail,
    )
    from daemon.journal_batches import Fetched, Taken
    from daemon.journal_resources import ReceivedResource, ResourceIdentity
    from daemon.lifecycle import Event, State
    from mappings.domain import Draft, DraftObservation, MessageId, RawReport, ReportId


class DoorJournal(Protocol):
    """What the doors ask: to keep what has come before it is answered."""

    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        """Store a message as RECEIVED, or find it there already."""

    async def receive_resource(
        self, raw: RawReport, *, peer: str, identity: ResourceIdentity
    ) -> ReceivedResource:
        """Store a message as RECEIVED, or find it, or what its conditions name, there already."""

    async def receive_all(self, batch: Sequence[Fetched]) -> Sequence[Taken]:
        """Store a batch of messages in one transaction, refused ones with their dead letters."""

    async def refuse(
        self, raw: RawReport, *, peer: str, reason: str, where: str | None
    ) -> MessageId:
        """Keep the bytes of a message that the door answered with no, as REJECTED."""

    async def backlog(self) -> int:
        """Count the messages and reports that are not drafted yet."""


class PipelineJournal(Protocol):
    """What map, draft and post ask: what is due, and to keep what they did."""

    async def pending_messages(self, limit: int) -> Sequence[PendingMessage]:
        """RECEIVED messages, oldest first."""

    async def pending_reports(
        self, state: State, *, now: datetime, limit: int, but_not: Collection[ReportId] = ()
    ) -> Sequence[PendingReport]:
        """Reports in ``state`` whose ``not_before`` has passed, oldest first.

        A DRAFTED one whose key has one that is RETRACTING is not among them.
        """

    async def state_of(self, report_id: ReportId) -> State | None:
        """Return a report's state now; None for no report."""

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""

    async def count_attempt(self, message_id: MessageId) -> None:
        """Count that a RECEIVED message is about to be read once more."""

    async def record_mapped(
        self,
        message_id: MessageId,
        reports: Sequence[NewReport],
        *,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """Give birth to the reports of a message (1..n); older versions give way to them.

        Which version is newer stands in journal_versions.py, what becomes of the older ones in
        journal_succession.py. A report that is not the newest is born SUPERSEDED.
        ``deliveries`` are what the sender is owed for it; what waits to be sent of an older version
        is withdrawn.
        """

    async def record_rejected(
        self,
        message_id: MessageId,
        reason: str,
        where: str | None,
        *,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """RECEIVED -> REJECTED: the content cannot be read."""

    async def record_drafted(
        self, report_id: ReportId, draft: Draft, observation: DraftObservation
    ) -> None:
        """MAPPED -> DRAFTED, keeping the text and the very bytes to post."""

    async def record_withheld(self, report_id: ReportId, draft: Draft, reason: str) -> None:
        """MAPPED -> WITHHELD, keeping the text for a person with rights to see."""

    async def record_posted(
        self,
        report_id: ReportId,
        *,
        reference: str,
        version_id: str | None,
        outcome: str,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """DRAFTED -> POSTED (or a note when a newer version came meanwhile).

        ``deliveries`` are queued only with POSTED. An older version that was POSTED is SUPERSEDED.
        """

    async def record_retracted(
        self,
        report_id: ReportId,
        *,
        reference: str,
        version_id: str | None,
        outcome: str,
        deliveries: Sequence[NewDelivery] = (),
    ) -> None:
        """RETRACTING -> RETRACTED, as above; an ORU is queued only for whom one was before."""

    async def record_retry(
        self,
        report_id: ReportId,
        *,
        reason: str,
        not_before: datetime,
        was: State | None = None,
        is_counted: bool = True,
    ) -> None:
        """Stay in state (which must be ``was``); count the attempt; wait as data."""

    async def record_exit(
        self, report_id: ReportId, event: Event, reason: str, *, was: State | None = None
    ) -> None:
        """SKIP or FAIL a report (which must be ``was``); no older draft stands in its place."""


class OutboxJournal(Protocol):
    """What the deliver stage asks."""

    async def pending_deliveries(
        self,
        *,
        now: datetime,
        limit: int,
        but_not: Collection[DeliveryId] = (),
        kinds: Collection[DeliveryKind] | None = None,
    ) -> Sequence[PendingDelivery]:
        """Deliveries that are due: of each kind and target only the oldest, whose turn it is."""

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""

    async def record_delivered(self, delivery_id: DeliveryId, *, answer: str) -> None:
        """Say that the receiver has taken a delivery; ``answer`` is how, such as ``AA``.

        Raises:
            DeliveryMovedOnError: It is neither due nor withdrawn.
        """

    async def record_delivery_retry(
        self,
        delivery_id: DeliveryId,
        *,
        reason: str,
        not_before: datetime,
        is_counted: bool = True,
    ) -> None:
        """Keep a delivery due, but not before then.

        ``is_counted`` is False when the receiver was not even reached: no fault of the message.

        Raises:
            DeliveryMovedOnError: It is not due any more.
        """

    async def record_delivery_failed(self, delivery_id: DeliveryId, *, reason: str) -> None:
        """Give a delivery up.

        Raises:
            DeliveryMovedOnError: It is not due any more.
        """


class HealthJournal(Protocol):
    """What the health pages ask."""

    async def check_writable(self) -> None:
        """Return when the disk takes writes.

        Raises:
            JournalUnavailableError: It does not.
        """

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""

    async def counts(self) -> Mapping[State, int]:
        """How many messages (RECEIVED, REJECTED) and reports (the rest) are in each state."""

    async def deliveries_due(self) -> Mapping[tuple[DeliveryKind, str], int]:
        """How many deliveries wait, by kind and target."""


class OperatorJournal(Protocol):
    """What an operator asks."""

    async def rows(
        self,
        *,
        state: State | None = None,
        accession_number: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[Row]:
        """List the newest reports, and messages without one."""

    async def trail(self, id_: str) -> Trail:
        """Return everything about a message, by its id or that of one of its reports.

        Raises:
            UnknownIdError: No such message or report.
        """

    async def replay(self, id_: str, *, actor: str) -> tuple[str, str]:
        """Operator: back into the pipeline. Takes any of our ids; returns from, to.

        Raises:
            IllegalTransitionError: Not FAILED, REJECTED or WITHHELD.
            DeliveryMovedOnError: The delivery has not failed.
            UnknownIdError: No such message, report or delivery.
        """

    async def set_paused(self, *, is_paused: bool, actor: str) -> None:
        """Stop or start posting, across restarts; audited."""

    async def verify_chain(self, *, head: str | None = None) -> ChainVerdict:
        """Recompute the audit chain, and look for an earlier ``head`` in it."""

    async def close(self) -> None:
        """Finish what is queued, then release the files."""
