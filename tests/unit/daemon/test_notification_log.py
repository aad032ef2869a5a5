"""Each notification in the outbox is one event; its number is its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.delivery import NewDelivery
from daemon.journal_reads import JournalReader
from daemon.notification_log import DraftEvent, NotificationLog, read_event
from mappings.domain import ReportKey
from tests.unit.daemon.journal_samples import DRAFT, OBSERVATION, make_new, map_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.delivery import DeliveryKind
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import ReportId
    from tests.unit.daemon.conftest import HandClock


@pytest.fixture
async def log(tmp_path: Path, journal: SqliteJournal) -> AsyncIterator[NotificationLog]:
    opened = NotificationLog(JournalReader(tmp_path / "journal.sqlite"))
    yield opened
    await opened.close()


def event(name: str) -> DraftEvent:
    return DraftEvent(f"urn:x|{name}", "2026-11-21T08:00:00.000Z")


async def owe(journal: SqliteJournal, name: str, *owed: tuple[DeliveryKind, str]) -> ReportId:
    report_id = await map_one(journal, name, make_new(key=ReportKey(name)))
    await journal.record_drafted(report_id, DRAFT, OBSERVATION)
    deliveries = [NewDelivery(kind, to, event(name).payload, "c") for kind, to in owed]
    await journal.record_posted(
        report_id,
        reference="Observation/x",
        version_id="1",
        outcome="created",
        deliveries=deliveries,
    )
    return report_id


async def test_events_are_numbered_for_each_subscription_without_a_gap(
    journal: SqliteJournal, log: NotificationLog, clock: HandClock
) -> None:
    await owe(journal, "a", ("notification", "s1"), ("notification", "s2"))
    await owe(journal, "b", ("notification", "s2"), ("mirror", "s1"))
    await owe(journal, "c", ("notification", "s1"))

    assert [await log.count(name) for name in ("s1", "s2", "s3")] == [2, 2, 0]
    assert await log.events("s1", 1, None) == [(1, event("a")), (2, event("c"))]
    assert await log.events("s2", 2, 9) == [(2, event("b"))]
    assert await log.events("s2", 0, 1) == [(1, event("a"))]
    assert await log.events("s2", 3, None) == await log.events("s2", 2, 1) == []
    first = await journal.pending_deliveries(now=clock.now(), limit=10)
    for delivery in first:
        await journal.record_delivery_failed(delivery.delivery_id, reason="x")
    later = await journal.pending_deliveries(now=clock.now(), limit=10)
    numbers = {each.target: await log.number(each.delivery_id) for each in later}
    assert numbers == {"s1": 2, "s2": 2}


async def test_a_copy_that_is_still_to_be_written_is_known(
    journal: SqliteJournal, log: NotificationLog, clock: HandClock
) -> None:
    report_id = await owe(journal, "a", ("mirror", "embedded"), ("notification", "s1"))
    assert await log.is_mirror_due(report_id)

    for delivery in await journal.pending_deliveries(now=clock.now(), limit=10):
        if delivery.kind == "mirror":
            await journal.record_delivered(delivery.delivery_id, answer="written")
    assert not await log.is_mirror_due(report_id)


def test_an_event_is_read_as_it_was_kept() -> None:
    assert read_event(event("a").payload) == event("a")
    assert "urn:x" not in repr(event("a"))
