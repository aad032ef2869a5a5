"""The journal's port: what the doors and the pipeline need of durable storage.

Every write is durable (fsync) when its call returns, and carries its audit entry in the same
transaction. Reads never wait for writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from daemon.delivery import (
        DeliveryId,
        DeliveryKind,
        DeliveryTrail,
        NewDelivery,
        PendingDelivery,
    )
    from daemon.journal_batches import Fetched, Taken
    from daemon.lifecycle import Event, State
    from mappings.domain import (
        Draft,
        DraftObservation,
        MessageId,
        RawReport,
        ReportId,
        ReportKey,
        StudyReport,
    )


@dataclass(frozen=True, slots=True)
class Received:
    """The answer to ``receive``: ``is_duplicate`` when the same sender, control id and digest
    are there already (``message_id`` is then the first one's); ``is_control_id_reused`` when the
    sender used this control id before for other content.
    """

    message_id: MessageId
    is_duplicate: bool
    is_control_id_reused: bool


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report to be born at mapping. ``event`` is MAP, or SKIP with its reason."""

    study: StudyReport = field(repr=False)
    report_key: ReportKey | None
    event: Event
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A RECEIVED message that waits to be mapped; ``attempts`` as ``count_attempt`` counts."""

    message_id: MessageId
    raw: RawReport
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class PendingReport:
    """A report whose next step is due; ``retracted_for`` says why its draft is to be taken back."""

    report_id: ReportId
    message_id: MessageId
    report_key: ReportKey | None
    state: State
    attempts: int
    study: StudyReport = field(repr=False)
    observation: DraftObservation | None = field(repr=False)
    retracted_for: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of ``prelim messages``: one report, or a message that has none yet."""

    message_id: MessageId
    report_id: ReportId | None
    state: State
    reason: str | None
    received_at: datetime
    sender: str
    message_type: str
    message_control_id: str = field(repr=False)
    accession_number: str | None = field(repr=False)
    attempts: int
    not_before: datetime | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link: ``entry_hash`` = sha256(``previous_hash`` || canonical JSON of the rest)."""

    sequence: int
    at: datetime
    actor: str
    message_id: str | None
    report_id: str | None
    event: str
    from_state: str | None
    to_state: str | None
    detail: Mapping[str, str | int | None]
    previous_hash: str
    entry_hash: str


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything about one message: its bytes, its reports with their texts, its audit entries,
    and what was to be sent because of it.
    """

    row: Row
    raw: RawReport
    reports: Sequence[ReportTrail]
    entries: Sequence[AuditEntry]
    deliveries: Sequence[DeliveryTrail] = ()


@dataclass(frozen=True, slots=True)
class ReportTrail:
    """One report of a trail."""

    row: Row
    study: StudyReport
    draft: Draft | None
    observation: DraftObservation | None
    reference: str | None
    retracted_for: str | None = None


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The answer of ``verify_chain``: ``first_broken`` is the sequence of the first bad entry;
    ``reason`` one of changed | gap | state_mismatch | head_missing.
    """

    is_whole: bool
    entries: int
    head: str
    first_broken: int | None = None
    reason: str | None = None


class Journal(Protocol):
    """Durable storage of messages, reports and the audit chain."""

    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        """Store a message as RECEIVED, or find it there already."""

    async def refuse(
        self, raw: RawReport, *, peer: str, reason: str, where: str | None
    ) -> MessageId:
        """Keep the bytes of a message that the door answered with no, as REJECTED."""

    async def receive_all(self, batch: Sequence[Fetched]) -> Sequence[Taken]:
        """Store a batch of messages in one transaction, refused ones with their dead letters."""

    async def backlog(self) -> int:
        """Count the messages and reports that are not drafted yet."""

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

    async def count_attempt(self, message_id: MessageId) -> None:
        """Count that a RECEIVED message is about to be read once more."""

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

    async def replay(self, id_: str, *, actor: str) -> tuple[str, str]:
        """Operator: back into the pipeline. Takes any of our ids; returns from, to.

        Raises:
            IllegalTransitionError: Not FAILED, REJECTED or WITHHELD.
            DeliveryMovedOnError: The delivery has not failed.
            UnknownIdError: No such message, report or delivery.
        """

    async def set_paused(self, *, is_paused: bool, actor: str) -> None:
        """Stop or start posting, across restarts; audited."""

    async def check_writable(self) -> None:
        """Return when the disk takes writes.

        Raises:
            JournalUnavailableError: It does not.
        """

    async def is_paused(self) -> bool:
        """Return whether posting is stopped."""

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

    async def pending_deliveries(
        self,
        *,
        now: datetime,
        limit: int,
        but_not: Collection[DeliveryId] = (),
        kinds: Collection[DeliveryKind] | None = None,
    ) -> Sequence[PendingDelivery]:
        """Deliveries that are due: of each kind and target only the oldest, whose turn it is."""

    async def deliveries_due(self) -> Mapping[tuple[DeliveryKind, str], int]:
        """How many deliveries wait, by kind and target."""

    async def counts(self) -> Mapping[State, int]:
        """How many messages (RECEIVED, REJECTED) and reports (the rest) are in each state."""

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

    async def verify_chain(self, *, head: str | None = None) -> ChainVerdict:
        """Recompute the audit chain, and look for an earlier ``head`` in it."""

    async def close(self) -> None:
        """Finish what is queued, then release the files."""
