"""The FHIR door's clerk: judge the resource, store the bytes, answer. The sibling of intake.py.

A yes is said only after the journal has the body on disk. What is refused is kept too, as REJECTED,
so that an operator can see what was sent; the sender hears a reason and a path, and no word of its
own.

Source: FHIR RESTful API (create, conditional create, update, transaction), Messaging.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from daemon.errors import JournalUnavailableError
from daemon.journal_resources import identify
from interfaces.errors import RequestRefusedError
from interfaces.fhir_door import FhirReceipt
from mappings.domain import RawReport, Standard
from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import (
    REPORT,
    FhirHeader,
    judge_header,
    peek_resource,
    read_condition,
    resource_digest,
)
from mappings.fhir_json import Node, kind_of, part, parts, word
from mappings.fhir_judge import judge_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.clock import Clock
    from daemon.journal_ports import DoorJournal
    from daemon.journal_resources import ReceivedResource
    from daemon.metrics import Metrics
    from interfaces.fhir_door import FhirArrival
    from mappings.fhir_in_header import Condition

log = structlog.get_logger()
DOOR = "http"
"""The name by which a site may ask for what comes over HTTP, as for a listener."""
INLINE_BYTES_MAX = 16_384
"""A longer body is judged on a thread: 16 KiB take 2 ms."""
_EVENTS = ("eventCoding", "eventUri", "eventCanonical")


@dataclass(frozen=True, slots=True)
class _Judged:
    header: FhirHeader
    digest: str
    conditions: Sequence[Condition]


class FhirDoorIntake:
    """Takes the bodies of the FHIR door; any number at once."""

    def __init__(
        self,
        journal: DoorJournal,
        *,
        clock: Clock,
        metrics: Metrics,
        wake_next: Callable[[], None],
        is_open: Callable[[], bool],
    ) -> None:
        """Take the journal.

        ``wake_next`` tells the pipeline of a new message; ``is_open`` is False while the daemon
        starts and drains: then nothing is taken.
        """
        self._journal = journal
        self._clock = clock
        self._metrics = metrics
        self._wake_next = wake_next
        self._is_open = is_open
        self._answering = 0

    @property
    def is_answering(self) -> bool:
        """Whether a sender waits for its answer now."""
        return self._answering > 0

    async def take(self, arrival: FhirArrival) -> FhirReceipt:
        """Judge and store a body.

        Raises:
            ResourceRefusedError: It is none of ours; its bytes are kept as REJECTED.
            RequestRefusedError: 503, the journal could not take it.
        """
        if not self._is_open():
            raise RequestRefusedError(503, "transient", "not_taking")
        started_s = self._clock.monotonic_s()
        self._answering += 1
        try:
            return await self._take(arrival)
        finally:
            self._answering -= 1
            seconds = self._clock.monotonic_s() - started_s
            self._metrics.answer_seconds.labels(door=DOOR).observe(seconds)

    async def _take(self, arrival: FhirArrival) -> FhirReceipt:
        try:
            if len(arrival.body) > INLINE_BYTES_MAX:
                judged = await asyncio.to_thread(_judge, arrival)
            else:
                judged = _judge(arrival)
        except ResourceRefusedError as error:
            await self._keep_refused(arrival, error)
            raise
        header = judged.header
        identity = identify(header.identifiers, judged.conditions)
        try:
            found = await self._journal.receive_resource(
                self._raw(arrival, judged), peer=arrival.peer, identity=identity
            )
        except JournalUnavailableError as error:
            self._count("unstored")
            self._tell_unstored(arrival, error)
            raise RequestRefusedError(503, "transient", error.reason) from None
        self._tell(found, arrival)
        return _receipt(found, header)

    async def _keep_refused(self, arrival: FhirArrival, error: ResourceRefusedError) -> None:
        """Keep the bytes as REJECTED; a full disk does not silence the answer."""
        self._count("refused")
        message_id = None
        try:
            message_id = await self._journal.refuse(
                self._raw(arrival, None), peer=arrival.peer, reason=error.reason, where=error.where
            )
        except JournalUnavailableError as unavailable:
            self._tell_unstored(arrival, unavailable)
        log.warning(
            "journal.message_refused",
            message_id=message_id,
            door=DOOR,
            peer=arrival.peer,
            reason=error.reason,
            where=error.where,
            code=str(error.status),
        )

    def _tell_unstored(self, arrival: FhirArrival, error: JournalUnavailableError) -> None:
        log.error("journal.message_unstored", door=DOOR, peer=arrival.peer, reason=error.reason)

    def _tell(self, found: ReceivedResource, arrival: FhirArrival) -> None:
        received = found.received
        message_id, peer = received.message_id, arrival.peer
        if received.is_duplicate:
            self._count("duplicate")
            log.info("journal.duplicate_received", message_id=message_id, door=DOOR, peer=peer)
            return
        self._count("accepted")
        log.info(
            "journal.message_received",
            message_id=message_id,
            door=DOOR,
            peer=peer,
            bytes=len(arrival.body),
        )
        if received.is_control_id_reused:
            log.warning("journal.control_id_reused", message_id=message_id, door=DOOR, peer=peer)
        self._wake_next()

    def _raw(self, arrival: FhirArrival, judged: _Judged | None) -> RawReport:
        header = judged.header if judged else None
        return RawReport(
            standard=Standard.FHIR,
            door=DOOR,
            sender=header.sender if header else "",
            message_control_id=header.control_id if header else "",
            message_type=header.message_type if header else "",
            received_at=self._clock.now(),
            digest=judged.digest if judged else hashlib.sha256(arrival.body).hexdigest(),
            payload=arrival.body,
        )

    def _count(self, result: str) -> None:
        self._metrics.messages.labels(door=DOOR, result=result).inc()


def _judge(arrival: FhirArrival) -> _Judged:
    header = peek_resource(arrival.body, arrival.release)
    kind = kind_of(header.resource)
    if kind != (REPORT if arrival.wanted == REPORT else "Bundle"):
        raise ResourceRefusedError(400, "invalid", "type_differs_from_url", "resourceType")
    if arrival.wanted == "message" and header.bundle_type != "message":
        raise ResourceRefusedError(422, "not-supported", "bundle_type_not_supported", "Bundle.type")
    if arrival.id and word(header.resource, "id") != arrival.id:
        raise ResourceRefusedError(400, "invalid", "id_differs_from_url", f"{REPORT}.id")
    judge_header(header)
    judge_resource(header)
    return _Judged(header, resource_digest(header.resource), _conditions(arrival, header))


def _conditions(arrival: FhirArrival, header: FhirHeader) -> Sequence[Condition]:
    """Return If-None-Exist of the request, or of every report of a Bundle when each has one."""
    if arrival.condition:
        return [arrival.condition]
    requests = [
        part(entry, "request")
        for entry in parts(header.resource, "entry")
        if kind_of(part(entry, "resource")) == REPORT
    ]
    where = "Bundle.entry.request.ifNoneExist"
    wanted = [
        read_condition(word(each, "ifNoneExist"), where)
        for each in requests
        if "ifNoneExist" in each
    ]
    return wanted if len(wanted) == len(requests) else []


def _receipt(found: ReceivedResource, header: FhirHeader) -> FhirReceipt:
    resources = [part(entry, "resource") for entry in parts(header.resource, "entry")]
    message: Node = next((one for one in resources if kind_of(one) == "MessageHeader"), {})
    event = {name: message[name] for name in _EVENTS if name in message}
    return FhirReceipt(
        message_id=found.received.message_id,
        is_known=found.received.is_duplicate,
        is_condition_met=found.is_condition_met,
        bundle_type=header.bundle_type,
        entries=tuple(map(kind_of, resources)),
        release=header.release,
        message_header=(word(message, "id"), event),
    )
