"""A source of records that a test fills and breaks, and a keeper that remembers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import Lag, Partition
from mappings.kafka_record import KafkaRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOPIC = "reports"
ZERO = Partition(TOPIC, 0)


def make_records(*offsets: int) -> list[KafkaRecord]:
    return [KafkaRecord(TOPIC, 0, offset, None, f"record {offset}".encode()) for offset in offsets]


@dataclass
class ScriptedSource:
    """Gives its batches one after another; then nothing, or an error that was put among them."""

    batches: list[list[KafkaRecord] | Exception] = field(default_factory=list)
    is_paused: bool = False
    generation: int = 1
    assigned: frozenset[Partition] = frozenset({ZERO})
    offsets: dict[Partition, int] = field(default_factory=dict)
    oldest: int = 0
    starts: int = 0
    stops: int = 0
    does_commit: bool = True
    does_start: bool = True
    commits: list[dict[Partition, int]] = field(default_factory=list)
    rewound: list[int] = field(default_factory=list)
    fetches: int = 0
    fetched_ms: int = 1

    async def start(self) -> None:
        self.starts += 1
        if not self.does_start:
            raise BrokerRetryError("broker_unreachable")

    async def fetch(self, wait_s: float) -> list[KafkaRecord]:
        self.fetches += 1
        await asyncio.sleep(0.001)
        if self.is_paused or not self.batches:
            return []
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        if not self.does_commit:
            raise BrokerRetryError("commit_failed", "broker_timed_out")
        self.commits.append(dict(offsets))

    def rewind(self, records: Sequence[KafkaRecord]) -> None:
        self.rewound += [record.offset for record in records]
        self.batches.insert(0, list(records))

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def fetched_at_ms(self) -> int:
        return self.fetched_ms

    async def committed(self) -> dict[Partition, int]:
        return self.offsets

    async def measure_lag(self) -> dict[Partition, Lag]:
        return {ZERO: Lag(5, self.oldest)}

    async def stop(self) -> None:
        self.stops += 1
