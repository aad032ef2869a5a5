"""The door's clerk: judge the header, store the bytes, answer the sender. In that order.

"Accepted" is said only after the journal has the message on disk. This answer judges framing and
MSH alone; a fault of content found later makes the message REJECTED. Whatever is answered with no
is kept too, as REJECTED, so that an operator can see what was sent.

Source: HL7 v2 control chapter, original and enhanced acknowledgment mode, batch protocol.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import structlog

from daemon.acknowledging import Acknowledger
from daemon.errors import JournalUnavailableError
from daemon.journal_messages import FRAME_REASON
from interfaces.mllp_contract import Answer, FrameFault
from mappings.domain import RawReport, Standard
from mappings.errors import MessageRefusedError
from mappings.hl7_batch import is_batch, split_batch
from mappings.hl7_header import (
    best_effort_is_ack,
    judge_header,
    message_digest,
    peek_head,
    peek_header,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.acknowledging import AckRules
    from daemon.application_acks import ApplicationAcks
    from daemon.clock import Clock
    from daemon.journal import Received
    from daemon.journal_ports import DoorJournal
    from daemon.metrics import Metrics
    from interfaces.mllp_contract import Later
    from mappings.hl7_batch import Batch
    from mappings.hl7_header import Header, HeaderPolicy

log = structlog.get_logger()
SEQUENCE_ERROR = 100
INLINE_BYTES_MAX = 65_536
"""A longer batch is cut on a thread, so that the answers of other senders do not wait."""


class _Sender(NamedTuple):
    """Where a message comes from. ``later`` is None when nothing can be said later."""

    door: str
    peer: str
    later: Later | None = None


class _Reply(NamedTuple):
    """What one message gets: None is silence. ``is_stored``: nothing of it would be lost now."""

    message: bytes | None
    is_stored: bool


class MllpIntake:
    """Answers the messages of one MLLP listener; any number at once."""

    def __init__(
        self,
        journal: DoorJournal,
        *,
        policy: HeaderPolicy,
        rules: AckRules,
        application_acks: ApplicationAcks,
        clock: Clock,
        metrics: Metrics,
        wake_next: Callable[[], None],
    ) -> None:
        """Take the journal, what the listener accepts and how it answers."""
        self._journal = journal
        self._policy = policy
        self._rules = rules
        self._acknowledger = Acknowledger(rules, clock)
        self._application_acks = application_acks
        self._clock = clock
        # Each child is looked up once: a lookup by labels costs as much as reading MSH.
        self._answer_seconds = lru_cache(metrics.answer_seconds.labels)
        self._messages = lru_cache(metrics.messages.labels)
        self._wake_next = wake_next
        self._log = log.bind()  # once: a lazy logger costs each line as much again

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:
        """Store the messages of a frame and return their acknowledgments."""
        started_s = self._clock.monotonic_s()
        sender = _Sender(door, peer, later)
        if is_batch(payload):
            answer = await self._answer_batch(payload, sender)
        else:
            reply = await self._answer_message(payload, sender)
            answer = Answer(_said(reply), is_stored=reply.is_stored)
        seconds = self._clock.monotonic_s() - started_s
        self._answer_seconds(door).observe(seconds)
        return answer

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        """Answer a frame that could not be taken, with MSA-2 where its head holds MSH-10."""
        error = MessageRefusedError(f"{FRAME_REASON}{fault.value}", None, "AE", SEQUENCE_ERROR)
        reply = await self._refuse(head, peek_head(head), error, _Sender(door, peer))
        # The end of an abandoned frame never came: its sender has moved on and waits for nothing.
        said = () if fault is FrameFault.ABANDONED else _said(reply)
        return Answer(said, is_stored=reply.is_stored)

    async def _answer_batch(self, payload: bytes, sender: _Sender) -> Answer:
        """Answer each message of a frame by its own merit."""
        try:
            batch = await self._split(payload)
        except MessageRefusedError as error:
            header = peek_head(payload)
            reply = await self._refuse(payload, header, error, sender)
            return Answer(_said(reply), is_stored=reply.is_stored)
        if len(batch.messages) == 1 and batch.envelope is None:
            reply = await self._answer_message(payload, sender)
            return Answer(_said(reply), is_stored=reply.is_stored)
        # Together, so that they share an fsync; the journal gets them in their order.
        replies = await asyncio.gather(
            *(self._answer_message(message, sender) for message in batch.messages)
        )
        answers = [said for reply in replies for said in _said(reply)]
        return Answer(
            self._acknowledger.join(batch.envelope, answers),
            is_stored=all(reply.is_stored for reply in replies),
        )

    async def _split(self, payload: bytes) -> Batch:
        if len(payload) <= INLINE_BYTES_MAX:
            return split_batch(payload, messages_max=self._rules.messages_max)
        return await asyncio.to_thread(split_batch, payload, messages_max=self._rules.messages_max)

    async def _answer_message(self, payload: bytes, sender: _Sender) -> _Reply:
        header: Header | None = None
        try:
            header = peek_header(payload)
            if not header.is_ack:
                judge_header(header, self._policy)
        except MessageRefusedError as error:
            return await self._refuse(payload, header, error, sender)
        if header.is_ack:
            return self._ignore(sender)
        return await self._accept(payload, header, sender)

    def _ignore(self, sender: _Sender) -> _Reply:
        """Leave an acknowledgment alone: two that answer each other's would never end.

        There is nothing in it to keep, and a no to its frame would have it sent again.
        """
        self._log.warning("mllp.acknowledgment_ignored", door=sender.door, peer=sender.peer)
        return _Reply(None, is_stored=True)

    async def _accept(self, payload: bytes, header: Header, sender: _Sender) -> _Reply:
        plan = self._acknowledger.plan(header)
        if plan.may_come_later and sender.later is not None:
            self._application_acks.remember_sender(header, sender.door, sender.later)
        try:
            raw = self._raw(payload, header, sender.door)
            received = await self._journal.receive(raw, peer=sender.peer)
        except JournalUnavailableError as error:
            self._count(sender.door, "unstored")
            self._log.error(
                "journal.message_unstored",
                door=sender.door,
                peer=sender.peer,
                reason=error.reason,
            )
            # The sender is told what is wrong with us, not where.
            trouble = JournalUnavailableError(error.reason)
            return _Reply(self._acknowledger.refuse(header, payload, trouble), is_stored=False)
        if plan.may_come_later and sender.later is not None:
            self._application_acks.remember_message(received.message_id, sender.later)
        self._tell(received, len(payload), sender)
        return _Reply(self._acknowledger.accept(header, plan), is_stored=True)

    def _tell(self, received: Received, bytes_count: int, sender: _Sender) -> None:
        message_id, door, peer = received.message_id, sender.door, sender.peer
        if received.is_duplicate:
            self._count(door, "duplicate")
            self._log.info(
                "journal.duplicate_received", message_id=message_id, door=door, peer=peer
            )
        else:
            self._count(door, "accepted")
            self._log.info(
                "journal.message_received",
                message_id=message_id,
                door=door,
                peer=peer,
                bytes=bytes_count,
            )
            self._wake_next()
        if received.is_control_id_reused:
            self._log.warning(
                "journal.control_id_reused", message_id=message_id, door=door, peer=peer
            )

    async def _refuse(
        self, payload: bytes, header: Header | None, error: MessageRefusedError, sender: _Sender
    ) -> _Reply:
        """Keep the bytes as REJECTED and answer no; a full disk does not silence the answer."""
        if header.is_ack if header else best_effort_is_ack(payload):
            return self._ignore(sender)
        self._count(sender.door, "refused")
        message_id = None
        try:
            message_id = await self._journal.refuse(
                self._raw(payload, header, sender.door),
                peer=sender.peer,
                reason=error.reason,
                where=error.where,
            )
        except JournalUnavailableError as unavailable:
            self._log.error(
                "journal.message_unstored",
                door=sender.door,
                peer=sender.peer,
                reason=unavailable.reason,
            )
        self._log.warning(
            "journal.message_refused",
            message_id=message_id,
            door=sender.door,
            peer=sender.peer,
            reason=error.reason,
            where=error.where,
            code=error.ack_code,
        )
        message = self._acknowledger.refuse(header, payload, error)
        return _Reply(message, is_stored=message_id is not None)

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

    def _count(self, door: str, result: str) -> None:
        self._messages(door, result).inc()


def _said(reply: _Reply) -> tuple[bytes, ...]:
    return () if reply.message is None else (reply.message,)
