"""Keeps aiokafka's own log readable: it writes ten lines a second while a broker is away.

Its loggers write through the standard library to whatever the process has there; one line of each
in half a minute is let through. What matters is told by our own events and metrics.
"""

from __future__ import annotations

import logging

LIBRARY = "aiokafka"
QUIET_S = 30.0


class _OneInAWhile(logging.Handler):
    """Hands one record of each logger and level on to the process's handlers, now and then."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self._told_at: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        source = (record.name, record.levelno)
        if record.created - self._told_at.get(source, 0.0) < QUIET_S:
            return
        self._told_at[source] = record.created
        logging.root.handle(record)


def limit_noise() -> None:
    """Let through one line of each of aiokafka's loggers in a while."""
    library = logging.getLogger(LIBRARY)  # noqa: TID251 - to quieten it, not to log
    library.handlers = [_OneInAWhile()]
    library.propagate = False
