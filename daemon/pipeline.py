"""The way of a report after its sender was answered: map -> draft -> post, each a stage.

The journal is the only queue: a stage asks it for what is due, so a restart picks up every report
where it stood. Nothing here talks to a sender, and no sender waits for anything here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from daemon.lifecycle import State
from daemon.stage import Stage, StagePlan
from mappings.domain import ReportId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from daemon.clock import Clock
    from daemon.drafting import DraftStep
    from daemon.journal import PendingMessage, PendingReport
    from daemon.journal_ports import PipelineJournal
    from daemon.mapping import MapStep
    from daemon.posting import PostStep
    from daemon.stage import Wakes

log = structlog.get_logger()
MAPS_IN_FLIGHT_MAX = 64
"""Enough for one group commit to carry many; mapping itself is CPU of this process."""


@dataclass(frozen=True, slots=True)
class PipelineLimits:
    """How much at once, whose turn it is, and whether anything is drafted now, or posted."""

    drafts_in_flight_max: int
    posts_in_flight_max: int
    is_shadow: bool
    wait_turn: Callable[[], Awaitable[None]]
    is_model_ready: Callable[[], bool]
    may_post: Callable[[], bool] = lambda: True


class Pipeline:
    """The three stages over one journal."""

    def __init__(
        self,
        journal: PipelineJournal,
        *,
        map_step: MapStep,
        draft_step: DraftStep,
        post_step: PostStep,
        limits: PipelineLimits,
        wakes: Wakes,
        clock: Clock,
    ) -> None:
        """Plan the stages; nothing runs yet."""
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._wakes = wakes
        self._tasks: list[asyncio.Task[None]] = []
        self._map = self._map_stage(map_step)
        self._draft = self._draft_stage(draft_step)
        self._post = self._post_stage(post_step)

    def _map_stage(self, step: MapStep) -> Stage[PendingMessage]:
        return Stage(
            StagePlan(
                name="map",
                fetch=self._due_messages,
                step=step,
                identity=lambda pending: pending.message_id,
                exclusive=lambda _pending: None,
                put_off=step.put_off,
                in_flight_max=MAPS_IN_FLIGHT_MAX,
                wakened=self._wakes.mapping,
                wait_turn=self._limits.wait_turn,
            )
        )

    def _draft_stage(self, step: DraftStep) -> Stage[PendingReport]:
        return Stage(
            StagePlan(
                name="draft",
                fetch=self._due_drafts,
                step=step,
                identity=lambda report: report.report_id,
                exclusive=lambda _report: None,
                put_off=step.put_off,
                in_flight_max=self._limits.drafts_in_flight_max,
                wakened=self._wakes.drafting,
                wait_turn=self._limits.wait_turn,
            )
        )

    def _post_stage(self, step: PostStep) -> Stage[PendingReport]:
        return Stage(
            StagePlan(
                name="post",
                fetch=self._due_posts,
                step=step,
                identity=lambda report: report.report_id,
                # One post or retraction in flight per report key: the server sees versions in
                # their order.
                exclusive=lambda report: report.report_key,
                put_off=step.put_off,
                in_flight_max=self._limits.posts_in_flight_max,
                wakened=self._wakes.posting,
                wait_turn=self._limits.wait_turn,
            )
        )

    def start(self) -> None:
        """Run the stages until ``drain``."""
        self._tasks = [
            asyncio.create_task(stage.run_stage()) for stage in (self._map, self._draft, self._post)
        ]

    async def drain(self, deadline_s: float) -> None:
        """Claim no more, wait for running steps, cancel what is late: the journal knows it."""
        late = await asyncio.gather(
            *(stage.drain(deadline_s) for stage in (self._map, self._draft, self._post))
        )
        await asyncio.gather(*self._tasks)
        if sum(late):
            log.warning("pipeline.steps_cancelled", count=sum(late))

    async def _due_messages(
        self, limit: int, _but_not: Collection[str]
    ) -> Sequence[PendingMessage]:
        return await self._journal.pending_messages(limit)

    async def _due_drafts(self, limit: int, but_not: Collection[str]) -> Sequence[PendingReport]:
        return (
            await self._due(State.MAPPED, limit, but_not) if self._limits.is_model_ready() else ()
        )

    async def _due_posts(self, limit: int, but_not: Collection[str]) -> Sequence[PendingReport]:
        if self._limits.is_shadow or not self._limits.may_post():
            return ()
        if await self._journal.is_paused():
            return ()
        # What must not be read any longer goes before what may be read soon.
        retractions = await self._due(State.RETRACTING, limit, but_not)
        return [*retractions, *await self._due(State.DRAFTED, limit, but_not)]

    async def _due(
        self, state: State, limit: int, but_not: Collection[str]
    ) -> Sequence[PendingReport]:
        claimed = tuple(ReportId(id_) for id_ in but_not)
        return await self._journal.pending_reports(
            state, now=self._clock.now(), limit=limit, but_not=claimed
        )
