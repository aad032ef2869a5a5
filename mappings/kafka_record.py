"""A Kafka record as messages: which standard it is in, who sent it, and whether it can be taken.

Rule: whatever a producer sends is judged here and nowhere raised, so that a bad record is kept,
told of and passed, and the next one read. A record is judged by its headers and the head of its
value alone, as at an MLLP door; what is found in the content later is found at mapping.

Standard: HL7 v2 control chapter (MSH, batch protocol); FHIR R4 JSON.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from mappings import fhir_in_header
from mappings.domain import RawReport, Standard
from mappings.errors import MessageRefusedError, ResourceRefusedError
from mappings.fhir_in_header import peek_resource, resource_digest
from mappings.hl7_batch import is_batch, split_batch
from mappings.hl7_header import (
    DEFAULT_POLICY,
    HEAD_BYTES,
    best_effort_is_ack,
    judge_header,
    message_digest,
    peek_header,
)
from mappings.sites import TOPIC_DOOR

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.hl7_header import Header, HeaderPolicy

MESSAGES_MAX = 1000
"""In one record; a record with more is refused whole."""
STANDARD_NAMES = {
    **dict.fromkeys(
        (
            "hl7v2",
            "hl7-v2",
            "application/hl7-v2",
            "application/hl7-v2+er7",
            "x-application/hl7-v2+er7",
        ),
        Standard.HL7V2,
    ),
    **dict.fromkeys(("fhir", "application/fhir+json"), Standard.FHIR),
}
"""What the header of a topic with ``by-header`` may say, parameters and case apart."""


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """One record of a topic. ``is_readable`` is False for one that the client could not decode:
    then it has no key, value or headers.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = field(default=None, repr=False)
    value: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(default=(), repr=False)
    is_readable: bool = True

    @property
    def place(self) -> str:
        """Where it stands, such as ``kafka:reports/0/17``."""
        return f"{TOPIC_DOOR}{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class TopicRules:
    """What a topic holds. ``header`` names the standard where it is ``by-header``."""

    standard: Literal["hl7v2", "fhir", "by-header"] = "hl7v2"
    header: str = "content-type"
    record_bytes_max: int = 16 * 1024 * 1024
    policy: HeaderPolicy = DEFAULT_POLICY


class Fault(NamedTuple):
    """Why a message is refused: a stable reason, and where."""

    reason: str
    where: str | None = None


class ReadMessage(NamedTuple):
    """One message of a record, and why it is refused, if it is."""

    raw: RawReport
    fault: Fault | None = None


class ReadRecord(NamedTuple):
    """What a record holds: messages, or nothing to keep and why (tombstone, acknowledgment)."""

    messages: tuple[ReadMessage, ...]
    skipped: Literal["tombstone", "acknowledgment"] | None = None


def door_of(topic: str) -> str:
    """Return the name of a topic as a door."""
    return f"{TOPIC_DOOR}{topic}"


def read_record(record: KafkaRecord, rules: TopicRules, now: datetime) -> ReadRecord:
    """Judge a record.

    Args:
        record: As fetched.
        rules: Of its topic.
        now: When it came.

    Returns:
        Its messages, each with the reason if it is refused. Of a record that is too large only the
        head is kept, of one that cannot be decoded nothing: neither is ever read as a report.
    """
    if not record.is_readable:
        return _refuse(record, b"", Fault("frame_undecodable"), now)
    if record.value is None:
        return ReadRecord((), "tombstone")
    if len(record.value) > rules.record_bytes_max:
        return _refuse(record, record.value[:HEAD_BYTES], Fault("frame_too_large"), now)
    standard = _find_standard(record, rules)
    if isinstance(standard, Fault):
        return _refuse(record, record.value, standard, now)
    if standard is Standard.FHIR:
        return ReadRecord((_read_fhir(record, record.value, now),))
    return _read_hl7(record, record.value, rules.policy, now)


def _refuse(record: KafkaRecord, payload: bytes, fault: Fault, now: datetime) -> ReadRecord:
    # The place makes the digest: two heads or two losses are never one and the same.
    digest = hashlib.sha256(record.place.encode() + b"\0" + payload).hexdigest()
    raw = _raw(record, Standard.HL7V2, payload, now, digest=digest)
    return ReadRecord((ReadMessage(raw, fault),))


def _find_standard(record: KafkaRecord, rules: TopicRules) -> Standard | Fault:
    if rules.standard != "by-header":
        return Standard(rules.standard)
    values = [value for name, value in record.headers if name.casefold() == rules.header.casefold()]
    if not values or values[-1] is None:
        return Fault("standard_missing", "header")
    said = values[-1].decode("latin-1").partition(";")[0].strip().casefold()
    return STANDARD_NAMES.get(said) or Fault("standard_unknown", "header")


def _read_hl7(record: KafkaRecord, value: bytes, policy: HeaderPolicy, now: datetime) -> ReadRecord:
    parts: tuple[bytes, ...] = (value,)
    if is_batch(value):
        try:
            parts = tuple(split_batch(value, messages_max=MESSAGES_MAX).messages)
        except MessageRefusedError as error:
            return _refuse(record, value, Fault(error.reason, error.where), now)
    read = [
        _read_message(record, part, policy, now, number if len(parts) > 1 else 0)
        for number, part in enumerate(parts, 1)
    ]
    kept = tuple(message for message in read if message is not None)
    return ReadRecord(kept, None if kept else "acknowledgment")


def _read_message(
    record: KafkaRecord, payload: bytes, policy: HeaderPolicy, now: datetime, number: int
) -> ReadMessage | None:
    """Read one HL7 message; None for an acknowledgment: nobody here waits for one."""
    header: Header | None = None
    fault: Fault | None = None
    try:
        header = peek_header(payload)
        if header.is_ack:
            return None
        judge_header(header, policy)
    except MessageRefusedError as error:
        fault = Fault(error.reason, error.where)
    if header is None:
        if best_effort_is_ack(payload):
            return None
        return ReadMessage(_raw(record, Standard.HL7V2, payload, now, number=number), fault)
    raw = _raw(
        record,
        Standard.HL7V2,
        payload,
        now,
        number=number,
        sender=f"{header.sending_application or ''}|{header.sending_facility or ''}",
        control_id=header.control_id,
        kind=header.message_type,
        digest=message_digest(payload, header),
    )
    return ReadMessage(raw, fault)


def _read_fhir(record: KafkaRecord, value: bytes, now: datetime) -> ReadMessage:
    try:
        header = peek_resource(value)
    except ResourceRefusedError as error:
        raw = _raw(record, Standard.FHIR, value, now)
        return ReadMessage(raw, Fault(error.reason, error.where))
    fault: Fault | None = None
    try:
        fhir_in_header.judge_header(header)
    except ResourceRefusedError as error:
        fault = Fault(error.reason, error.where)
    raw = _raw(
        record,
        Standard.FHIR,
        value,
        now,
        sender=header.sender,
        control_id=header.control_id,
        kind=header.message_type,
        digest=resource_digest(header.resource),
    )
    return ReadMessage(raw, fault)


def _raw(  # noqa: PLR0913 - the fields of one type, most of them left empty
    record: KafkaRecord,
    standard: Standard,
    payload: bytes,
    now: datetime,
    *,
    number: int = 0,
    sender: str = "",
    control_id: str = "",
    kind: str = "",
    digest: str = "",
) -> RawReport:
    return RawReport(
        standard=standard,
        door=door_of(record.topic),
        sender=sender,
        message_control_id=control_id,
        message_type=kind,
        received_at=now,
        digest=digest or hashlib.sha256(payload).hexdigest(),
        payload=payload,
        origin=f"{record.place}#{number}" if number else record.place,
    )
