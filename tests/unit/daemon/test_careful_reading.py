"""What was left over by an earlier run is read one at a time, and not for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from daemon.careful_reading import STARTS_MAX, CarefulReading
from daemon.lifecycle import State
from daemon.mapping import MapStep
from daemon.metrics import Metrics
from mappings.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal import PendingMessage
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport
    from tests.unit.daemon.conftest import HandClock


class ProcessKilledError(BaseException):
    """Stands for the end of the process: nothing of ours runs after it."""


def kill(_raw: RawReport) -> list[object]:
    raise ProcessKilledError


async def start_and_map(
    journal: SqliteJournal, clock: HandClock, plan: Callable[[RawReport], object] = kill
) -> None:
    """Do what one start does with the oldest message."""
    careful = CarefulReading(journal, started_at=clock.now() + timedelta(seconds=1))
    step = MapStep(
        journal,
        plan=plan,  # type: ignore[arg-type] - it never comes back with reports
        metrics=Metrics(),
        wake_next=lambda: None,
        guard=careful.guard,
    )
    [pending] = await journal.pending_messages(1)
    await step(pending)


async def test_a_message_that_ends_the_process_at_each_start_is_rejected_after_three(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    await journal.receive(make_raw(), peer="test")
    for _ in range(STARTS_MAX):
        with pytest.raises(ProcessKilledError):
            await start_and_map(journal, clock)

    await start_and_map(journal, clock)

    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.REJECTED, "reader_killed_process")
    assert not await journal.pending_messages(1)


async def test_a_replayed_one_is_counted_from_nothing(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    message_id = (await journal.receive(make_raw(), peer="test")).message_id
    for _ in range(STARTS_MAX):
        await journal.count_attempt(message_id)
    await start_and_map(journal, clock)

    await journal.replay(message_id, actor="operator")

    [pending] = await journal.pending_messages(1)
    assert pending.attempts == 0
    assert (await journal.verify_chain()).is_whole


async def test_a_message_of_this_run_is_neither_counted_nor_held_up(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    await journal.receive(make_raw(), peer="test")
    [pending] = await journal.pending_messages(1)
    careful = CarefulReading(journal, started_at=clock.now())

    async with careful.guard(pending), careful.guard(pending):
        pass

    [pending] = await journal.pending_messages(1)
    assert pending.attempts == 0


async def test_left_over_messages_are_read_one_at_a_time_and_counted_once_a_start(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    for name in ("M1", "M2"):
        await journal.receive(make_raw(message_control_id=name), peer="test")
    careful = CarefulReading(journal, started_at=clock.now() + timedelta(seconds=1))
    counted: list[list[int]] = []

    async def read(pending: PendingMessage) -> None:
        async with careful.guard(pending):
            counted.append([one.attempts for one in await journal.pending_messages(2)])

    both = await journal.pending_messages(2)
    await asyncio.gather(*map(read, both))
    await asyncio.gather(*map(read, both))

    assert counted == [[1, 0], [1, 1], [1, 1], [1, 1]]


async def test_the_one_that_is_rejected_says_why(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    message_id = (await journal.receive(make_raw(), peer="test")).message_id
    for _ in range(STARTS_MAX):
        await journal.count_attempt(message_id)
    [pending] = await journal.pending_messages(1)
    careful = CarefulReading(journal, started_at=clock.now() + timedelta(seconds=1))

    with pytest.raises(UnreadableContentError, match="reader_killed_process"):
        async with careful.guard(pending):
            pytest.fail("it was read")
