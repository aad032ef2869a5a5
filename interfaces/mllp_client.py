"""An honest MLLP client: one message after another, each with its own answer.

An answer belongs to a message when MSA-2 is its MSH-10 byte for byte; any other is dropped and
counted. When no answer comes in time the connection is closed, because a late answer on a reused
connection is taken for that of the next message.

Standard: Minimal Lower Layer Protocol, Release 1; HL7 v2 control chapter, MSA.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from interfaces.errors import SendRetryError, UnframeableError
from interfaces.mllp_codec import FrameDecoder, FrameEvent, FrameReceived, encode_frame
from mappings.errors import MessageRefusedError, UnreadableContentError
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import best_effort_control_id, peek_header

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable

    from mappings.hl7_ack import AckCode

_ANSWER_BYTES_MAX = 1024 * 1024
_HEAD_BYTES = 4096
_READ_BYTES = 65536
_POSITIVE = ("AA", "CA")


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
    """What became of message ``index``: a ``code``, or else an ``error_reason``."""

    index: int
    code: AckCode | None
    control_id: bytes = field(repr=False)
    seconds: float
    error_reason: str | None


class MllpClient:
    """One connection to one peer, opened when first needed and again after it was lost.

    Args:
        host: Name or address.
        port: TCP port.
        timeout_s: For connecting, and again for sending with its answer.
        ssl_context: Makes it MLLP over TLS.
    """

    def __init__(
        self, host: str, port: int, *, timeout_s: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.discarded_count = 0
        """Frames that were no answer to the message on its way."""
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._ssl_context = ssl_context
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._decoder = FrameDecoder(_ANSWER_BYTES_MAX)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection; the next ``send`` opens a new one."""
        if self._streams is not None:
            # Not close(): a peer that does not read would keep it open.
            self._streams[1].transport.abort()
            self._streams = None

    async def send(self, payload: bytes) -> Acknowledgement:
        """Send one message and wait for its answer, whether yes or no.

        Args:
            payload: The message, without framing bytes.

        Returns:
            The peer's answer to this very message.

        Raises:
            SendRetryError: No answer came. The peer may or may not hold the message.
            UnframeableError: The payload holds bytes of MLLP; nothing was sent.
        """
        frame = encode_frame(payload)
        control_id = sent_control_id(payload)
        async with self._turn:
            reader, writer = await self._connect()
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._exchange(reader, writer, frame, control_id)
            except TimeoutError:
                self.close()
                raise SendRetryError("ack_timeout", None) from None
            except OSError:
                self.close()
                raise SendRetryError("connection_lost", None) from None
            except BaseException:
                self.close()
                raise
            if not answer.is_match:
                self.close()  # the answer named no message: start afresh, that none is mistaken
            return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, writer = self._streams
            if not reader.at_eof() and reader.exception() is None and not writer.is_closing():
                return self._streams
            self.close()
        try:
            async with asyncio.timeout(self._timeout_s):
                self._streams = await asyncio.open_connection(
                    self._host, self._port, ssl=self._ssl_context
                )
        except (OSError, UnicodeError):  # TimeoutError is one; a name that DNS cannot hold
            raise SendRetryError("connect_failed", None) from None
        self._decoder = FrameDecoder(_ANSWER_BYTES_MAX)
        return self._streams

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frame: bytes,
        control_id: bytes,
    ) -> Acknowledgement:
        started_s = asyncio.get_running_loop().time()
        writer.write(frame)
        await writer.drain()
        while True:
            data = await reader.read(_READ_BYTES)
            events = self._decoder.receive(data) if data else self._decoder.finish()
            seconds = asyncio.get_running_loop().time() - started_s
            if answer := self._find_answer(events, control_id, seconds):
                return answer
            if not data:
                raise ConnectionResetError

    def _find_answer(
        self, events: list[FrameEvent], control_id: bytes, seconds: float
    ) -> Acknowledgement | None:
        found = None
        for event in events:
            answer = _read_answer(event, control_id, seconds) if found is None else None
            if answer is None:
                self.discarded_count += 1
            else:
                found = answer
        return found


def sent_control_id(payload: bytes) -> bytes:
    """Return MSH-10 of a message as its receiver will see it; empty when there is none."""
    try:
        return peek_header(payload).control_id_bytes
    except MessageRefusedError:
        return best_effort_control_id(payload[:_HEAD_BYTES])


def _read_answer(event: FrameEvent, control_id: bytes, seconds: float) -> Acknowledgement | None:
    """Return the answer if it is one to ``control_id``.

    A no with an empty MSA-2 is one too: only one message is on its way, and the peer could not
    read its MSH-10. A yes without MSA-2 says nothing about which message was taken.
    """
    if not isinstance(event, FrameReceived):
        return None
    try:
        ack = parse_ack(event.payload)
    except UnreadableContentError:
        return None
    is_match = ack.control_id == control_id
    if not is_match and (ack.control_id or ack.code in _POSITIVE):
        return None
    return Acknowledgement(ack.code, ack.control_id, is_match, event.payload, seconds)


async def run_send(
    payloads: Iterable[bytes],
    host: str,
    port: int,
    *,
    concurrency: int = 1,
    timeout_s: float = 30,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[SendResult]:
    """Send many messages over ``concurrency`` connections, one at a time on each.

    Args:
        payloads: Messages without framing bytes; taken one by one as connections are free.
        host: Name or address.
        port: TCP port.
        concurrency: Connections at once, 1 or more; above 1 the order is not kept.
        timeout_s: For connecting, and again for each message with its answer.
        ssl_context: Makes it MLLP over TLS.

    Yields:
        One result a message, as they come; ``index`` counts ``payloads`` from 0. A message that
        got no answer is told and not sent again.
    """
    numbered = enumerate(payloads)
    results: asyncio.Queue[SendResult | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with MllpClient(
                host, port, timeout_s=timeout_s, ssl_context=ssl_context
            ) as client:
                for index, payload in numbered:
                    results.put_nowait(await _send_one(client, index, payload))
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


async def _send_one(client: MllpClient, index: int, payload: bytes) -> SendResult:
    control_id = sent_control_id(payload)
    started_s = asyncio.get_running_loop().time()
    try:
        answer = await client.send(payload)
    except (SendRetryError, UnframeableError) as error:
        seconds = asyncio.get_running_loop().time() - started_s
        return SendResult(index, None, control_id, seconds, error.reason)
    return SendResult(index, answer.code, control_id, answer.seconds, None)
