"""How the daemon speaks to the process that writes its journal: pickled values, each in a frame.

Rule: only for a socketpair whose two ends are ours from birth, for whoever can write to it can run
code in the other end.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.audit import Head
    from daemon.journal_commit import Outcome

_LENGTH = struct.Struct(">Q")


class Reply(NamedTuple):
    """What became of the oldest jobs that were not answered yet, and how the journal stands."""

    outcomes: Sequence[Outcome]
    head: Head | None
    has_failed: bool


def render_frame(value: object) -> bytes:
    """Return a frame: eight bytes of length, then the pickle."""
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream into the values that were sent."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Take the next bytes, of any length, and yield what they complete."""
        self._kept += chunk
        start, view = _LENGTH.size, memoryview(self._kept)
        while len(view) >= start and len(view) >= (end := start + _length(view, start)):
            yield pickle.loads(view[start:end])  # noqa: S301 - from our own other half
            start = end + _LENGTH.size
        del view
        del self._kept[: start - _LENGTH.size]


def _length(view: memoryview, start: int) -> int:
    length: int = _LENGTH.unpack(view[start - _LENGTH.size : start])[0]
    return length
