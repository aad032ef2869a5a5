"""What is owed to others: something to send over MLLP, Kafka or HTTP, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NewType

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.domain import MessageId, ReportId

DeliveryId = NewType("DeliveryId", str)
"""Ours, random."""
DeliveryKind = Literal[
    "application_ack", "oru", "kafka_result", "kafka_dead_letter", "notification", "mirror"
]
"""Stored: never rename one."""
DeliveryState = Literal["due", "sent", "failed", "withdrawn"]
"""Stored: never rename one. Withdrawn: a newer version of the report came before it was sent."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """Something to send: ``payload`` as its carrier takes it (no framing bytes).

    ``control_id`` is the same at every try, so that a receiver can drop the second (HL7 v2:
    MSH-10). ``target`` names the receiver: what goes to one leaves in order. Only an application
    acknowledgment may have none, and goes back to whoever sent its message.
    """

    kind: DeliveryKind
    target: str
    payload: bytes = field(repr=False)
    control_id: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what no order could be kept for."""
        if not self.target and self.kind != "application_ack":
            raise ValueError("a delivery needs a target")


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """A delivery whose next try is due; its message came by ``door``."""

    delivery_id: DeliveryId
    message_id: MessageId
    report_id: ReportId | None
    kind: DeliveryKind
    target: str
    attempts: int
    payload: bytes = field(repr=False)
    control_id: str = field(repr=False)
    door: str


@dataclass(frozen=True, slots=True)
class DeliveryTrail:
    """A delivery as ``prelim show`` tells it; ``reason`` of its last failure, or its answer."""

    delivery_id: DeliveryId
    report_id: ReportId | None
    kind: DeliveryKind
    target: str
    state: DeliveryState
    attempts: int
    not_before: datetime | None
    reason: str | None
    payload: bytes = field(repr=False)
    control_id: str = field(repr=False)
