"""An honest MLLP client: one message after another, each with its own answer.

An answer belongs to a message when MSA-2 is its MSH-10 byte for byte; any other is dropped and
counted. When no answer comes in time the connection is closed, because a late answer on a reused
connection is taken for that of the next message. A commit byte of release 2 is no answer, but its
no (0x15) ends the wait.

Standard: Minimal Lower Layer Protocol, Release 1; HL7 v2 control chapter, MSA.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from interfaces.errors import CertificateError, SendRetryError, UnframeableError
from interfaces.mllp_codec import (
    HEAD_BYTES,
    FrameDecoder,
    FrameEvent,
    FrameReceived,
    encode_frame,
)
from mappings.errors import MessageRefusedError, UnreadableContentError
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import best_effort_control_id, peek_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from interfaces.client_tls import ClientTls
    from mappings.hl7_ack import AckCode

Awaited: TypeAlias = Literal["first", "application", "none"]
"""The answer that is waited for: the first (AA..AR or CA..CR); the application's, past a CA; or
none, for messages that nobody answers."""

_ANSWER_BYTES_MAX = 1024 * 1024
_READ_BYTES = 65536
_POSITIVE = ("AA", "CA")
_ACCEPTED_ONLY = "CA"
_COMMITTED, _NOT_COMMITTED = b"\x06", b"\x15"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to one message. ``seconds`` from the start of sending to the whole answer.

    ``is_match`` is False only for a no with an empty MSA-2: the peer could not read MSH-10.
    """

    code: AckCode
    control_id: bytes = field(repr=False)
    is_match: bool
    raw: bytes = field(repr=False)
    seconds: float

    @property
    def is_accepted(self) -> bool:
        """Whether the peer has taken the message (AA or CA)."""
        return self.code in _POSITIVE


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of message ``index``: a ``code``, or else an ``error_reason``.

    It has neither when no answer was waited for.
    """

    index: int
    code: AckCode | None
    control_id: bytes = field(repr=False)
    seconds: float
    error_reason: str | None

    @property
    def is_accepted(self) -> bool:
        """Whether the peer has taken the message, as far as was asked."""
        return self.code in _POSITIVE or (self.code is None and self.error_reason is None)


class MllpClient:
    """One connection to one peer, opened when first needed and again after it was lost.

    Args:
        host: Name or address.
        port: TCP port.
        timeout_s: For connecting, and again for sending with its answer.
        tls: Makes it MLLP over TLS.
    """

    def __init__(
        self, host: str, port: int, *, timeout_s: float, tls: ClientTls | None = None
    ) -> None:
        self.discarded_count = 0
        """Frames that were no answer to the message on its way."""
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._tls = tls
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._decoder = FrameDecoder(_ANSWER_BYTES_MAX)
        self._has_told = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands, as far as we know."""
        return self._streams is not None

    def close(self) -> None:
        """Drop the connection; the next ``send`` opens a new one."""
        if self._streams is not None:
            # Not close(): a peer that does not read would keep it open.
            self._streams[1].transport.abort()
            self._streams = None

    async def send(
        self, payload: bytes, awaited: Literal["first", "application"] = "first"
    ) -> Acknowledgement:
        """Send one message and wait for its answer, whether yes or no.

        Args:
            payload: The message, without framing bytes.
            awaited: Which answer; of a no, the first is the last.

        Returns:
            The peer's answer to this very message.

        Raises:
            SendRetryError: No answer came. The peer may or may not hold the message.
            UnframeableError: The payload holds bytes of MLLP; nothing was sent.
        """
        answer = await self._talk(payload, awaited)
        assert answer is not None, "an answer was waited for"
        return answer

    async def tell(self, payload: bytes) -> None:
        """Send one message that nobody answers, such as an application acknowledgment.

        A peer that answers all the same is not heard on another message: from now on this
        connection's answers must name theirs.

        Raises:
            SendRetryError: It was not handed to the network.
            UnframeableError: The payload holds bytes of MLLP; nothing was sent.
        """
        await self._talk(payload, "none")

    async def _talk(self, payload: bytes, awaited: Awaited) -> Acknowledgement | None:
        frame = encode_frame(payload)
        async with self._turn:
            reader, writer = await self._connect()
            self._has_told = self._has_told or awaited == "none"
            question = _Question(sent_control_id(payload), awaited, is_alone=not self._has_told)
            is_clean = False
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._exchange(reader, writer, frame, question)
                # One that names no message: start afresh, that none is mistaken.
                is_clean = answer is None or answer.is_match
            except TimeoutError:
                raise SendRetryError("ack_timeout", None) from None
            except ssl.SSLError as error:  # a server's no to our certificate comes this late
                raise _tls_failure(error) from None
            except OSError:
                raise SendRetryError("connection_lost", None) from None
            finally:
                if not is_clean:
                    self.close()
            return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, writer = self._streams
            if not reader.at_eof() and reader.exception() is None and not writer.is_closing():
                return self._streams
            self.close()
        name = None if self._tls is None else self._tls.server_name or self._host
        try:
            context = None if self._tls is None else self._tls.make_context()
            async with asyncio.timeout(self._timeout_s):
                self._streams = await asyncio.open_connection(
                    self._host, self._port, ssl=context, server_hostname=name
                )
        except CertificateError as error:
            raise SendRetryError(error.reason, error.where) from None
        except ssl.SSLError as error:
            raise _tls_failure(error) from None
        except (OSError, UnicodeError):  # TimeoutError is one; a name that DNS cannot hold
            raise SendRetryError("connect_failed", None) from None
        _prepare(self._streams[1])
        self._has_told = False
        self._decoder = FrameDecoder(_ANSWER_BYTES_MAX)
        return self._streams

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frame: bytes,
        question: _Question,
    ) -> Acknowledgement | None:
        started_s = asyncio.get_running_loop().time()
        writer.write(frame)
        await writer.drain()
        while question.awaited != "none":
            data = await reader.read(_READ_BYTES)
            events = self._decoder.receive(data) if data else self._decoder.finish()
            seconds = asyncio.get_running_loop().time() - started_s
            if answer := self._find_answer(events, question, seconds):
                return answer
            if not data:
                raise ConnectionResetError
        return None

    def _find_answer(
        self, events: list[FrameEvent], question: _Question, seconds: float
    ) -> Acknowledgement | None:
        found = None
        for event in events:
            answer = _read_answer(event, question, seconds) if found is None else None
            if answer is not None:
                found = answer
            elif event != FrameReceived(_COMMITTED):
                self.discarded_count += 1
        return found


@dataclass(frozen=True, slots=True)
class _Question:
    """What an answer must fit. ``is_alone``: no other message of the connection is unanswered."""

    control_id: bytes = field(repr=False)
    awaited: Awaited
    is_alone: bool


def _prepare(writer: asyncio.StreamWriter) -> None:
    """Let ``drain`` wait for the network, and let a peer that vanished be noticed."""
    writer.transport.set_write_buffer_limits(high=0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _tls_failure(error: ssl.SSLError) -> SendRetryError:
    """Return the failure with OpenSSL's word for it, such as ``certificate_verify_failed``."""
    return SendRetryError("tls_failed", (error.reason or "unknown").lower())


def sent_control_id(payload: bytes) -> bytes:
    """Return MSH-10 of a message as its receiver will see it; empty when there is none."""
    try:
        return peek_header(payload).control_id_bytes
    except MessageRefusedError:
        return best_effort_control_id(payload[:HEAD_BYTES])


def _read_answer(event: FrameEvent, question: _Question, seconds: float) -> Acknowledgement | None:
    """Return the answer if it is the one that is waited for.

    A no with an empty MSA-2 is one too where only one message is on its way: the peer could not
    read its MSH-10. A yes without MSA-2 says nothing about which message was taken.
    """
    if not isinstance(event, FrameReceived):
        return None
    if event.payload == _NOT_COMMITTED:
        raise SendRetryError("not_committed", None)
    try:
        ack = parse_ack(event.payload)
    except UnreadableContentError:
        return None
    is_match = ack.control_id == question.control_id
    if not is_match and (ack.control_id or ack.code in _POSITIVE or not question.is_alone):
        return None
    if question.awaited == "application" and ack.code == _ACCEPTED_ONLY:
        return None
    return Acknowledgement(ack.code, ack.control_id, is_match, event.payload, seconds)


async def run_send(
    payloads: Iterable[bytes],
    host: str,
    port: int,
    *,
    concurrency: int = 1,
    timeout_s: float = 30,
    tls: ClientTls | None = None,
    awaited: Awaited = "first",
) -> AsyncIterator[SendResult]:
    """Send many messages over ``concurrency`` connections, one at a time on each.

    Args:
        payloads: Messages without framing bytes; taken one by one as connections are free.
        host: Name or address.
        port: TCP port.
        concurrency: Connections at once, 1 or more; above 1 the order is not kept.
        timeout_s: For connecting, and again for each message with its answer.
        tls: Makes it MLLP over TLS.
        awaited: Which answer to wait for.

    Yields:
        One result a message, as they come; ``index`` counts ``payloads`` from 0. A message that
        got no answer is told and not sent again.
    """
    numbered = enumerate(payloads)
    results: asyncio.Queue[SendResult | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with MllpClient(host, port, timeout_s=timeout_s, tls=tls) as client:
                for index, payload in numbered:
                    results.put_nowait(await _send_one(client, index, payload, awaited))
        finally:
            results.put_nowait(None)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        for _ in workers:
            while (result := await results.get()) is not None:
                yield result
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _send_one(client: MllpClient, index: int, payload: bytes, awaited: Awaited) -> SendResult:
    control_id = sent_control_id(payload)
    started_s = asyncio.get_running_loop().time()
    try:
        if awaited != "none":
            answer = await client.send(payload, awaited)
            return SendResult(index, answer.code, control_id, answer.seconds, None)
        await client.tell(payload)
        reason = None
    except (SendRetryError, UnframeableError) as error:
        reason = error.reason
    seconds = asyncio.get_running_loop().time() - started_s
    return SendResult(index, None, control_id, seconds, reason)
