"""A broker that is away must not fill the log with the client's lines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from interfaces.kafka_noise import LIBRARY, limit_noise

if TYPE_CHECKING:
    import pytest


def test_one_line_of_each_logger_is_let_through_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = logging.getLogger(LIBRARY)  # noqa: TID251 - it is the client's
    before = library.handlers, library.propagate
    try:
        limit_noise()
        limit_noise()
        for name in ("aiokafka.conn", "aiokafka.consumer.fetcher"):
            for _ in range(500):
                logging.getLogger(name).error("a broker is away")  # noqa: TID251 - same
        logging.getLogger("aiokafka.conn").info("nothing of note")  # noqa: TID251 - same
    finally:
        library.handlers, library.propagate = before

    assert sorted(record.name for record in caplog.records) == [
        "aiokafka.conn",
        "aiokafka.consumer.fetcher",
    ]
