"""The door's clerk: judge the header, store the bytes, answer the sender. In that order.

"Accepted" is said only after the journal has the message on disk. This answer judges framing and
MSH alone; a fault of content found later makes the message REJECTED. Whatever is answered with no
is kept too, as REJECTED, so that an operator can see what was sent.

Source: HL7 v2 control chapter, original acknowledgment mode (AA, AE, AR).
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import structlog

from daemon.errors import JournalUnavailableError
from daemon.journal_messages import FRAME_REASON
from interfaces.mllp_contract import Answer, FrameFault
from mappings.domain import RawReport, Standard
from mappings.errors import MessageRefusedError
from mappings.hl7_ack import render_ack
from mappings.hl7_header import best_effort_control_id, judge_header, message_digest, peek_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.clock import Clock
    from daemon.journal import Journal
    from daemon.metrics import Metrics
    from interfaces.mllp_contract import Later
    from mappings.hl7_ack import AckCode
    from mappings.hl7_header import Header, HeaderPolicy

log = structlog.get_logger()
INTERNAL_ERROR = 207
SEQUENCE_ERROR = 100


class MllpIntake:
    """Answers the messages of one MLLP listener; any number at once."""

    def __init__(
        self,
        journal: Journal,
        *,
        policy: HeaderPolicy,
        clock: Clock,
        metrics: Metrics,
        wake_next: Callable[[], None],
    ) -> None:
        """Take the journal and what the listener accepts."""
        self._journal = journal
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._wake_next = wake_next

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:  # noqa: ARG002 - the contract's: no answer of original mode comes later
        """Store a message and return its acknowledgment; silence for an acknowledgment."""
        started_s = self._clock.monotonic_s()
        header: Header | None = None
        try:
            header = peek_header(payload)
            if header.is_ack:
                log.warning("mllp.acknowledgment_ignored", door=door, peer=peer)
                return Answer()
            judge_header(header, self._policy)
        except MessageRefusedError as error:
            return await self._refuse(payload, header, error, door=door, peer=peer)
        answer = await self._accept(payload, header, door=door, peer=peer)
        seconds = self._clock.monotonic_s() - started_s
        self._metrics.answer_seconds.labels(door=door).observe(seconds)
        return answer

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        """Answer a frame that could not be taken, with MSA-2 where its head holds MSH-10."""
        self._metrics.frames_bad.labels(door=door, fault=fault.value).inc()
        error = MessageRefusedError(f"{FRAME_REASON}{fault.value}", None, "AE", SEQUENCE_ERROR)
        answer = await self._refuse(head, None, error, door=door, peer=peer)
        # The end of an abandoned frame never came: its sender has moved on and waits for nothing.
        return Answer() if fault is FrameFault.ABANDONED else answer

    async def _accept(self, payload: bytes, header: Header, *, door: str, peer: str) -> Answer:
        raw = self._raw(payload, header, door)
        try:
            received = await self._journal.receive(raw, peer=peer)
        except JournalUnavailableError as error:
            self._count(door, "unstored")
            log.error("journal.message_unstored", door=door, peer=peer, reason=error.reason)
            refusal = MessageRefusedError(error.reason, None, "AR", INTERNAL_ERROR)
            return Answer((self._render(header, "AR", header.control_id_bytes, refusal),))
        message_id = received.message_id
        if received.is_duplicate:
            self._count(door, "duplicate")
            log.info("journal.duplicate_received", message_id=message_id, door=door, peer=peer)
        else:
            self._count(door, "accepted")
            log.info(
                "journal.message_received",
                message_id=message_id,
                door=door,
                peer=peer,
                bytes=len(payload),
            )
            self._wake_next()
        if received.is_control_id_reused:
            log.warning("journal.control_id_reused", message_id=message_id, door=door, peer=peer)
        answer = self._render(header, "AA", header.control_id_bytes, None)
        return Answer((answer,), is_stored=True)

    async def _refuse(
        self,
        payload: bytes,
        header: Header | None,
        error: MessageRefusedError,
        *,
        door: str,
        peer: str,
    ) -> Answer:
        """Keep the bytes as REJECTED and answer no; a full disk does not silence the answer."""
        self._count(door, "refused")
        message_id = None
        try:
            message_id = await self._journal.refuse(
                self._raw(payload, header, door), peer=peer, reason=error.reason, where=error.where
            )
        except JournalUnavailableError as unavailable:
            log.error("journal.message_unstored", door=door, peer=peer, reason=unavailable.reason)
        log.warning(
            "journal.message_refused",
            message_id=message_id,
            door=door,
            peer=peer,
            reason=error.reason,
            where=error.where,
            code=error.ack_code,
        )
        control_id = header.control_id_bytes if header else best_effort_control_id(payload)
        answer = self._render(header, error.ack_code, control_id, error)
        return Answer((answer,), is_stored=message_id is not None)

    def _raw(self, payload: bytes, header: Header | None, door: str) -> RawReport:
        sender, control_id, kind, digest = "", "", "", ""
        if header is not None:
            sender = f"{header.sending_application or ''}|{header.sending_facility or ''}"
            control_id, kind = header.control_id, header.message_type
            digest = message_digest(payload, header)
        return RawReport(
            standard=Standard.HL7V2,
            door=door,
            sender=sender,
            message_control_id=control_id,
            message_type=kind,
            received_at=self._clock.now(),
            digest=digest or hashlib.sha256(payload).hexdigest(),
            payload=payload,
        )

    def _render(
        self,
        header: Header | None,
        code: AckCode,
        control_id: bytes,
        error: MessageRefusedError | None,
    ) -> bytes:
        return render_ack(
            header,
            code=code,
            control_id=control_id,
            ack_control_id=secrets.token_hex(10),
            now=self._clock.now(),
            error=error,
        )

    def _count(self, door: str, result: str) -> None:
        self._metrics.messages.labels(door=door, result=result).inc()
