"""The loop of the Kafka door: what is committed, and what happens when anything of it fails."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from daemon import kafka_door
from daemon.clock import SystemClock
from daemon.config_kafka import KafkaBacklog
from daemon.errors import JournalUnavailableError
from daemon.kafka_door import KafkaDoor
from interfaces.errors import BrokerRetryError
from tests.unit.daemon.conftest import HandClock
from tests.unit.daemon.kafka_samples import ZERO, ScriptedSource, make_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from interfaces.kafka_contract import Partition
    from mappings.kafka_record import KafkaRecord


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_door, "CONNECT_WAIT_MIN_S", 0.01)
    monkeypatch.setattr(kafka_door, "CONNECT_WAIT_MAX_S", 0.02)
    monkeypatch.setattr(kafka_door, "BACKLOG_LOOK_S", 0.0)
    monkeypatch.setattr(kafka_door, "LAG_LOOK_S", 0.01)
    monkeypatch.setattr(kafka_door, "DISK_WAIT_S", 0.01)


@dataclass
class Keeper:
    """Keeps what it gets, but fails so many times first."""

    failures: int = 0
    kept: list[int] = field(default_factory=list)

    async def keep(self, records: Sequence[KafkaRecord]) -> dict[Partition, int]:
        if self.failures:
            self.failures -= 1
            raise JournalUnavailableError("disk_full")
        self.kept += [record.offset for record in records]
        return {ZERO: records[-1].offset + 1}


@dataclass
class Backlog:
    waiting: int = 0

    async def backlog(self) -> int:
        return self.waiting


@contextlib.asynccontextmanager
async def running(
    source: ScriptedSource,
    keeper: Keeper,
    backlog: Backlog | None = None,
    clock: object = None,
) -> AsyncIterator[KafkaDoor]:
    door = KafkaDoor(
        source,
        keeper,
        backlog or Backlog(),  # type: ignore[arg-type]
        clock=clock or SystemClock(),  # type: ignore[arg-type]
        backlog=KafkaBacklog(pause_above=10, resume_below=5),
        stalled_s=60,
    )
    door.start()
    try:
        yield door
    finally:
        await door.drain(5)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def test_what_is_kept_is_committed() -> None:
    source, keeper = ScriptedSource([make_records(0, 1), make_records(2)]), Keeper()
    async with running(source, keeper):
        await until(lambda: len(source.commits) == 2)

    assert keeper.kept == [0, 1, 2]
    assert source.commits == [{ZERO: 2}, {ZERO: 3}]
    assert source.stops == 1


async def test_nothing_is_committed_that_the_disk_did_not_take() -> None:
    source, keeper = ScriptedSource([make_records(0, 1)]), Keeper(failures=2)
    async with running(source, keeper) as door:
        await until(lambda: len(source.commits) == 1)

    assert source.rewound == [0, 1, 0, 1]
    assert keeper.kept == [0, 1]
    assert source.commits == [{ZERO: 2}]
    assert not door.stats.resets


async def test_a_commit_that_fails_is_counted_and_the_next_batch_taken() -> None:
    source = ScriptedSource([make_records(0), make_records(1)], does_commit=False)
    keeper = Keeper()
    async with running(source, keeper) as door:
        await until(lambda: door.stats.commits_failed == 2)

    assert keeper.kept == [0, 1]
    assert source.starts == 1


@pytest.mark.parametrize("error", [BrokerRetryError("not_authorized"), ValueError("QUETZALCANARY")])
async def test_whatever_breaks_it_connects_again(error: Exception) -> None:
    source, keeper = ScriptedSource([error, make_records(0)]), Keeper()
    async with running(source, keeper) as door:
        await until(lambda: bool(source.commits))

    assert source.starts == 2
    assert source.stops == 2
    assert door.stats.connects_failed == 1


async def test_a_broker_that_is_away_at_the_start_is_waited_for() -> None:
    source, keeper = ScriptedSource([make_records(0)], does_start=False), Keeper()
    async with running(source, keeper) as door:
        await until(lambda: source.starts >= 3)
        state = door.stats.state
        source.does_start = True
        await until(lambda: bool(source.commits))

    assert state == "connecting"
    assert keeper.kept == [0]


async def test_fetching_pauses_above_the_mark_and_polling_goes_on() -> None:
    source, keeper, backlog = ScriptedSource(), Keeper(), Backlog(11)
    async with running(source, keeper, backlog) as door:
        await until(lambda: source.is_paused)
        before = source.fetches
        await until(lambda: source.fetches > before + 5)
        state = door.stats.state
        backlog.waiting = 7  # between the marks nothing changes
        before = source.fetches
        await until(lambda: source.fetches > before + 5)
        was_paused = source.is_paused
        backlog.waiting = 4
        await until(lambda: not source.is_paused)

    assert state == "paused"
    assert was_paused


async def test_records_that_come_again_behind_the_commit_are_alerted() -> None:
    source, keeper = ScriptedSource([make_records(0, 1)], offsets={ZERO: 25}), Keeper()
    async with running(source, keeper) as door:
        await until(lambda: bool(door.stats.resets))

    assert door.stats.resets == {("reports", "back"): 1}
    assert keeper.kept == [0, 1]


@pytest.mark.parametrize(("oldest", "resets"), [(40, {("reports", "lost"): 1}), (0, {})])
async def test_records_that_were_deleted_unread_are_alerted_and_a_gap_is_not(
    oldest: int, resets: dict[tuple[str, str], int]
) -> None:
    source, keeper = ScriptedSource([make_records(40)], offsets={ZERO: 25}, oldest=oldest), Keeper()
    async with running(source, keeper) as door:
        await until(lambda: bool(source.commits))
        await until(lambda: source.fetches > 3)

    assert door.stats.resets == resets


async def test_a_connection_that_went_silent_is_made_afresh() -> None:
    clock = HandClock()
    source, keeper = ScriptedSource(), Keeper()
    async with running(source, keeper, clock=clock) as door:
        await until(lambda: source.fetches > 3)
        clock.advance(20)
        source.fetched_ms = 0  # its partitions were taken away: no answer either
        await until(lambda: door.stats.state == "stalled")
        starts = source.starts
        clock.advance(41)
        await until(lambda: source.starts == 2)

    assert starts == 1
    assert door.stats.connects_failed == 1


async def test_while_paused_an_answer_to_any_question_is_the_sign_of_life() -> None:
    clock = HandClock()
    source, keeper = ScriptedSource(), Keeper()
    async with running(source, keeper, Backlog(11), clock) as door:
        await until(lambda: source.is_paused)
        clock.advance(50)
        await until(lambda: door.stats.answered_s == clock.monotonic_s())
        await until(lambda: door.stats.state == "paused")

    assert door.stats.connects_failed == 0


async def test_what_is_in_hand_at_the_end_is_kept_and_committed() -> None:
    source, keeper = ScriptedSource([make_records(0)]), Keeper()
    async with running(source, keeper) as door:
        await until(lambda: source.fetches == 1)
        await door.drain(5)

    assert (keeper.kept, source.commits) == ([0], [{ZERO: 1}])
    assert source.stops == 1


async def test_the_lag_is_told_by_topic() -> None:
    async with running(ScriptedSource(), Keeper()) as door:
        await until(lambda: bool(door.stats.lag))

    assert door.stats.lag == {"reports": 5}
