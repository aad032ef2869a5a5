"""One MLLP connection: frames in, answers out in the same order.

Answers are made concurrently, so that many journal writes share one fsync, and sent strictly in
the order of their messages. An answer that fails closes the connection: never a false yes. Every
queue here is bounded; when one is full the socket is not read.

Standard: Minimal Lower Layer Protocol, Release 1.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

from interfaces.mllp_codec import (
    FrameAbandoned,
    FrameDecoder,
    FrameEvent,
    FrameReceived,
    FrameTooLarge,
    FrameWithoutStart,
    GarbageSkipped,
    encode_frame,
)
from interfaces.mllp_contract import FrameFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from interfaces.mllp_contract import Answer, Owner

log = structlog.get_logger()

_KEEPALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}
_FAULTS = {
    FrameTooLarge: FrameFault.TOO_LARGE,
    FrameAbandoned: FrameFault.ABANDONED,
    FrameWithoutStart: FrameFault.NOT_FRAMED,
}


class MllpConnection(asyncio.Protocol):
    """The shell around one socket. ``host`` and ``peer`` are the other end's address."""

    host = ""
    peer = ""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._decoder = FrameDecoder(owner.limits.frame_bytes_max)
        self._waiting: deque[FrameEvent] = deque()
        self._answers: deque[tuple[asyncio.Task[bytes | None], int]] = deque()
        self._bytes_in_flight = 0
        self._frames = 0
        self._faults_in_row = 0
        self._is_garbage_told = False
        self._is_admitted = False
        self._is_reading = True
        self._is_writable = True
        self._is_closed = False
        self._ending: str | None = None  # why no more is taken in; closed when all is answered
        self._is_frame_timed = False
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start, or close at once when the listener is full."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        address = transport.get_extra_info("peername") or ("unknown", 0)
        self.host, self.peer = address[0], f"{address[0]}:{address[1]}"
        if not self._owner.admit(self):
            self._is_closed = True
            self._transport.abort()
            return
        self._is_admitted = True
        _keep_alive(transport.get_extra_info("socket"))
        # Any byte that the kernel does not take means that the peer does not read.
        self._transport.set_write_buffer_limits(high=0)
        log.info("mllp.connection_opened", door=self._owner.door, peer=self.peer)
        self._watch_input(is_new=True)

    def data_received(self, data: bytes) -> None:
        """Decode; what comes after the end was decided is read and dropped.

        It is read because closing a socket with unread bytes resets it, and a reset destroys
        answers on their way. Nothing that is dropped was answered, so its sender sends it again.
        """
        if self._ending is not None or self._is_closed:
            return
        events = self._decoder.receive(data)
        self._waiting.extend(events)
        self._take_waiting()
        self._watch_input(is_new=bool(events))

    def eof_received(self) -> bool:
        """Answer what came, then close: a peer may shut its sending half and still listen."""
        if self._ending is None and not self._is_closed:
            self._waiting.extend(self._decoder.finish())
            self._end("peer_closed")
        is_half_open_possible = self._transport.get_extra_info("sslcontext") is None
        return is_half_open_possible and not self._is_closed

    def pause_writing(self) -> None:
        """Send nothing more until the peer reads, and wait for that only so long."""
        self._is_writable = False
        self._arm_write(self._limits.write_timeout_s)

    def resume_writing(self) -> None:
        """Send what has become ready meanwhile."""
        self._is_writable = True
        if self._write_timer is not None and not self._is_closed:
            self._write_timer.cancel()
        self._send_ready()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count and tell what the loss leaves behind; running answers finish on their own."""
        self._stop_watching()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._is_closed = True
        if not self._is_admitted:
            return
        if self._decoder.is_inside_frame and self._ending is None:
            self._count_faults(self._decoder.finish())
        reason = self._ending or ("peer_closed" if exc is None else "peer_reset")
        self._owner.counts.answers_unsent += len(self._answers)
        door, peer = self._owner.door, self.peer
        if self._answers:
            unsent = len(self._answers)
            log.warning("mllp.answers_unsent", door=door, peer=peer, count=unsent, reason=reason)
        log.info("mllp.connection_closed", door=door, peer=peer, count=self._frames, reason=reason)
        self._owner.forget(self)

    def drain(self) -> None:
        """Take nothing more, let the answers in flight be sent, then close."""
        self._waiting.clear()
        if self._ending is None:
            self._end("drained")

    def abort(self, reason: str) -> None:
        """Close without sending what waits."""
        self._ending = reason
        self._is_closed = True
        self._transport.abort()

    def _end(self, reason: str) -> None:
        self._ending = reason
        self._stop_watching()
        self._take_waiting()
        self._close_when_done()

    def _close_when_done(self) -> None:
        if self._ending is not None and not self._waiting and not self._answers:
            self._close()

    def _close(self) -> None:
        """Close once the last answer is in the kernel's hands, or after the write timeout."""
        if not self._is_closed:
            self._is_closed = True
            self._transport.close()
            self._arm_write(self._limits.write_timeout_s)

    def _take_waiting(self) -> None:
        while self._waiting and not self._is_full():
            self._take(self._waiting.popleft())
        should_read = self._ending is not None or not (self._waiting or self._is_full())
        if should_read == self._is_reading or self._is_closed:
            return
        self._is_reading = should_read
        if should_read:
            self._transport.resume_reading()
            self._watch_input(is_new=True)
        else:
            self._transport.pause_reading()

    def _is_full(self) -> bool:
        return (
            len(self._answers) >= self._limits.in_flight_max
            or self._bytes_in_flight >= self._limits.frame_bytes_max
        )

    def _take(self, event: FrameEvent) -> None:
        door, handler = self._owner.door, self._owner.handler
        match event:
            case FrameReceived(payload):
                self._frames += 1
                self._faults_in_row = 0
                self._owner.counts.frames_received += 1
                answer = partial(
                    handler.answer, payload, door=door, peer=self.peer, later=self._send_later
                )
                self._start_answer(answer, len(payload))
            case GarbageSkipped(bytes_count):
                self._count_garbage(bytes_count)
            case _:
                self._count_faults([event])
                fault = _FAULTS[type(event)]
                refusal = partial(handler.refuse, event.head, fault, door=door, peer=self.peer)
                self._start_answer(refusal, len(event.head))
                self._faults_in_row += 1
                if self._faults_in_row >= self._limits.faults_max and self._ending is None:
                    self._waiting.clear()
                    self._end("too_many_faults")

    def _count_garbage(self, bytes_count: int) -> None:
        """Count always, but tell once a connection: some senders put a stray byte every time."""
        self._owner.counts.garbage_bytes += bytes_count
        if not self._is_garbage_told:
            self._is_garbage_told = True
            log.warning(
                "mllp.garbage_skipped", door=self._owner.door, peer=self.peer, bytes=bytes_count
            )

    def _count_faults(self, events: list[FrameEvent]) -> None:
        for event in events:
            if isinstance(event, FrameTooLarge | FrameAbandoned | FrameWithoutStart):
                fault = _FAULTS[type(event)]
                self._owner.counts.frames_rejected[fault] += 1
                log.warning(
                    "mllp.frame_rejected",
                    door=self._owner.door,
                    peer=self.peer,
                    reason=fault.value,
                    bytes=event.bytes_count,
                )

    def _send_later(self, message: bytes) -> bool:
        """Send one more message between the answers; False when that is no longer possible."""
        if self._ending is not None or self._is_closed:
            return False
        self._transport.write(encode_frame(message))
        return True

    def _start_answer(self, work: Callable[[], Awaitable[Answer]], bytes_count: int) -> None:
        task = self._owner.start_task(self._frame_answer(work))
        self._answers.append((task, bytes_count))
        self._bytes_in_flight += bytes_count
        task.add_done_callback(lambda _: self._send_ready())

    async def _frame_answer(self, work: Callable[[], Awaitable[Answer]]) -> bytes | None:
        """Return the bytes to send, empty when there is no answer, or None when it failed."""
        try:
            answer = await work()
            return b"".join(map(encode_frame, answer.messages))
        except Exception as error:  # noqa: BLE001 - a task's top: told by class, connection closed
            self._owner.counts.answers_failed += 1
            log.error(
                "mllp.answer_failed",
                door=self._owner.door,
                peer=self.peer,
                error_class=type(error).__name__,
            )
            return None

    def _send_ready(self) -> None:
        """Send the answers that are ready and whose turn it is."""
        if self._is_closed:
            return
        frames: list[bytes] = []
        has_failed = False
        while self._is_writable and self._answers and self._answers[0][0].done():
            task, bytes_count = self._answers[0]
            frame = None if task.cancelled() else task.result()
            if frame is None:
                has_failed = True
                break
            self._answers.popleft()
            self._bytes_in_flight -= bytes_count
            frames.append(frame)
        self._owner.counts.answers_sent += sum(1 for frame in frames if frame)
        self._transport.write(b"".join(frames))
        if has_failed:
            self._ending = "answer_failed"
            self._close()
            return
        self._take_waiting()
        self._watch_input(is_new=False)
        self._close_when_done()

    def _watch_input(self, *, is_new: bool) -> None:
        """Set the time limit that fits: for the unfinished frame, else for the quiet.

        Args:
            is_new: What is unfinished, if anything, began just now: its time starts afresh.
        """
        is_unfinished = self._decoder.is_unfinished
        if is_unfinished and self._is_frame_timed and not is_new:
            return
        self._stop_watching()
        if self._ending is not None or not self._is_reading:
            return
        if is_unfinished:
            self._is_frame_timed = True
            self._read_timer = self._loop.call_later(
                self._limits.frame_timeout_s, self._on_frame_timeout
            )
        elif self._limits.idle_timeout_s:
            self._read_timer = self._loop.call_later(
                self._limits.idle_timeout_s, self._on_idle_timeout
            )

    def _stop_watching(self) -> None:
        self._is_frame_timed = False
        if self._read_timer is not None:
            self._read_timer.cancel()

    def _arm_write(self, seconds: float) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._write_timer = self._loop.call_later(seconds, self.abort, "write_timeout")

    def _on_frame_timeout(self) -> None:
        """End a started frame; forgive garbage to a peer that has sent frames before."""
        was_inside = self._decoder.is_inside_frame
        self._waiting.extend(self._decoder.finish())
        if was_inside or not self._frames:
            self._end("frame_timeout")
        else:
            self._take_waiting()
            self._watch_input(is_new=True)

    def _on_idle_timeout(self) -> None:
        """Close a connection on which nothing came or went; a peer that waits is not quiet."""
        if self._answers:
            self._watch_input(is_new=True)
        else:
            self._end("idle_timeout")


def _keep_alive(sock: socket.socket | None) -> None:
    """Have the kernel notice a peer that vanished (asyncio itself sets TCP_NODELAY)."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
