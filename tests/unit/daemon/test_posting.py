"""The post step: every answer of a server, to a post or a retraction, leads to its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from daemon.config_fhir import PostRetry
from daemon.delivery import NewDelivery
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from daemon.metrics import Metrics
from daemon.posting import PostStep
from interfaces.errors import (
    FinalPresentError,
    PostRefusedError,
    PostRetryError,
    ServerAwayError,
)
from mappings.domain import DraftObservation, PostOutcome, PostReceipt, ReportKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import Draft, RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock

OBSERVATION = DraftObservation(
    report_key=ReportKey("k1"),
    observation_id="prelim-k1",
    identifier_system="urn:prelim:report-key",
    identifier_value="k1",
    observation=b"{}",
    provenance_id="p-k1",
    provenance=b"{}",
)
RETRY = PostRetry(attempts_max=3, wait_min_s=2, wait_max_s=600)


class ScriptedServer:
    """Gives one answer after the other."""

    def __init__(self, *answers: PostReceipt | Exception) -> None:
        self.answers = list(answers)
        self.posted: list[DraftObservation] = []
        self.retracted: list[tuple[DraftObservation, str]] = []

    async def post(self, draft: DraftObservation) -> PostReceipt:
        self.posted.append(draft)
        return self.answer()

    async def retract(self, draft: DraftObservation, reason: str) -> PostReceipt:
        self.retracted.append((draft, reason))
        return self.answer()

    def answer(self) -> PostReceipt:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


STORED = PostReceipt(PostOutcome.CREATED, "Observation/prelim-k1", "1")
TAKEN_BACK = PostReceipt(PostOutcome.UPDATED, "Observation/prelim-k1", "2")


@dataclass
class Owing:
    """What is owed to others, and for which reports it was asked."""

    posted: Sequence[NewDelivery] = ()
    retracted: Sequence[NewDelivery] = ()
    asked: list[str] = field(default_factory=list)

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        self.asked.append(f"posted {report.report_id}")
        return self.posted

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        self.asked.append(f"retracted {report.report_id}")
        return self.retracted


@pytest.fixture
async def drafted(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> PendingReport:
    received = await journal.receive(make_raw(), peer="test")
    born = NewReport(make_study(), ReportKey("k1"), Event.MAP)
    await journal.record_mapped(received.message_id, [born])
    [mapped] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    await journal.record_drafted(mapped.report_id, make_draft(), OBSERVATION)
    [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    return report


async def state_of(journal: SqliteJournal, report: PendingReport) -> tuple[State, str | None]:
    [row] = (await journal.trail(report.report_id)).reports
    return row.row.state, row.row.reason


def step(
    journal: SqliteJournal, clock: HandClock, server: ScriptedServer, owed: Owing | None = None
) -> PostStep:
    return PostStep(
        journal, poster=server, retry=RETRY, clock=clock, metrics=Metrics(), owed=owed or Owing()
    )


async def test_a_stored_draft_is_posted_with_its_kept_bytes(
    journal: SqliteJournal, clock: HandClock, drafted: PendingReport
) -> None:
    server = ScriptedServer(STORED)

    await step(journal, clock, server)(drafted)

    assert server.posted == [OBSERVATION]
    trail = await journal.trail(drafted.report_id)
    assert trail.reports[0].row.state is State.POSTED
    assert trail.reports[0].reference == "Observation/prelim-k1"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (PostRefusedError("http_422", "fhir"), State.FAILED),
        (FinalPresentError("final_present"), State.SKIPPED),
        (PostRetryError("http_503", "fhir"), State.DRAFTED),
    ],
)
async def test_each_fate_leads_to_its_state(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    answer: Exception,
    state: State,
) -> None:
    await step(journal, clock, ScriptedServer(answer))(drafted)

    assert (await state_of(journal, drafted))[0] is state


async def test_what_is_owed_for_a_post_is_queued_with_it_and_only_then(
    journal: SqliteJournal, clock: HandClock, drafted: PendingReport
) -> None:
    owed = NewDelivery("oru", "ris", b"MSH|", "D1")
    woken: list[int] = []
    run = PostStep(
        journal,
        poster=ScriptedServer(PostRetryError("http_503", "fhir"), STORED),
        retry=RETRY,
        clock=clock,
        metrics=Metrics(),
        owed=Owing([owed]),
        wake_next=lambda: woken.append(1),
    )

    await run(drafted)
    before = await journal.deliveries_due()
    await run(drafted)

    assert (before, await journal.deliveries_due()) == ({}, {("oru", "ris"): 1})
    assert woken == [1]


async def test_a_wait_that_the_server_asked_for_is_kept_to_the_second(
    journal: SqliteJournal, clock: HandClock, drafted: PendingReport
) -> None:
    busy = PostRetryError("http_503", "fhir", retry_after_s=90)

    await step(journal, clock, ScriptedServer(busy))(drafted)

    clock.advance(89)
    assert not await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    clock.advance(1)
    assert await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)


async def test_spent_retries_end_in_failed_and_a_replay_posts_the_same_bytes(
    journal: SqliteJournal, clock: HandClock, drafted: PendingReport
) -> None:
    server = ScriptedServer(*[PostRetryError("timeout", "fhir")] * 3, STORED)
    run = step(journal, clock, server)

    for _ in range(3):
        [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
        await run(report)
        clock.advance(600)
    failed = await state_of(journal, drafted)
    await journal.replay(drafted.report_id, actor="operator:test")
    [again] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    await run(again)

    assert failed == (State.FAILED, "timeout")
    assert (await state_of(journal, drafted))[0] is State.POSTED
    assert {observation.observation for observation in server.posted} == {b"{}"}


class SlowServer(ScriptedServer):
    """Something happens while it answers."""

    def __init__(self, answer: PostReceipt | Exception, meanwhile: Awaitable[object]) -> None:
        super().__init__(answer)
        self.meanwhile = meanwhile

    async def post(self, draft: DraftObservation) -> PostReceipt:
        await self.meanwhile
        return await super().post(draft)


@pytest.fixture
def newer(
    journal: SqliteJournal,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
) -> Callable[..., Awaitable[None]]:
    """Let a newer version of the drafted report arrive."""

    async def arrive(skip: str | None = None, name: str = "M2", **study: object) -> None:
        message = await journal.receive(
            make_raw(name.encode(), message_control_id=name), peer="test"
        )
        made = make_study(**{"reported_at": "2026-11-21T07:45:00+00:00", **study})
        event = Event.MAP if skip is None else Event.SKIP
        born = NewReport(made, ReportKey("k1"), event, skip)
        await journal.record_mapped(message.message_id, [born])

    return arrive


async def test_a_post_that_lands_after_a_newer_version_came_is_noted_not_lost(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    newer: Callable[..., Awaitable[None]],
) -> None:
    await step(journal, clock, SlowServer(STORED, newer()))(drafted)

    trail = await journal.trail(drafted.report_id)
    assert trail.reports[0].row.state is State.SUPERSEDED
    assert trail.entries[-1].event == Event.POST
    assert (await journal.verify_chain()).is_whole


@pytest.mark.parametrize(
    "answer",
    [STORED, PostRefusedError("http_422", "fhir"), PostRetryError("http_503", "fhir")],
)
async def test_a_post_under_way_while_its_report_is_cancelled_is_followed_by_a_retraction(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    newer: Callable[..., Awaitable[None]],
    answer: PostReceipt | Exception,
) -> None:
    owed = Owing([NewDelivery("oru", "ris", b"MSH|", "D1")])
    await step(journal, clock, SlowServer(answer, newer("report_cancelled")), owed)(drafted)
    [retracting] = await journal.pending_reports(State.RETRACTING, now=clock.now(), limit=9)
    server = ScriptedServer(TAKEN_BACK)
    await step(journal, clock, server)(retracting)

    assert retracting.report_id == drafted.report_id
    assert server.retracted == [(OBSERVATION, "report_cancelled")]
    assert await state_of(journal, drafted) == (State.RETRACTED, "report_cancelled")
    assert await journal.deliveries_due() == {}, "nothing of a cancelled report is sent"
    assert (await journal.verify_chain()).is_whole


async def test_what_was_listed_before_its_state_changed_is_left_alone(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    newer: Callable[..., Awaitable[None]],
) -> None:
    await newer("report_cancelled")
    server = ScriptedServer()

    await step(journal, clock, server)(drafted)

    assert server.posted == []
    assert (await state_of(journal, drafted))[0] is State.RETRACTING


@pytest.fixture
async def retracting(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    newer: Callable[..., Awaitable[None]],
) -> PendingReport:
    owed = Owing([NewDelivery("oru", "ris", b"MSH|", "D1")])
    await step(journal, clock, ScriptedServer(STORED), owed)(drafted)
    await newer("report_cancelled")
    [report] = await journal.pending_reports(State.RETRACTING, now=clock.now(), limit=9)
    return report


async def test_a_draft_is_taken_back_once_and_those_who_were_sent_it_hear_of_that(
    journal: SqliteJournal, clock: HandClock, retracting: PendingReport
) -> None:
    told = [NewDelivery("oru", name, b"MSH|", f"R {name}") for name in ("ris", "pacs")]
    feed = NewDelivery("kafka_result", "impressions", b"{}", "K1")
    server, owed = ScriptedServer(TAKEN_BACK), Owing(retracted=[*told, feed])

    await step(journal, clock, server, owed)(retracting)
    await step(journal, clock, server, owed)(retracting)

    entry = (await journal.trail(retracting.report_id)).entries
    assert server.retracted == [(OBSERVATION, "report_cancelled")]
    assert await state_of(journal, retracting) == (State.RETRACTED, "report_cancelled")
    assert owed.asked == [f"retracted {retracting.report_id}"]
    # pacs was never sent an ORU about this report; a feed gets every change of it.
    assert await journal.deliveries_due() == {("oru", "ris"): 1, ("kafka_result", "impressions"): 1}
    assert [each.detail["version_id"] for each in entry if each.event == Event.RETRACT] == ["2"]
    assert not await journal.pending_reports(State.RETRACTING, now=clock.now(), limit=9)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PostRefusedError("http_422", "fhir"), (State.FAILED, "http_422")),
        (FinalPresentError("human_performer"), (State.SKIPPED, "human_performer")),
        (FinalPresentError("gone"), (State.SKIPPED, "gone")),
        (PostRetryError("http_503", "fhir"), (State.RETRACTING, "http_503")),
    ],
)
async def test_each_fate_of_a_retraction_leads_to_its_state_and_tells_nobody(
    journal: SqliteJournal,
    clock: HandClock,
    retracting: PendingReport,
    answer: Exception,
    expected: tuple[State, str],
) -> None:
    await step(journal, clock, ScriptedServer(answer))(retracting)

    assert await state_of(journal, retracting) == expected
    assert await journal.deliveries_due() == {}


async def test_a_retraction_that_failed_is_brought_back_by_an_operator_and_is_no_post(
    journal: SqliteJournal, clock: HandClock, retracting: PendingReport
) -> None:
    server = ScriptedServer(*[PostRetryError("timeout", "fhir")] * 3, TAKEN_BACK)
    run = step(journal, clock, server)
    for _ in range(3):
        [report] = await journal.pending_reports(State.RETRACTING, now=clock.now(), limit=1)
        await run(report)
        clock.advance(600)
    failed = await state_of(journal, retracting)

    moved = await journal.replay(retracting.report_id, actor="operator:test")
    [again] = await journal.pending_reports(State.RETRACTING, now=clock.now(), limit=1)
    await run(again)

    assert failed == (State.FAILED, "timeout")
    assert moved == (State.FAILED, State.RETRACTING)
    assert (again.attempts, again.retracted_for) == (0, "report_cancelled")
    assert [reason for _, reason in server.retracted] == ["report_cancelled"] * 4
    assert server.posted == []
    assert (await state_of(journal, retracting))[0] is State.RETRACTED


async def test_a_server_that_answers_nobody_uses_up_no_tries(
    journal: SqliteJournal, clock: HandClock, drafted: PendingReport
) -> None:
    away, failed = ServerAwayError("circuit_open", "fhir", 30), PostRetryError("http_503", "fhir")
    run = step(journal, clock, ScriptedServer(*[failed] * 2, *[away] * 5))

    for _ in range(7):
        [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
        await run(report)
        clock.advance(30)

    [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    assert (report.report_id, report.attempts) == (drafted.report_id, 2)
