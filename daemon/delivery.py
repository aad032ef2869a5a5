"""What is owed to others over MLLP: a message to send, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NewType

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.domain import MessageId, ReportId

DeliveryId = NewType("DeliveryId", str)
"""Ours, random."""
DeliveryKind = Literal["application_ack", "oru"]
"""Stored: never rename one."""
DeliveryState = Literal["due", "sent", "failed", "withdrawn"]
"""Stored: never rename one. Withdrawn: a newer version of the report came before it was sent."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A message to send: ``payload`` without framing bytes, ``control_id`` its MSH-10.

    ``target`` names an entry of ``mllp.send``; for an application acknowledgment it may be empty.
    """

    kind: DeliveryKind
    target: str
    payload: bytes = field(repr=False)
    control_id: str = field(repr=False)


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
