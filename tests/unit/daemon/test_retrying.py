"""Another try later, or an end: over a real journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.config_fhir import PostRetry
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from daemon.metrics import Metrics
from daemon.retrying import Retrying, plan_wait_s
from mappings.domain import ReportKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock

RETRY = PostRetry(attempts_max=3, wait_min_s=2, wait_max_s=600)


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


def retrying(journal: SqliteJournal, clock: HandClock, attempts_max: int = 2) -> Retrying:
    return Retrying("draft", journal, attempts_max=attempts_max, clock=clock, metrics=Metrics())


async def test_a_report_that_is_put_off_is_due_again_to_the_second(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    await retrying(journal, clock).try_later(mapped, "worker_died", 5)

    clock.advance(4)
    assert not await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    clock.advance(1)
    [again] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    assert again.attempts == 1


async def test_the_last_try_ends_in_failed(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    await retrying(journal, clock, attempts_max=1).try_later(mapped, "worker_died", 5)

    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.FAILED, "worker_died")


async def test_a_report_that_has_moved_on_is_left_as_it_is(
    journal: SqliteJournal, clock: HandClock, mapped: PendingReport
) -> None:
    late = retrying(journal, clock)
    await journal.record_exit(mapped.report_id, Event.SKIP, "no_findings")

    await late.try_later(mapped, "worker_died", 5)
    await late.end(mapped, Event.FAIL, "worker_died")

    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.SKIPPED, "no_findings")


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "wait_s"),
    [(0, None, 2), (1, None, 4), (5, None, 64), (9, None, 600), (5000, None, 600), (0, 3600, 3600)],
)
def test_waits_double_to_their_limit_unless_the_server_says_its_own(
    attempts: int, retry_after_s: float | None, wait_s: float
) -> None:
    assert plan_wait_s(attempts, RETRY, retry_after_s) == wait_s
