"""One change of a report: only where the life cycle allows it, and only about the state meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.errors import UnknownIdError
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import Event, IllegalTransitionError, State
from mappings.domain import ReportId
from tests.unit.daemon.journal_samples import START, StepClock, bring_to, due, state_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        yield journal


async def test_what_a_step_says_of_another_state_than_it_began_in_is_not_recorded(
    journal: SqliteJournal,
) -> None:
    report_id = await bring_to(journal, State.RETRACTING)
    before = await journal.verify_chain()

    for change in (
        journal.record_exit(report_id, Event.FAIL, "http_422", was=State.DRAFTED),
        journal.record_retry(report_id, reason="busy", not_before=START, was=State.DRAFTED),
    ):
        with pytest.raises(IllegalTransitionError):
            await change

    assert await journal.verify_chain() == before
    await journal.record_exit(report_id, Event.FAIL, "http_422", was=State.RETRACTING)
    assert await state_of(journal, report_id) is State.FAILED


async def test_a_wait_that_was_no_try_is_not_counted(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.DRAFTED)

    for is_counted in (True, False, True, False):
        await journal.record_retry(
            report_id, reason="busy", not_before=START, is_counted=is_counted
        )

    [pending] = await due(journal, State.DRAFTED)
    assert pending.attempts == 2


async def test_a_withdrawal_keeps_its_reason_through_every_try(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.RETRACTING)
    await journal.record_retry(report_id, reason="busy", not_before=START)

    [pending] = await due(journal, State.RETRACTING)

    [row] = [row for row in await journal.rows() if row.report_id == report_id]
    assert (row.reason, pending.retracted_for) == ("busy", "report_cancelled")


async def test_the_state_of_nobody_is_none(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.POSTED)

    assert await journal.state_of(report_id) is State.POSTED
    assert await journal.state_of(ReportId("nobody")) is None
    with pytest.raises(UnknownIdError):
        await journal.record_exit(ReportId("nobody"), Event.FAIL, "late")
