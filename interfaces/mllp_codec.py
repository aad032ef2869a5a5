"""MLLP framing without I/O: bytes in, events out.

A frame is ``<SB> message <EB><CR>`` with SB = 0x0B and EB = 0x1C. The shell owns the socket; this
file owns what the bytes mean, and what they mean never depends on how the network cut them up.
Two messages are never merged into one: a start byte inside a frame ends what came before it.

Where the standard is silent:

- 0x1C followed by anything but CR is content, and the decoder waits on. Directly before a start
  byte or the end of the stream it is the end of the frame: the sender left out the CR.
- Doubled start bytes are one start. CR, LF, NUL and 0x1C between frames are noise, not garbage.
- The message itself is never touched: line ends, charset and blank segments are others' matter.

Standard: HL7 v2.5.1 appendix C / Minimal Lower Layer Protocol, Release 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interfaces.errors import UnframeableError

if TYPE_CHECKING:
    from collections.abc import Iterator

START = b"\x0b"
END = b"\x1c"
END_BLOCK = b"\x1c\r"
NOISE = b"\r\n\x00\x1c"
HEAD_BYTES = 4096
"""What is kept of a frame that cannot be taken: enough to find MSH-10 for the answer."""


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A whole frame. ``payload`` may be empty."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FrameAbandoned:
    """A frame without an end: the next start byte or the end of the stream came first."""

    head: bytes = field(repr=False)
    bytes_count: int


@dataclass(frozen=True, slots=True)
class FrameTooLarge:
    """A frame over the limit, told at its end: its bytes were dropped as they came."""

    head: bytes = field(repr=False)
    bytes_count: int


@dataclass(frozen=True, slots=True)
class FrameWithoutStart:
    """A message (it begins with MSH) and its end block came, but no start byte: the sender may
    wait for an answer.
    """

    head: bytes = field(repr=False)
    bytes_count: int


@dataclass(frozen=True, slots=True)
class GarbageSkipped:
    """Bytes outside any frame, noise not counted; told at the next framing byte or the end."""

    bytes_count: int


FrameEvent = FrameReceived | FrameAbandoned | FrameTooLarge | FrameWithoutStart | GarbageSkipped


def encode_frame(payload: bytes) -> bytes:
    """Put one message between start byte and end block.

    Nothing is rewritten: a payload that would not arrive as it is (it holds a start byte or an end
    block) is refused, for a changed message is worse than one not sent.

    Args:
        payload: The message; may be empty.

    Returns:
        The frame, ready for the socket.

    Raises:
        UnframeableError: ``where`` is the position of the byte.
    """
    for mark in (START, END_BLOCK):
        if (position := payload.find(mark)) >= 0:
            raise UnframeableError("framing_byte_in_payload", f"byte {position}")
    return START + payload + END_BLOCK


class FrameDecoder:
    """Cuts a stream into frames, in linear time and bounded memory.

    Args:
        frame_bytes_max: Largest payload taken; a larger one becomes ``FrameTooLarge``.
    """

    def __init__(self, frame_bytes_max: int) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._is_inside = False
        self._is_end_pending = False  # the last byte was 0x1C: the next one tells what it is
        self._kept = bytearray()
        self._count = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether bytes wait for their end: part of a frame, or garbage not yet told."""
        return self._is_inside or self._count > 0

    @property
    def is_inside_frame(self) -> bool:
        """Whether a start byte has come and the frame's end has not."""
        return self._is_inside

    def receive(self, data: bytes) -> list[FrameEvent]:
        """Take the next bytes of the stream, of any length, and return what they complete."""
        events: list[FrameEvent] = []
        position = 0
        if data and self._is_end_pending:
            position = self._resolve_end(data[:1], events)
        for mark in _marks(data):
            self._keep(data[position:mark])
            position = mark + 1
            if data[mark] == START[0]:
                self._start(events)
            elif following := data[position : position + 1]:
                position += self._resolve_end(following, events)
            else:
                self._is_end_pending = True
        self._keep(data[position:])
        return events

    def finish(self) -> list[FrameEvent]:
        """Tell what the end of the stream, or a time limit, leaves unfinished; start afresh."""
        events: list[FrameEvent] = []
        if self._is_end_pending:
            self._end(events)
        elif self._is_inside:
            events.append(self._unended())
        elif self._count:
            events.append(GarbageSkipped(self._count))
        self._reset(is_inside=False)
        return events

    def _resolve_end(self, following: bytes, events: list[FrameEvent]) -> int:
        """Decide about a pending 0x1C by the byte after it; return how many of that are used."""
        if following == b"\r":
            self._end(events)
            return 1
        if following == START:
            self._end(events)
            return 0
        self._is_end_pending = False
        self._keep(END)
        return 0

    def _start(self, events: list[FrameEvent]) -> None:
        if self._is_inside and self._count:
            events.append(self._unended())
        elif self._count:
            events.append(GarbageSkipped(self._count))
        self._reset(is_inside=True)

    def _end(self, events: list[FrameEvent]) -> None:
        if not self._is_inside:
            if self._kept.startswith(b"MSH"):
                events.append(FrameWithoutStart(bytes(self._kept), self._count))
            elif self._count:
                events.append(GarbageSkipped(self._count))
        elif self._count > self._frame_bytes_max:
            events.append(self._unended())
        else:
            events.append(FrameReceived(bytes(self._kept)))
        self._reset(is_inside=False)

    def _unended(self) -> FrameAbandoned | FrameTooLarge:
        head = bytes(self._kept[:HEAD_BYTES])
        if self._count > self._frame_bytes_max:
            return FrameTooLarge(head, self._count)
        return FrameAbandoned(head, self._count)

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        if not self._is_inside:
            if not self._count:
                piece = piece.lstrip(NOISE)
            self._count += len(piece.translate(None, NOISE))
            self._kept += piece[: max(0, HEAD_BYTES - len(self._kept))]
            return
        self._count += len(piece)
        if self._count <= self._frame_bytes_max:
            self._kept += piece
        elif len(self._kept) < HEAD_BYTES:
            self._kept += piece[: HEAD_BYTES - len(self._kept)]
        else:
            del self._kept[HEAD_BYTES:]

    def _reset(self, *, is_inside: bool) -> None:
        self._is_inside = is_inside
        self._is_end_pending = False
        self._kept = bytearray()
        self._count = 0


def _marks(data: bytes) -> Iterator[int]:
    """Yield the positions of 0x0B and 0x1C in order, reading ``data`` once for each."""
    start, end = data.find(START), data.find(END)
    while start >= 0 or end >= 0:
        if end < 0 or 0 <= start < end:
            yield start
            start = data.find(START, start + 1)
        else:
            yield end
            end = data.find(END, end + 1)
