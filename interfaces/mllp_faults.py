"""What one connection sent that is no message: counted always, told so that logs stay readable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from interfaces.mllp_codec import FrameAbandoned, FrameTooLarge, FrameWithoutStart
from interfaces.mllp_contract import FrameFault

if TYPE_CHECKING:
    from interfaces.mllp_contract import Connection, Owner

log = structlog.get_logger()

BadFrame = FrameTooLarge | FrameAbandoned | FrameWithoutStart
_FAULTS = {
    FrameTooLarge: FrameFault.TOO_LARGE,
    FrameAbandoned: FrameFault.ABANDONED,
    FrameWithoutStart: FrameFault.NOT_FRAMED,
}


class FaultTally:
    """The bad frames and the garbage of one connection."""

    def __init__(self, owner: Owner, connection: Connection) -> None:
        self._owner = owner
        self._connection = connection
        self._in_row = 0
        self._is_garbage_told = False

    @property
    def is_flood(self) -> bool:
        """Whether so many frames in a row were bad that the connection should be closed."""
        return self._in_row >= self._owner.limits.faults_max

    def forgive(self) -> None:
        """Begin a new row: a good frame has come."""
        self._in_row = 0

    def count_frame(self, event: BadFrame) -> FrameFault:
        """Count and tell a frame that could not be taken, and name its fault."""
        fault = _FAULTS[type(event)]
        self._in_row += 1
        self._owner.counts.frames_rejected[fault] += 1
        log.warning(
            "mllp.frame_rejected",
            door=self._owner.door,
            peer=self._connection.peer,
            reason=fault.value,
            bytes=event.bytes_count,
        )
        return fault

    def count_garbage(self, bytes_count: int) -> None:
        """Count always, but tell once a connection: some senders put a stray byte every time."""
        self._owner.counts.garbage_bytes += bytes_count
        if not self._is_garbage_told:
            self._is_garbage_told = True
            log.warning(
                "mllp.garbage_skipped",
                door=self._owner.door,
                peer=self._connection.peer,
                bytes=bytes_count,
            )
