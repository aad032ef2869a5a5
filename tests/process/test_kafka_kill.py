"""Two daemons of one group, one killed in the middle: nothing lost, nothing posted twice.

Each has a journal of its own. What both get of a partition that moves is one Observation, because
the report's own key makes its id.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.brokers import create_topic, produce, running_broker
from tests.process.conftest import Daemon, read_json, read_text, until
from tests.unit.interfaces.fhir_servers import serving_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGES = 300
PARTITIONS = 4
pytestmark = [pytest.mark.process, pytest.mark.integration]


def kafka_of(bootstrap: str, **more: object) -> dict[str, object]:
    times = {"session_s": 6, "heartbeat_s": 1}
    return {
        "bootstrap": [bootstrap],
        "topics": {"reports": {}},
        "group": "two",
        "idempotent": False,
        "records_max": 10,
        "times": times,
        **more,
    }


@pytest.mark.timeout(150)
async def test_two_daemons_share_a_topic_and_one_is_killed(
    tmp_path: Path,
    free_port: Callable[[], int],
    make_messages: Callable[..., list[bytes]],
) -> None:
    messages = make_messages(MESSAGES)
    config = tmp_path / "prelim.yaml"
    one, other = (
        Daemon(tmp_path / name, free_port(), free_port(), arguments=("--config", str(config)))
        for name in ("one", "other")
    )
    async with serving_store() as (fhir, _), running_broker("tansu", tmp_path) as broker:
        await create_topic(broker, "reports", PARTITIONS)
        config.write_text(
            json.dumps(
                {
                    "fhir": {"base_url": fhir, "write": "put"},
                    "model": {"allow_demo": True},
                    "kafka": kafka_of(broker.bootstrap),
                }
            )
        )
        try:
            for daemon in (one, other):
                daemon.start()
            await until(lambda: has_half(one) and has_half(other))
            await produce(broker, "reports", messages[: MESSAGES // 2])
            await until(lambda: min(one.count("POSTED"), other.count("POSTED")) > 0)
            one.kill()
            await produce(broker, "reports", messages[MESSAGES // 2 :])
            # Its share goes to the other; it comes back with its journal and posts the rest.
            await until(lambda: metric(other, "prelim_kafka_partitions") == PARTITIONS)
            one.start()
            await until(lambda: is_idle(one) and is_idle(other))
            await until(lambda: len(observations(fhir)) >= MESSAGES)
            found = await asyncio.to_thread(observations, fhir)
            failed = [await asyncio.to_thread(each.count, "FAILED") for each in (one, other)]
            audits = [
                await asyncio.to_thread(each.prelim, "audit", "verify") for each in (one, other)
            ]
        finally:
            for daemon in (one, other):
                if daemon.process is not None and daemon.process.poll() is None:
                    daemon.kill()

    assert len(found) == MESSAGES
    assert len({entry["identifier"][0]["value"] for entry in found}) == MESSAGES
    assert failed == [0, 0]
    assert [code for code, _, _ in audits] == [0, 0]


def has_half(daemon: Daemon) -> bool:
    return metric(daemon, "prelim_kafka_partitions") == PARTITIONS // 2


def metric(daemon: Daemon, name: str) -> float:
    lines = read_text(f"{daemon.url}/metrics").splitlines()
    told = (float(line.split()[1]) for line in lines if line.startswith(f"{name} "))
    return next(told, 0.0)  # not there before the door is open


def is_idle(daemon: Daemon) -> bool:
    return not any(daemon.count(state) for state in ("RECEIVED", "MAPPED", "DRAFTED"))


def observations(fhir: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    url: str | None = f"{fhir}/Observation?_count=100"
    while url is not None:
        page = read_json(url)
        found += [entry["resource"] for entry in page.get("entry", [])]
        url = next(
            (link["url"] for link in page.get("link", []) if link["relation"] == "next"), None
        )
    return found
