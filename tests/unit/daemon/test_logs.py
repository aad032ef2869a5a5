"""Log lines: JSON, closed keys, nothing of other libraries' texts."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.logs import log_loop_failure, start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "CANARY^QUILLFEATHER"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()  # noqa: TID251 - put back what start_logging takes over
    before = (root.handlers, root.level, sys.excepthook, threading.excepthook)
    yield io.StringIO()
    root.handlers, level, sys.excepthook, threading.excepthook = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_event_level_time_and_allowed_keys(stream: io.StringIO) -> None:
    start_logging(stream=stream)

    structlog.get_logger().info("journal.message_received", message_id="m1")

    [line] = lines(stream)
    assert line.keys() == {"event", "level", "timestamp", "message_id"}
    assert (line["event"], line["level"], line["message_id"]) == (
        "journal.message_received",
        "info",
        "m1",
    )


def test_a_key_off_the_list_is_dropped_and_counted(stream: io.StringIO) -> None:
    dropped: list[int] = []
    start_logging(stream=stream, on_dropped_key=lambda: dropped.append(1))

    structlog.get_logger().info("journal.message_received", patient_name=CANARY, payload=CANARY)

    assert CANARY not in stream.getvalue()
    assert len(dropped) == 2


def test_another_librarys_words_are_not_written(stream: io.StringIO) -> None:
    start_logging(stream=stream)

    other = logging.getLogger("aiohttp.server")  # noqa: TID251 - stands for another library
    other.error("could not read %s", CANARY, exc_info=ValueError(CANARY))

    [line] = lines(stream)
    assert CANARY not in stream.getvalue()
    assert (line["library"], line["error_class"]) == ("aiohttp.server", "ValueError")


def test_an_uncaught_exception_shows_its_class_only(stream: io.StringIO) -> None:
    start_logging(stream=stream)

    sys.excepthook(KeyError, KeyError(CANARY), None)
    thread = threading.Thread(target=lambda: {}[CANARY])
    thread.start()
    thread.join()

    assert CANARY not in stream.getvalue()
    assert [line["error_class"] for line in lines(stream)] == ["KeyError", "KeyError"]


async def test_a_lost_tasks_exception_shows_its_class_only(stream: io.StringIO) -> None:
    start_logging(stream=stream)
    loop = asyncio.get_running_loop()

    log_loop_failure(loop, {"message": CANARY, "exception": RuntimeError(CANARY)})

    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["error_class"] == "RuntimeError"


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    start_logging("warning", stream=stream)

    structlog.get_logger().info("journal.message_received")

    assert stream.getvalue() == ""


class _Full(io.StringIO):
    """A stream on a disk that is full."""

    def flush(self) -> None:
        raise OSError(28, "no space")


def test_a_line_that_cannot_be_written_stops_nobody(stream: io.StringIO) -> None:
    start_logging(stream=_Full())
    structlog.get_logger().error("journal.commit_failed", reason="disk_full")
    start_logging(stream=stream)
    stream.close()

    structlog.get_logger().error("journal.commit_failed", reason="disk_full")

    assert stream.closed
