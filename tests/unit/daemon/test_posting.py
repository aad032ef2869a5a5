"""The post step: every answer of a server leads to the right state in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.config_fhir import PostRetry
from daemon.delivery import NewDelivery
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from daemon.metrics import Metrics
from daemon.posting import PostStep
from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError
from mappings.domain import DraftObservation, PostOutcome, PostReceipt, ReportKey

if TYPE_CHECKING:
    from collections.abc import Callable

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

    async def post(self, observation: DraftObservation) -> PostReceipt:
        self.posted.append(observation)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


STORED = PostReceipt(PostOutcome.CREATED, "Observation/prelim-k1", "1")


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


def step(journal: SqliteJournal, clock: HandClock, server: ScriptedServer) -> PostStep:
    return PostStep(journal, poster=server, retry=RETRY, clock=clock, metrics=Metrics())


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
        owed=lambda report: [owed] if report.report_id == drafted.report_id else [],
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


async def test_a_post_that_lands_after_a_newer_version_came_is_noted_not_lost(
    journal: SqliteJournal,
    clock: HandClock,
    drafted: PendingReport,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
) -> None:
    newer = await journal.receive(make_raw(b"newer", message_control_id="M2"), peer="test")
    study = make_study(reported_at="2026-11-21T07:45:00+00:00")
    await journal.record_mapped(newer.message_id, [NewReport(study, ReportKey("k1"), Event.MAP)])

    await step(journal, clock, ScriptedServer(STORED))(drafted)

    trail = await journal.trail(drafted.report_id)
    assert trail.reports[0].row.state is State.SUPERSEDED
    assert trail.entries[-1].event == Event.POST
    assert (await journal.verify_chain()).is_whole
