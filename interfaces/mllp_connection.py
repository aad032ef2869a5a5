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

from interfaces.mllp_admission import Pacer
from interfaces.mllp_answers import COMMITS, AnswerQueue
from interfaces.mllp_codec import FrameDecoder, FrameEvent, FrameReceived, GarbageSkipped
from interfaces.mllp_contract import FrameFault
from interfaces.mllp_faults import BadFrame, FaultTally

if TYPE_CHECKING:
    from interfaces.mllp_contract import Owner

log = structlog.get_logger()

_KEEPALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}


class MllpConnection(asyncio.Protocol):
    """The shell around one socket. ``host`` and ``peer`` are the other end's address.

    ``arrive`` comes first: until ``connection_made`` it only holds its place at the listener.
    """

    host = ""
    peer = ""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._limits = owner.limits
        self._loop = asyncio.get_running_loop()
        self.quiet_since_s = self._loop.time()
        self._decoder = FrameDecoder(owner.limits.frame_bytes_max)
        self._pacer = Pacer(owner.limits.messages_per_second_max)
        self._waiting: deque[FrameEvent] = deque()
        self._answers = AnswerQueue(owner, self, self._send_ready)
        self._frames = 0
        self._faults = FaultTally(owner, self)
        self._is_made = False
        self._is_reading = True
        self._is_writable = True
        self._is_closed = False
        self._ending: str | None = None  # why no more is taken in; closed when all is answered
        self._is_frame_timed = False
        self._read_timer: asyncio.TimerHandle | None = None
        self._read_by_s = 0.0
        self._write_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._pace_timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a frame is coming in or an answer is due."""
        return bool(self._waiting or self._decoder.is_inside_frame or not self._answers.is_empty)

    def arrive(self, transport: asyncio.Transport, address: tuple[str, int]) -> None:
        """Take the socket and whose it is; a PROXY header may name another later."""
        self._transport = transport
        self.host, self.peer = address[0], f"{address[0]}:{address[1]}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to take frames, on the socket itself or on what decrypts it."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_made = True
        _keep_alive(transport.get_extra_info("socket"))
        # Any byte that the kernel does not take means that the peer does not read.
        self._transport.set_write_buffer_limits(high=0)
        self._owner.counts.connections_opened += 1
        log.info("mllp.connection_opened", door=self._owner.door, peer=self.peer)
        self._watch_input(is_new=True)

    def data_received(self, data: bytes) -> None:
        """Decode; what comes after the end was decided is read and dropped.

        It is read because closing a socket with unread bytes resets it, and a reset destroys
        answers on their way. Nothing that is dropped was answered, so its sender sends it again.
        """
        if self._ending is not None or self._is_closed:
            return
        self.quiet_since_s = self._loop.time()
        events = self._decoder.receive(data)
        self._waiting.extend(events)
        self._take_waiting()
        self._watch_input(is_new=bool(events))

    def eof_received(self) -> bool:
        """Answer what came, then close: a peer may shut its sending half and still listen."""
        if self._ending is None and not self._is_closed:
            self._waiting.extend(self._decoder.finish())
            self._end("peer_closed")
        return not self._is_closed

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
        for timer in (self._write_timer, self._answer_timer, self._pace_timer):
            if timer is not None:
                timer.cancel()
        self._is_closed = True
        self._answers.is_open = False
        self._owner.forget(self)
        if not self._is_made:
            return
        if self._decoder.is_inside_frame and self._ending is None:
            for event in self._decoder.finish():
                if isinstance(event, BadFrame):
                    self._faults.count_frame(event)
        reason = self._ending or ("peer_closed" if exc is None else "peer_reset")
        unsent = len(self._answers)
        self._owner.counts.answers_unsent += unsent
        door, peer = self._owner.door, self.peer
        if unsent:
            log.warning("mllp.answers_unsent", door=door, peer=peer, count=unsent, reason=reason)
        log.info("mllp.connection_closed", door=door, peer=peer, count=self._frames, reason=reason)

    def drain(self) -> None:
        """Take nothing more, let the answers in flight be sent, then close."""
        self._waiting.clear()
        if not self._is_made:
            self.abort("drained")
        elif self._ending is None:
            self._end("drained")
        else:
            self._close_when_done()

    def abort(self, reason: str) -> None:
        """Close without sending what waits."""
        self._ending = reason
        self._is_closed = True
        self._answers.is_open = False
        self._transport.abort()

    def _end(self, reason: str) -> None:
        self._ending = reason
        self._answers.is_open = False
        self._stop_watching()
        self._take_waiting()
        self._close_when_done()

    def _close_when_done(self) -> None:
        if self._ending is not None and not self._waiting and self._answers.is_empty:
            self._close()

    def _close(self) -> None:
        """Close once the last answer is in the kernel's hands, or after the write timeout."""
        if not self._is_closed:
            self._is_closed = True
            self._transport.close()
            self._arm_write(self._limits.write_timeout_s)

    def _take_waiting(self) -> None:
        while self._waiting and not self._is_full() and not self._is_paced():
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
            or self._answers.bytes_in_flight >= self._limits.frame_bytes_max
        )

    def _is_paced(self) -> bool:
        """Tell whether the next message comes too early; it is taken when its time has come."""
        wait_s = self._pacer.wait_s(self._loop.time())
        if wait_s and self._pace_timer is None:
            self._pace_timer = self._loop.call_later(wait_s, self._on_pace)
        return wait_s > 0

    def _on_pace(self) -> None:
        self._pace_timer = None
        self._take_waiting()
        self._close_when_done()

    def _take(self, event: FrameEvent) -> None:
        door, handler, now_s = self._owner.door, self._owner.handler, self._loop.time()
        match event:
            case FrameReceived(payload) if payload in COMMITS:
                pass  # a peer of MLLP release 2 has taken what we sent later
            case FrameReceived(payload):
                self._frames += 1
                self._faults.forgive()
                self._owner.counts.frames_received += 1
                self._pacer.take(now_s)
                ask = partial(handler.answer, payload, door=door, peer=self.peer)
                self._answers.start(lambda later: ask(later=later), len(payload), now_s)
            case GarbageSkipped(bytes_count):
                self._faults.count_garbage(bytes_count)
            case _:
                self._refuse(event)
        if self._answer_timer is None and len(self._answers):
            self._arm_answer(self._limits.answer_timeout_s)

    def _refuse(self, event: BadFrame) -> None:
        fault = self._faults.count_frame(event)
        refuse = partial(self._owner.handler.refuse, event.head, fault)
        self._answers.start(
            lambda _: refuse(door=self._owner.door, peer=self.peer),
            len(event.head),
            self._loop.time(),
            is_awaited=fault is not FrameFault.ABANDONED,
        )
        if self._faults.is_flood and self._ending is None:
            self._waiting.clear()
            self._end("too_many_faults")

    def _send_ready(self) -> None:
        """Send the answers that are ready and whose turn it is."""
        if self._is_closed or not self._is_writable:
            return
        if frames := self._answers.take_ready():
            self.quiet_since_s = self._loop.time()
            self._transport.write(frames)
        if self._answers.has_failed:
            self._end_without_answer("answer_failed")
            return
        self._take_waiting()
        self._watch_input(is_new=False)
        self._close_when_done()

    def _end_without_answer(self, reason: str) -> None:
        """Close after what was sent before: no answer may follow one that is missing."""
        self._ending = reason
        self._answers.is_open = False
        self._close()

    def _watch_input(self, *, is_new: bool) -> None:
        """Set the time limit that fits: for the unfinished frame, else for the quiet.

        Args:
            is_new: What is unfinished, if anything, began just now: its time starts afresh.
        """
        is_unfinished = self._decoder.is_unfinished
        if is_unfinished and self._is_frame_timed and not is_new:
            return
        self._is_frame_timed, limits = is_unfinished, self._limits
        wait_s = limits.frame_timeout_s if is_unfinished else limits.idle_timeout_s
        if self._ending is not None or not self._is_reading or not wait_s:
            self._stop_watching()
            return
        # A timer that is there already is only made to look again: most never come to anything,
        # and one made and cancelled for each message costs as much as reading its header.
        self._read_by_s = self._loop.time() + wait_s
        if self._read_timer is None or self._read_timer.when() > self._read_by_s:
            self._set_read_timer()

    def _set_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
        self._read_timer = self._loop.call_at(self._read_by_s, self._on_read_timer)

    def _on_read_timer(self) -> None:
        self._read_timer = None
        if self._loop.time() < self._read_by_s:
            self._set_read_timer()
        elif self._is_frame_timed:
            self._on_frame_timeout()
        else:
            self._on_idle_timeout()

    def _stop_watching(self) -> None:
        self._is_frame_timed = False
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _arm_write(self, seconds: float) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._write_timer = self._loop.call_later(seconds, self.abort, "write_timeout")

    def _arm_answer(self, seconds: float) -> None:
        self._answer_timer = self._loop.call_later(seconds, self._on_answer_timer)

    def _on_answer_timer(self) -> None:
        """Close when the answer that all others wait for is late; it may still be finished."""
        self._answer_timer = None
        if self._is_closed or not len(self._answers):
            return
        now_s, limit_s = self._loop.time(), self._limits.answer_timeout_s
        since_s = self._answers.late_since_s
        left_s = limit_s if since_s is None else since_s + limit_s - now_s
        if left_s > 0:
            self._arm_answer(left_s)
            return
        self._owner.counts.answers_late += 1
        log.error("mllp.answer_late", door=self._owner.door, peer=self.peer, limit=limit_s)
        self._end_without_answer("answer_timeout")

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
        if len(self._answers):
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
