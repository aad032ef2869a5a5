"""The answers of one connection: made at once, given out in the order of their frames.

What comes later for a message (its application acknowledgment) never overtakes that message's own
answer. An answer that failed ends the row: nothing after it is given out, never a false yes.

Standard: Minimal Lower Layer Protocol; Release 2 puts a commit byte before each answer.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from interfaces.mllp_codec import encode_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from interfaces.mllp_contract import Answer, Connection, Later, Owner

log = structlog.get_logger()

COMMITS = (b"\x06", b"\x15")
"""MLLP Release 2: the message is on disk, or it is not. A payload of its own, never a message."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One frame that waits for its answer; ``started_s`` on the loop's clock."""

    bytes_count: int
    started_s: float
    task: asyncio.Task[bytes | None] | None = None
    messages: int = 0
    afterwards: list[bytes] = field(default_factory=list, repr=False)


class AnswerQueue:
    """A row of answers, in the order of their frames.

    Args:
        owner: The listener.
        connection: Whose answers they are, for logs.
        on_ready: Called when ``take_ready`` may have something to give.
    """

    def __init__(self, owner: Owner, connection: Connection, on_ready: Callable[[], None]) -> None:
        self.bytes_in_flight = 0
        """Bytes of the frames that wait for their answers."""
        self.has_failed = False
        """Whether the next answer could not be made."""
        self.is_open = True
        """Whether messages may still be added later."""
        self._owner = owner
        self._connection = connection
        self._on_ready = on_ready
        self._entries: deque[_Entry] = deque()
        self._loose: list[bytes] = []
        self._later_count = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to be given out."""
        return not self._entries and not self._loose

    @property
    def late_since_s(self) -> float | None:
        """When the frame came that all others wait for; None when none is being answered."""
        if self._entries and (task := self._entries[0].task) is not None and not task.done():
            return self._entries[0].started_s
        return None

    def start(
        self,
        ask: Callable[[Later], Awaitable[Answer]],
        bytes_count: int,
        now_s: float,
        *,
        is_awaited: bool = True,
    ) -> None:
        """Have the handler answer one frame.

        Args:
            ask: Asks the handler; gets what it may say later.
            bytes_count: The frame's payload.
            now_s: The loop's time.
            is_awaited: False for an abandoned frame, whose sender would take a commit byte for
                that of its next one.
        """
        entry = _Entry(bytes_count, now_s)
        work = partial(ask, partial(self._add_later, entry))
        answering = self._make(entry, work, is_awaited=is_awaited)
        entry.task = self._owner.start_task(answering, self._on_ready)
        self._entries.append(entry)
        self.bytes_in_flight += bytes_count

    def take_ready(self) -> bytes:
        """Give out what is ready and whose turn it is, framed; sets ``has_failed``."""
        frames, self._loose = self._loose, []
        self._later_count -= len(frames)
        while self._entries and (task := self._entries[0].task) is not None and task.done():
            frame = None if task.cancelled() else task.result()
            if frame is None:
                self.has_failed = True
                break
            entry = self._entries.popleft()
            entry.task = None  # whoever may send later holds the entry, and need not hold this
            self.bytes_in_flight -= entry.bytes_count
            self._later_count -= len(entry.afterwards)
            self._owner.counts.answers_sent += entry.messages
            frames += [frame, *entry.afterwards]
        return b"".join(frames)

    async def _make(
        self, entry: _Entry, work: Callable[[], Awaitable[Answer]], *, is_awaited: bool
    ) -> bytes | None:
        """Return the bytes to send, empty when there is no answer, or None when it failed."""
        try:
            answer = await work()
            entry.messages = len(answer.messages)
            frames = [encode_frame(message) for message in answer.messages]
        except Exception as error:  # noqa: BLE001 - a task's top: told by class, connection closed
            self._owner.counts.answers_failed += 1
            log.error(
                "mllp.answer_failed",
                door=self._owner.door,
                peer=self._connection.peer,
                error_class=type(error).__name__,
            )
            return None
        if is_awaited and self._owner.terms.release == 2:  # noqa: PLR2004 - MLLP Release 2
            frames.insert(0, encode_frame(COMMITS[0 if answer.is_stored else 1]))
        return b"".join(frames)

    def _add_later(self, entry: _Entry, message: bytes) -> bool:
        """Send one more message after an entry's own answer; False when that cannot be."""
        if not self.is_open or self._later_count >= self._owner.limits.in_flight_max:
            return False
        frame = encode_frame(message)
        (entry.afterwards if entry.task is not None else self._loose).append(frame)
        self._later_count += 1
        self._on_ready()
        return True
