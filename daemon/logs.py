"""JSON log lines on stderr, with no patient data in them.

Only keys of an allow-list are written: a deny-list fails open. A dropped key is counted, not shown.
Lines of other libraries lose their message (it may quote a payload) and keep logger and level.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType

    from structlog.typing import EventDict, WrappedLogger

ALLOWED_KEYS: frozenset[str] = frozenset(
    {
        "attempts",
        "batch_size",
        "bytes",
        "code",
        "count",
        "delivery_id",
        "door",
        "engine",
        "error_class",
        "head",
        "host",
        "library",
        "limit",
        "message_id",
        "outcome",
        "peer",
        "pid",
        "port",
        "reason",
        "redraft",
        "report_id",
        "retry_after_s",
        "seconds",
        "sequence",
        "signal",
        "stage",
        "status",
        "target",
        "tokens",
        "version",
        "where",
    }
)
_WRITTEN_KEYS = ALLOWED_KEYS | {"event", "timestamp"}
_encode = json.JSONEncoder(sort_keys=True, default=repr).encode
log = structlog.get_logger()


def start_logging(
    level: str = "info",
    *,
    stream: TextIO | None = None,
    on_dropped_key: Callable[[], None] = lambda: None,
) -> None:
    """Send every log line of this process to ``stream`` (stderr) as JSON.

    Args:
        level: Lowest level written: info, warning or error.
        stream: Where lines go.
        on_dropped_key: Called for each key that is not on the allow-list.
    """

    def render(_logger: WrappedLogger, method: str, event: EventDict) -> str:
        kept = {key: event[key] for key in event if key in _WRITTEN_KEYS}
        for _ in range(len(event) - len(kept)):
            on_dropped_key()
        kept["level"] = method
        return _encode(kept)

    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # One for all the rest: an acknowledgment waits for its line, and a chain of small
            # processors took a quarter of the time of an answer.
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line: whoever replaces sys.stderr gets the lines from then on.
        logger_factory=lambda *_: _Lines(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over_other_libraries()
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda arguments: _log_class(arguments.exc_type)


class _Lines:
    """Writes lines. One that cannot be written is lost: a full disk under the log, or a reader that
    has left it, must not end the work that the line tells of.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, line: str) -> None:
        """Write a line at once."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(f"{line}\n")
            self._stream.flush()

    warning = error = info


def log_loop_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Stand in for asyncio's own handler, which prints the exception's text."""
    error = context.get("exception")
    _log_class(type(error) if error is not None else None)


class _OtherLibraries(logging.Handler):
    """Keeps that a library warned, and drops what it said."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line for a record of another library."""
        error = record.exc_info[0] if record.exc_info else None
        log.warning(
            "library.record_logged",
            library=record.name,
            status=record.levelname.lower(),
            error_class=error.__name__ if error else None,
        )


def _take_over_other_libraries() -> None:
    root = logging.getLogger()  # noqa: TID251 - the one place that silences the others
    root.handlers = [_OtherLibraries(level=logging.WARNING)]
    root.setLevel(logging.WARNING)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log_class(kind)


def _log_class(kind: type[BaseException] | None) -> None:
    log.error("daemon.failed_unexpectedly", error_class=kind.__name__ if kind else "unknown")
