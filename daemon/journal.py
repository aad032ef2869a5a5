"""What the journal takes and gives. What is asked of it stands in journal_ports.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from daemon.delivery import DeliveryTrail
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
