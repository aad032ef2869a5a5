"""`prelim serve` with a topic: what comes in, what goes out, what it says of itself."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.brokers import (
    create_topic,
    produce,
    read_committed,
    read_topic,
    running_broker,
)
from tests.process.conftest import Daemon, read_json, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.integration]


@pytest.mark.timeout(120)
async def test_a_daemon_takes_reports_from_a_topic_and_tells_what_became_of_each(
    daemon: Daemon, tmp_path: Path, make_messages: Callable[..., list[bytes]], canary_name: str
) -> None:
    good = make_messages(3, name=f"{canary_name}^ANNA")
    unreadable = (
        good[0].replace(b"|M0|P|2.5.1", b"|M9|P|2.5.1||||||UNICODE UTF-8") + b"NTE|1||\xff\r"
    )
    async with running_broker("noida", tmp_path) as broker:
        for topic in ("reports", "reports.dlq", "drafts"):
            await create_topic(broker, topic)
        config = tmp_path / "prelim.yaml"
        kafka = {
            "bootstrap": [broker.bootstrap],
            "topics": {"reports": {}},
            "results_topic": "drafts",
            "times": {"session_s": 6, "heartbeat_s": 1},
        }
        config.write_text(json.dumps({"kafka": kafka}))
        daemon.arguments = ("--config", str(config))
        daemon.start()
        await produce(broker, "reports", [*good, unreadable])
        await until(lambda: daemon.count("POSTED") == 3)
        checks = await asyncio.to_thread(read_json, f"{daemon.url}/readyz")
        results = await read_topic(broker, "drafts", 3)
        (letter,) = await read_topic(broker, "reports.dlq", 1)
        code = await asyncio.to_thread(daemon.terminate)
        committed = await read_committed(broker, "prelim", "reports")
        broker.stop()
        log = daemon.log.read_text()

    assert code == 0
    assert checks["checks"]["kafka"] == "running"
    assert {json.loads(one.value)["status"] for one in results} == {"preliminary"}
    assert len({one.key for one in results}) == 3
    assert letter.value == unreadable
    assert dict(letter.headers)["prelim-offset"] == b"3"
    assert committed == [4]
    assert canary_name not in log
    assert canary_name not in repr([(one.key, one.headers) for one in (*results, letter)])
    assert '"kafka.client_abandoned"' not in log
