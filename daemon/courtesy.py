"""The pipeline gives way to the doors: while senders wait for answers, its steps take turns.

A step costs milliseconds of this process, an answer less than one; without turns a burst of steps
stands between a stored message and its acknowledgment. Steps are slowed, never stopped: under a
load that does not end, one may start every ``pace_s``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.clock import Clock

PACE_S = 0.025
"""Forty steps a second at the least: ten times a large hospital's daily mean."""


class Courtesy:
    """Hands out turns, first come first served.

    Args:
        is_busy: Whether an answer is being made now.
        clock: For the time of the last turn.
        pace_s: Time between two turns while the doors are busy.
    """

    def __init__(
        self, is_busy: Callable[[], bool], clock: Clock, *, pace_s: float = PACE_S
    ) -> None:
        self._is_busy = is_busy
        self._clock = clock
        self._pace_s = pace_s
        self._next_s = 0.0
        self._queue = asyncio.Lock()

    async def wait_turn(self) -> None:
        """Return at once when no sender waits, else when it is our turn."""
        async with self._queue:
            wait_s = self._next_s - self._clock.monotonic_s()
            if wait_s > 0 and self._is_busy():
                await asyncio.sleep(wait_s)
            self._next_s = self._clock.monotonic_s() + self._pace_s
