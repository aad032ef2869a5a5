"""The pipeline over a real journal: every state is picked up where it stood."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from daemon.courtesy import Courtesy
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from daemon.pipeline import Pipeline, PipelineLimits
from daemon.stage import Wakes
from mappings.domain import DraftObservation, ReportKey
from tests.unit.daemon.journal_samples import bring_to, state_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.journal import PendingMessage, PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import Draft, RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock


def observation(key: str) -> DraftObservation:
    return DraftObservation(ReportKey(key), f"prelim-{key}", "urn:x", key, b"{}", "p", b"{}")


class Steps:
    """The three steps, as short as the journal lets them be."""

    def __init__(
        self,
        journal: SqliteJournal,
        make_study: Callable[..., StudyReport],
        make_draft: Callable[..., Draft],
    ) -> None:
        self.journal = journal
        self.make_study = make_study
        self.make_draft = make_draft
        self.began: list[State] = []
        self.posted = asyncio.Semaphore(0)
        self.drafted = asyncio.Semaphore(0)
        self.wakes = Wakes()

    def pipeline(
        self,
        clock: HandClock,
        *,
        is_shadow: bool = False,
        is_model_ready: bool = True,
        may_post: bool = True,
        wait_turn: Callable[[], Awaitable[None]] | None = None,
    ) -> Pipeline:
        return Pipeline(
            self.journal,
            map_step=Step(self.map),  # type: ignore[arg-type]
            draft_step=Step(self.draft),  # type: ignore[arg-type]
            post_step=Step(self.post),  # type: ignore[arg-type]
            limits=PipelineLimits(
                drafts_in_flight_max=2,
                posts_in_flight_max=2,
                is_shadow=is_shadow,
                is_model_ready=lambda: is_model_ready,
                may_post=lambda: may_post,
                wait_turn=wait_turn or Courtesy(lambda: False, clock).wait_turn,
            ),
            wakes=self.wakes,
            clock=clock,
        )

    async def map(self, pending: PendingMessage) -> None:
        key = ReportKey(pending.raw.message_control_id)
        born = NewReport(self.make_study(), key, Event.MAP)
        await self.journal.record_mapped(pending.message_id, [born])

    async def draft(self, report: PendingReport) -> None:
        assert report.report_key is not None
        await self.journal.record_drafted(
            report.report_id, self.make_draft(), observation(report.report_key)
        )
        self.drafted.release()

    async def post(self, report: PendingReport) -> None:
        self.began.append(report.state)
        is_posted = report.state is State.DRAFTED
        record = self.journal.record_posted if is_posted else self.journal.record_retracted
        await record(report.report_id, reference="Observation/x", version_id="1", outcome="created")
        self.posted.release()


class Step:
    """A step with nothing to put off."""

    def __init__(self, work: object) -> None:
        self.work = work

    async def __call__(self, pending: object) -> None:
        await self.work(pending)  # type: ignore[operator]

    async def put_off(self, pending: object, error_class: str) -> None:
        raise AssertionError(error_class)


async def receive(journal: SqliteJournal, make_raw: Callable[..., RawReport], *ids: str) -> None:
    for id_ in ids:
        await journal.receive(make_raw(id_.encode(), message_control_id=id_), peer="test")


async def test_what_stood_in_the_journal_at_the_start_is_finished(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    steps = Steps(journal, make_study, make_draft)
    await receive(journal, make_raw, "drafted", "mapped")
    for pending in await journal.pending_messages(2):
        await steps.map(pending)
    [first, _] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=2)
    await steps.draft(first)
    await receive(journal, make_raw, "received")

    pipeline = steps.pipeline(clock)
    pipeline.start()
    for _ in range(3):
        await steps.posted.acquire()
    await pipeline.drain(5)

    assert (await journal.counts())[State.POSTED] == 3


async def test_in_shadow_everything_runs_and_nothing_is_posted(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    steps = Steps(journal, make_study, make_draft)
    await receive(journal, make_raw, "a")

    pipeline = steps.pipeline(clock, is_shadow=True)
    pipeline.start()
    await steps.drafted.acquire()
    steps.wakes.posting.set()
    await pipeline.drain(5)

    assert (await journal.counts())[State.DRAFTED] == 1


async def test_no_draft_is_begun_before_a_model_is_ready(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    steps = Steps(journal, make_study, make_draft)
    await receive(journal, make_raw, "a")
    for pending in await journal.pending_messages(1):
        await steps.map(pending)

    pipeline = steps.pipeline(clock, is_model_ready=False)
    pipeline.start()
    steps.wakes.drafting.set()
    await pipeline.drain(5)

    assert (await journal.counts())[State.MAPPED] == 1


async def test_every_step_of_every_stage_waits_for_its_turn(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    turns: list[State] = []

    async def note_turn() -> None:
        counts = await journal.counts()
        turns.append(next(state for state in State if counts.get(state)))

    steps = Steps(journal, make_study, make_draft)
    await receive(journal, make_raw, "one")
    pipeline = steps.pipeline(clock, wait_turn=note_turn)
    pipeline.start()
    await steps.posted.acquire()
    await pipeline.drain(5)

    assert turns == [State.RECEIVED, State.MAPPED, State.DRAFTED]


async def test_drafts_are_taken_back_before_any_is_posted(
    journal: SqliteJournal,
    clock: HandClock,
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    for name in ("a", "b"):
        await bring_to(journal, State.DRAFTED, name)
    for name in ("c", "d"):
        await bring_to(journal, State.RETRACTING, name)

    steps = Steps(journal, make_study, make_draft)
    pipeline = steps.pipeline(clock)
    pipeline.start()
    for _ in range(4):
        await steps.posted.acquire()
    await pipeline.drain(5)

    assert steps.began == [State.RETRACTING] * 2 + [State.DRAFTED] * 2


@pytest.mark.parametrize("held_by", ["shadow", "pause", "server"])
async def test_nothing_is_posted_or_taken_back_while_it_must_not_be(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
    held_by: str,
) -> None:
    waiting = [
        await bring_to(journal, State.DRAFTED, "a"),
        await bring_to(journal, State.RETRACTING, "b"),
    ]
    await journal.set_paused(is_paused=held_by == "pause", actor="operator:test")
    await receive(journal, make_raw, "c")
    steps = Steps(journal, make_study, make_draft)
    pipeline = steps.pipeline(clock, is_shadow=held_by == "shadow", may_post=held_by != "server")
    pipeline.start()
    await steps.drafted.acquire()  # the stages have run
    steps.wakes.posting.set()
    await pipeline.drain(5)

    assert steps.began == []
    assert [await state_of(journal, id_) for id_ in waiting] == [State.DRAFTED, State.RETRACTING]
