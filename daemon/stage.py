"""One stage of the pipeline: claim what is due, oldest first, run so many steps at once.

Claims live in memory only: the journal knows states, so a crash forgets every claim and loses
nothing. A step never raises for a reason of its report; what escapes is a fault of ours, and the
report is put off so that it cannot stop the next one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from daemon.errors import JournalUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence

log = structlog.get_logger()
Work = TypeVar("Work")


async def _at_once() -> None:
    return


@dataclass(frozen=True, slots=True)
class Wakes:
    """One for each stage, set by whoever makes work for it: a stage need not look in vain."""

    mapping: asyncio.Event = field(default_factory=asyncio.Event)
    drafting: asyncio.Event = field(default_factory=asyncio.Event)
    posting: asyncio.Event = field(default_factory=asyncio.Event)
    delivering: asyncio.Event = field(default_factory=asyncio.Event)

    def after_mapping(self) -> None:
        """Say that a message was read: there may be something to draft, take back, or tell."""
        for wakened in (self.drafting, self.posting, self.delivering):
            wakened.set()


@dataclass(frozen=True, slots=True)
class StagePlan(Generic[Work]):
    """What a stage does.

    Attributes:
        name: Stable, for logs and metrics: map, draft, post.
        fetch: Due work, oldest first, at most ``limit``; may repeat what is in ``but_not``.
        step: One step of one piece of work.
        identity: Its id.
        exclusive: What no two steps may share at once (the report key), or None.
        put_off: Called when a step failed unexpectedly, with the error's class name.
        in_flight_max: Steps at once.
        wakened: Set when there may be work.
        wait_turn: Awaited before a step, so that a burst of steps gives way to the doors.
        poll_s: Look again after this even if nobody woke us: another process may have replayed.
    """

    name: str
    fetch: Callable[[int, Collection[str]], Awaitable[Sequence[Work]]]
    step: Callable[[Work], Awaitable[None]]
    identity: Callable[[Work], str]
    exclusive: Callable[[Work], Hashable | None]
    put_off: Callable[[Work, str], Awaitable[None]]
    in_flight_max: int
    wakened: asyncio.Event = field(default_factory=asyncio.Event)
    wait_turn: Callable[[], Awaitable[None]] = _at_once
    poll_s: float = 1.0


class Stage(Generic[Work]):
    """Runs a plan until it is told to stop."""

    def __init__(self, plan: StagePlan[Work]) -> None:
        """Start with nothing claimed."""
        self._plan = plan
        self._wakened = plan.wakened
        self._claims: dict[str, Hashable | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @property
    def in_flight(self) -> int:
        """Steps running now."""
        return len(self._claims)

    async def run_stage(self) -> None:
        """Claim and start steps until ``drain``."""
        while not self._is_stopping:
            self._wakened.clear()
            try:
                await self._claim_due()
            except Exception as error:  # noqa: BLE001 - the stage must outlive a bad moment of the disk
                self._tell_journal(error)
            try:
                await asyncio.wait_for(self._wakened.wait(), self._plan.poll_s)
            except TimeoutError:
                continue

    async def drain(self, deadline_s: float) -> int:
        """Claim no more; wait for running steps; cancel what is late.

        Returns:
            How many steps were cancelled. Their reports stay in their state, for the next start.
        """
        self._is_stopping = True
        self._wakened.set()
        if not self._tasks:
            return 0
        _done, late = await asyncio.wait(set(self._tasks), timeout=deadline_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _claim_due(self) -> None:
        free = self._plan.in_flight_max - len(self._claims)
        if free <= 0:
            return
        # A report whose key is busy may stand before others: ask for as many more as can be busy.
        limit = free + len(self._claims)
        for work in await self._plan.fetch(limit, tuple(self._claims)):
            if len(self._claims) >= self._plan.in_flight_max or self._is_stopping:
                return
            self._start(work)

    def _start(self, work: Work) -> None:
        identity, exclusive = self._plan.identity(work), self._plan.exclusive(work)
        if identity in self._claims:
            return
        if exclusive is not None and exclusive in self._claims.values():
            return
        self._claims[identity] = exclusive
        task = asyncio.create_task(self._run_step(work, identity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_step(self, work: Work, identity: str) -> None:
        try:
            await self._plan.wait_turn()
            await self._plan.step(work)
        except Exception as error:  # noqa: BLE001 - a task's top: logged once, the report put off
            if isinstance(error, JournalUnavailableError) and not error.is_of_one_report:
                # The disk's trouble, or its writer's: nothing is held against the report.
                await self._wait_for_journal(error)
            else:
                await self._put_off(work, type(error).__name__)
        finally:
            del self._claims[identity]
            self._wakened.set()

    async def _put_off(self, work: Work, error_class: str) -> None:
        log.error("pipeline.step_failed", stage=self._plan.name, error_class=error_class)
        try:
            await self._plan.put_off(work, error_class)
        except Exception as error:  # noqa: BLE001 - the journal itself is out of order
            await self._wait_for_journal(error)

    async def _wait_for_journal(self, error: Exception) -> None:
        self._tell_journal(error)
        await asyncio.sleep(self._plan.poll_s)

    def _tell_journal(self, error: Exception) -> None:
        log.error(
            "pipeline.claim_failed",
            stage=self._plan.name,
            error_class=type(error).__name__,
            reason=getattr(error, "reason", None),
        )
