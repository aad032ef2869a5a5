"""The Kafka side of a daemon with a journal of its own, without a model, for tests with brokers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from daemon.clock import SystemClock
from daemon.config import Settings
from daemon.journal_sqlite import open_journal
from daemon.kafka_side import KafkaSide
from daemon.metrics import Metrics
from daemon.outbound import Outbound
from daemon.stage import Wakes
from mappings.sites import SiteSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from daemon.journal import Row
    from daemon.journal_sqlite import SqliteJournal
    from tests.integration.brokers import Broker

QUICK = {"session_s": 6, "heartbeat_s": 1, "request_s": 5, "commit_s": 3, "stop_s": 3}
ORU = (
    "MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01|{id}|P|2.5.1\r"
    "PID|1||P1^^^DEMO^MR||QUETZALCANARY^ANNA||19700101|F\r"
    "OBR|1|O1|F{id}|CTCHEST^CT CHEST^L|||20261121070000|||||||||||||||20261121073000||CT|P\r"
    "OBX|1|TX|&GDT||There is a {size} mm nodule in the right upper lobe.||||||P\r"
)


def make_oru(control_id: str, size: int = 4) -> bytes:
    return ORU.format(id=control_id, size=size).encode()


def kafka_settings(broker: Broker, topics: dict[str, Any], **more: object) -> dict[str, Any]:
    return {
        "bootstrap": [broker.bootstrap],
        "topics": topics,
        "times": QUICK,
        "idempotent": broker.is_idempotent,
        "retry": {"wait_min_s": 0.2, "wait_max_s": 1},
        **more,
    }


@dataclass
class Side:
    """A Kafka side that runs."""

    kafka: KafkaSide
    journal: SqliteJournal
    metrics: Metrics

    async def rows(self) -> list[Row]:
        return list(await self.journal.rows(limit=100_000))

    async def control_ids(self) -> list[str]:
        return sorted(row.message_control_id for row in await self.rows())

    async def wait_for_rows(self, count: int) -> None:
        async def is_there() -> bool:
            return len(await self.rows()) >= count

        await until(is_there)

    def count(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples with these labels."""
        text = self.metrics.render().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Look again until it is so; the test's own timeout is the limit."""
    while not await condition():
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def running_side(
    broker: Broker, data: Path, topics: dict[str, Any], **more: object
) -> AsyncIterator[Side]:
    """Run what ``prelim serve`` would of Kafka; keyword arguments are settings of ``kafka``."""
    settings = Settings.model_validate(
        {"data": data, "kafka": kafka_settings(broker, topics, **more)}
    )
    clock, metrics = SystemClock(), Metrics()
    kafka = KafkaSide(settings, clock)
    outbound = Outbound(settings, SiteSet(), clock)
    kafka.join(outbound)
    async with open_journal(data / "journal.sqlite", clock=clock) as journal:
        wakes = Wakes()
        outbound.start(journal, metrics, wakes.delivering)
        kafka.open_door(journal, metrics, wakes)
        try:
            yield Side(kafka, journal, metrics)
        finally:
            await kafka.close_door(15)
            await outbound.drain(5)
            await kafka.close()
