"""The draft step: what a model answers leads to the right state, with the right bytes kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from daemon.config import DraftRetry
from daemon.drafting import DraftStep
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from daemon.metrics import Metrics
from mappings.domain import FinishReason, Prompt, ReportKey
from mappings.errors import GuardViolationError
from mappings.fhir_elements import FhirOptions
from mappings.fhir_observation import build_observation
from mappings.scope import plan_draft
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError
from model.prompt import build_prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import Draft, DraftObservation, Impression, RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock


class ScriptedModel:
    """Gives one answer after the other, and remembers how it was asked."""

    def __init__(self, *answers: Draft | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[bool] = []
        self.numbers: list[int] = []

    async def draft(self, prompt: Prompt, *, is_alone: bool = False) -> Draft:
        self.asked.append(is_alone)
        self.numbers.append(prompt.redraft)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, engine=replace(answer.engine, redraft=prompt.redraft))


def build(report: PendingReport, impression: Impression, drafted_at: datetime) -> DraftObservation:
    assert report.report_key is not None
    return build_observation(
        report.study,
        impression,
        FhirOptions(),
        report_key=report.report_key,
        report_version=report.report_id,
        drafted_at=drafted_at,
        software_version="test",
    )


def refuse_to_build(*_: object) -> DraftObservation:
    raise GuardViolationError("bad_binding", "Observation.status")


@pytest.fixture
async def mapped(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
) -> PendingReport:
    received = await journal.receive(make_raw(), peer="test")
    born = NewReport(make_study(), ReportKey("k1"), Event.MAP)
    await journal.record_mapped(received.message_id, [born])
    [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    return report


class Bench:
    """A draft step over a real journal."""

    def __init__(self, journal: SqliteJournal, clock: HandClock, model: ScriptedModel) -> None:
        self.journal = journal
        self.clock = clock
        self.model = model
        self.is_demo_allowed = True
        self.redrafts_max = 0
        self.metrics = Metrics()
        self.woken = 0

    async def run(self, report: PendingReport, builder: object = build) -> None:
        await DraftStep(
            self.journal,
            drafter=self.model,
            plan=plan_draft,
            prompt_of=build_prompt,
            build=builder,  # type: ignore[arg-type]
            redrafts_max=self.redrafts_max,
            is_demo_allowed=self.is_demo_allowed,
            retry=DraftRetry(attempts_max=3, wait_s=1),
            clock=self.clock,
            metrics=self.metrics,
            wake_next=self._count,
        )(report)

    def _count(self) -> None:
        self.woken += 1

    async def state(self, report: PendingReport) -> tuple[State, str | None]:
        [one] = (await self.journal.trail(report.report_id)).reports
        return one.row.state, one.row.reason


async def test_a_good_draft_is_kept_with_the_bytes_to_post(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    bench = Bench(journal, clock, ScriptedModel(make_draft()))

    await bench.run(mapped)

    [report] = (await journal.trail(mapped.report_id)).reports
    assert report.row.state is State.DRAFTED
    assert report.draft == make_draft()
    assert report.observation is not None
    assert b"12 mm nodule in the right upper lobe." in report.observation.observation
    assert bench.woken == 1


@pytest.mark.parametrize(
    ("text", "finish", "check"),
    [
        ("", FinishReason.STOP, "empty"),
        ("12 mm nodule in the left upper lobe.", FinishReason.STOP, "side_not_in_findings"),
        ("21 mm nodule in the right upper lobe.", FinishReason.STOP, "number_not_in_findings"),
        ("12 mm nodule in the right", FinishReason.LENGTH, "cut_off"),
    ],
)
async def test_a_draft_that_a_check_refuses_is_withheld_and_its_text_kept(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
    text: str,
    finish: FinishReason,
    check: str,
) -> None:
    bench = Bench(journal, clock, ScriptedModel(make_draft(text, finish=finish)))

    await bench.run(mapped)

    [report] = (await journal.trail(mapped.report_id)).reports
    assert report.row.state is State.WITHHELD
    assert str(report.row.reason).startswith(f"{check}:")
    assert report.draft is not None
    assert report.draft.text == text
    assert bench.woken == 0


WRONG_SIDE = "12 mm nodule in the left upper lobe."
WRONG_SIZE = "21 mm nodule in the right upper lobe."


def redrafts_counted(bench: Bench) -> tuple[float | None, ...]:
    return tuple(
        bench.metrics.registry.get_sample_value("prelim_redrafts_total", {"outcome": outcome})
        for outcome in ("passed", "refused", "lost")
    )


async def test_a_redraft_that_passes_takes_the_place_of_a_refused_draft(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    texts = (WRONG_SIDE, WRONG_SIZE, "12 mm nodule in the right upper lobe.")
    bench = Bench(journal, clock, ScriptedModel(*map(make_draft, texts)))
    bench.redrafts_max = 4

    with capture_logs() as lines:
        await bench.run(mapped)

    trail = await journal.trail(mapped.report_id)
    [report] = trail.reports
    assert bench.model.numbers == [0, 1, 2]
    assert report.row.state is State.DRAFTED
    assert report.draft is not None
    assert (report.draft.text, report.draft.engine.redraft) == (texts[2], 2)
    assert trail.entries[-1].detail["redraft"] == 2
    assert redrafts_counted(bench) == (1, 1, None)
    assert lines[-1]["redraft"] == 2


async def test_where_no_redraft_passes_the_first_draft_is_withheld_with_its_reason(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    texts = (WRONG_SIDE, WRONG_SIZE, WRONG_SIZE)
    bench = Bench(journal, clock, ScriptedModel(*map(make_draft, texts)))
    bench.redrafts_max = 2

    await bench.run(mapped)

    [report] = (await journal.trail(mapped.report_id)).reports
    assert bench.model.numbers == [0, 1, 2]
    assert report.row.state is State.WITHHELD
    assert str(report.row.reason).startswith("side_not_in_findings:")
    assert report.draft is not None
    assert (report.draft.text, report.draft.engine.redraft) == (WRONG_SIDE, 0)
    assert redrafts_counted(bench) == (None, 2, None)


async def test_a_model_that_refuses_a_redraft_leaves_the_first_draft_withheld_with_its_reason(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    refused = PromptRefusedError("server_refused_prompt")
    bench = Bench(journal, clock, ScriptedModel(make_draft(WRONG_SIDE), refused))
    bench.redrafts_max = 4

    await bench.run(mapped)

    state, reason = await bench.state(mapped)
    assert bench.model.numbers == [0, 1]
    assert (state, str(reason).partition(":")[0]) == (State.WITHHELD, "side_not_in_findings")
    assert redrafts_counted(bench) == (None, 1, None)


async def test_a_worker_lost_in_a_redraft_is_tried_again_from_the_first_draft(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    lost = WorkerLostError("worker_died")
    bench = Bench(journal, clock, ScriptedModel(make_draft(WRONG_SIDE), lost, make_draft()))
    bench.redrafts_max = 2

    await bench.run(mapped)
    clock.advance(1)
    [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    await bench.run(report)

    assert (await bench.state(mapped))[0] is State.DRAFTED
    assert bench.model.numbers == [0, 1, 0]
    assert bench.model.asked == [False, False, True]


async def test_a_redraft_that_loses_the_worker_at_the_last_try_leaves_the_first_draft_withheld(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    lost, wrong = WorkerLostError("worker_died"), make_draft(WRONG_SIDE)
    bench = Bench(journal, clock, ScriptedModel(*[wrong, lost] * 3))
    bench.redrafts_max = 4

    for state in (State.MAPPED, State.MAPPED, State.WITHHELD):
        [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
        await bench.run(report)
        assert (await bench.state(mapped))[0] is state
        clock.advance(1)

    [report] = (await journal.trail(mapped.report_id)).reports
    assert bench.model.numbers == [0, 1] * 3
    assert report.draft is not None
    assert (report.draft.text, report.draft.engine.redraft) == (WRONG_SIDE, 0)
    assert redrafts_counted(bench) == (None, None, 1)


async def test_what_a_demo_engine_wrote_is_not_kept_for_a_real_server(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    bench = Bench(journal, clock, ScriptedModel(make_draft()))
    bench.is_demo_allowed = False

    await bench.run(mapped)

    assert await bench.state(mapped) == (State.FAILED, "demo_engine_not_allowed")


async def test_a_prompt_that_can_never_be_run_fails_its_report_alone(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    bench = Bench(journal, clock, ScriptedModel(PromptRefusedError("prompt_too_long")))

    await bench.run(mapped)

    assert await bench.state(mapped) == (State.FAILED, "prompt_too_long")


async def test_a_lost_worker_is_tried_again_alone_and_at_last_given_up(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    bench = Bench(journal, clock, ScriptedModel(*[WorkerLostError("worker_died")] * 3))

    states = []
    for _ in range(3):
        [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
        await bench.run(report)
        states.append((await bench.state(mapped))[0])
        clock.advance(1)

    assert states == [State.MAPPED, State.MAPPED, State.FAILED]
    assert bench.model.asked == [False, True, True]


async def test_a_resource_that_breaks_the_guard_is_never_kept_for_posting(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_draft: Callable[..., Draft],
) -> None:
    bench = Bench(journal, clock, ScriptedModel(make_draft()))

    await bench.run(mapped, refuse_to_build)

    assert await bench.state(mapped) == (State.FAILED, "bad_binding:Observation.status")


async def test_while_the_engine_is_missing_the_report_keeps_its_state_and_attempts(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    bench = Bench(journal, clock, ScriptedModel(EngineUnavailableError("weights_missing")))

    await bench.run(mapped)

    [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    assert report.attempts == 0


async def test_a_report_that_left_scope_since_it_was_mapped_is_skipped(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    bench = Bench(journal, clock, ScriptedModel())
    study = replace(mapped.study, sections=replace(mapped.study.sections, findings=None))

    await bench.run(replace(mapped, study=study))

    assert await bench.state(mapped) == (State.SKIPPED, "no_findings")


async def test_a_draft_for_a_report_superseded_meanwhile_is_dropped_quietly(
    journal: SqliteJournal,
    clock: HandClock,
    mapped: PendingReport,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
    make_draft: Callable[..., Draft],
) -> None:
    newer = await journal.receive(make_raw(b"newer", message_control_id="M2"), peer="test")
    study = make_study(reported_at="2026-11-21T07:45:00+00:00")
    await journal.record_mapped(newer.message_id, [NewReport(study, ReportKey("k1"), Event.MAP)])
    bench = Bench(journal, clock, ScriptedModel(make_draft()))

    await bench.run(mapped)

    assert (await bench.state(mapped))[0] is State.SUPERSEDED
