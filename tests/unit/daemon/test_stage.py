"""A stage: bounded, oldest first, never two of one key, never stopped by one report."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from daemon.errors import JournalUnavailableError
from daemon.stage import Stage, StagePlan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection


@dataclass
class Bench:
    """Work in memory, with a gate that holds every step until it is opened."""

    waiting: list[tuple[str, str]]
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    started: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    broken: set[str] = field(default_factory=set)
    put_off: list[tuple[str, str]] = field(default_factory=list)
    lost: str | None = None

    async def fetch(self, limit: int, but_not: Collection[str]) -> list[tuple[str, str]]:
        return [work for work in self.waiting if work[0] not in but_not][:limit]

    async def step(self, work: tuple[str, str]) -> None:
        self.started.append(work[0])
        await self.gate.wait()
        if self.lost:
            raise JournalUnavailableError(self.lost)
        if work[0] in self.broken:
            raise ZeroDivisionError
        self._finish(work)

    async def give_up(self, work: tuple[str, str], error_class: str) -> None:
        self.put_off.append((work[0], error_class))
        self._finish(work)

    def _finish(self, work: tuple[str, str]) -> None:
        self.waiting.remove(work)
        if not self.waiting:
            self.done.set()

    @asynccontextmanager
    async def running(self, in_flight_max: int = 1) -> AsyncIterator[Stage[tuple[str, str]]]:
        """Run a stage over the work, and drain it at the end."""
        stage = Stage(
            StagePlan(
                name="test",
                fetch=self.fetch,
                step=self.step,
                identity=lambda work: work[0],
                exclusive=lambda work: work[1],
                put_off=self.give_up,
                in_flight_max=in_flight_max,
                poll_s=0.01,
            )
        )
        running = asyncio.create_task(stage.run_stage())
        yield stage
        await stage.drain(1)
        await running


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def test_no_more_steps_run_at_once_than_allowed() -> None:
    bench = Bench([(f"r{n}", f"k{n}") for n in range(5)])
    async with bench.running(in_flight_max=2) as stage:
        await until(lambda: len(bench.started) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        at_once = stage.in_flight
        bench.gate.set()
        await bench.done.wait()

    assert at_once == 2
    assert bench.started == ["r0", "r1", "r2", "r3", "r4"]


async def test_two_of_one_key_never_run_at_once_and_do_not_hold_up_others() -> None:
    bench = Bench([("a1", "a"), ("a2", "a"), ("b1", "b")])
    async with bench.running(in_flight_max=2):
        await until(lambda: len(bench.started) == 2)
        first_two = list(bench.started)
        bench.gate.set()
        await bench.done.wait()

    assert first_two == ["a1", "b1"]
    assert bench.started == ["a1", "b1", "a2"]


@pytest.mark.parametrize(
    ("broken", "lost", "put_off"),
    [
        ({"r1"}, None, [("r1", "ZeroDivisionError")]),
        (
            set(),
            "journal_operation_failed",
            [("r1", "JournalUnavailableError"), ("r2", "JournalUnavailableError")],
        ),
    ],
    ids=["it fails", "the journal cannot store it"],
)
async def test_a_step_that_fails_is_put_off_and_the_next_one_runs(
    broken: set[str], lost: str | None, put_off: list[tuple[str, str]]
) -> None:
    bench = Bench([("r1", "k1"), ("r2", "k2")], broken=broken, lost=lost)
    bench.gate.set()
    async with bench.running():
        await bench.done.wait()

    assert bench.put_off == put_off
    assert bench.started == ["r1", "r2"]


async def test_a_journal_that_takes_nothing_is_held_against_no_report() -> None:
    bench = Bench([("r1", "k1"), ("r2", "k2")], lost="journal_writer_lost")
    bench.gate.set()
    async with bench.running():
        await until(lambda: len(bench.started) == 3)
        bench.lost = None
        await bench.done.wait()

    assert bench.put_off == []


async def test_drain_waits_for_running_steps_and_claims_no_more() -> None:
    bench = Bench([("r0", "0"), ("r1", "1")])
    async with bench.running() as stage:
        await until(lambda: bench.started)
        draining = asyncio.create_task(stage.drain(5))
        await asyncio.sleep(0)
        bench.gate.set()

        assert await draining == 0
    assert bench.waiting == [("r1", "1")]


async def test_drain_cancels_what_is_late_and_leaves_it_in_its_state() -> None:
    bench = Bench([("r0", "0")])
    async with bench.running() as stage:
        await until(lambda: bench.started)

        assert await stage.drain(0.01) == 1
    assert bench.waiting == [("r0", "0")]
    assert bench.put_off == []


async def test_work_that_appears_without_a_wake_is_found_by_looking_again() -> None:
    bench = Bench([])
    bench.gate.set()
    async with bench.running():
        await asyncio.sleep(0)
        bench.waiting.append(("late", "k"))
        await bench.done.wait()

    assert bench.started == ["late"]
