"""What the journal knows of the daemon: paused or not, and whose drafts it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.journal import NewReport
from daemon.lifecycle import Event, State
from mappings.domain import ReportKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport, StudyReport
    from tests.unit.daemon.conftest import HandClock


async def test_paused_is_kept_and_audited(journal: SqliteJournal) -> None:
    await journal.set_paused(is_paused=True, actor="operator:test")
    paused = await journal.is_paused()
    await journal.set_paused(is_paused=False, actor="operator:test")

    events = [entry.event for entry in await journal.entries(after=0, limit=10)]
    assert paused
    assert not await journal.is_paused()
    assert events == ["pause", "resume"]


async def test_unposted_reports_are_not_taken_to_another_server(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    make_study: Callable[..., StudyReport],
) -> None:
    await journal.bind_target("https://fhir.example/r4")
    received = await journal.receive(make_raw(), peer="test")
    born = NewReport(make_study(), ReportKey("k1"), Event.MAP)
    await journal.record_mapped(received.message_id, [born])

    await journal.bind_target("https://fhir.example/r4")
    with pytest.raises(ConfigurationError) as caught:
        await journal.bind_target("embedded")
    [report] = await journal.pending_reports(State.MAPPED, now=clock.now(), limit=1)
    await journal.record_exit(report.report_id, Event.FAIL, "test")
    await journal.bind_target("embedded")

    assert caught.value.where == "fhir.base_url"


async def test_a_write_that_changes_nothing_is_made_only_after_a_failed_one(
    journal: SqliteJournal,
) -> None:
    await journal.check_writable()
    untouched = journal.writer.transactions
    journal.writer.has_failed = True
    await journal.check_writable()

    assert (untouched, journal.writer.transactions) == (0, 1)
    assert not journal.writer.has_failed
