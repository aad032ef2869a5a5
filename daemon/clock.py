"""Time as an argument. The one place of the daemon that reads the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a component may know of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that only grow."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock that the ban points to

    def monotonic_s(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()
