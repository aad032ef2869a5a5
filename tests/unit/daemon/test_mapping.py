"""The map step: from a message's bytes to its reports, and where each begins."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.acknowledging import AckRules
from daemon.application_acks import ApplicationAcks
from daemon.errors import JournalUnavailableError
from daemon.lifecycle import State
from daemon.mapping import INLINE_BYTES_MAX, MapStep, plan_reports, warm_reader
from daemon.metrics import Metrics
from mappings.errors import UnreadableContentError
from mappings.headings import HEADINGS, Headings
from mappings.hl7_ack import parse_ack
from mappings.sites import DEFAULT_SITE, Site, SiteSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.journal import NewReport, PendingMessage
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport
    from tests.unit.daemon.conftest import HandClock

HEAD = b"MSH|^~\\&|DEMORIS|DEMOHOSP|||20261121080000||%s|M1|P|2.5.1\rPID|1||P1^^^DEMO\r"
GROUP = b"OBR|1|O1|%s|CTCHEST^CT CHEST^L|||202611210700|||||||||||||||202611210730||CT|P\r"
FINDINGS = b"OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"
IMPRESSION = b"OBX|2|TX|&IMP||Pulmonary nodule.||||||P\r"
ORU = HEAD % b"ORU^R01"


async def run(
    journal: SqliteJournal,
    raw: RawReport,
    plan: Callable[[RawReport], Sequence[NewReport]] | None = None,
) -> list[tuple[State, str | None]]:
    """Receive one message, map it, and return where its reports (or it) stand."""
    await journal.receive(raw, peer="test")
    step = MapStep(
        journal,
        plan=plan or (lambda raw: plan_reports(raw, SiteSet())),
        metrics=Metrics(),
        wake_next=lambda: None,
    )
    [pending] = await journal.pending_messages(1)
    try:
        await step(pending)
    except ZeroDivisionError:
        await step.put_off(pending, "ZeroDivisionError")
    return [(row.state, row.reason) for row in reversed(await journal.rows())]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ORU + GROUP % b"F1" + FINDINGS, [(State.MAPPED, None)]),
        (ORU + GROUP % b"F1" + FINDINGS + IMPRESSION, [(State.SKIPPED, "impression_present")]),
        (ORU + GROUP % b"F1", [(State.SKIPPED, "no_observations")]),
        (ORU, [(State.SKIPPED, "no_report_group")]),
        (HEAD % b"ADT^A08", [(State.SKIPPED, "message_type_ignored")]),
        (
            (HEAD % b"ORM^O01") + GROUP % b"F1" + FINDINGS,
            [(State.SKIPPED, "message_type_ignored")],
        ),
    ],
)
async def test_each_report_begins_where_its_content_says(
    journal: SqliteJournal,
    make_raw: Callable[..., RawReport],
    payload: bytes,
    expected: list[tuple[State, str | None]],
) -> None:
    assert await run(journal, make_raw(payload)) == expected


async def test_what_was_read_with_a_doubt_is_logged_once_and_kept(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    head = ORU.replace(b"|2.5.1\r", b"|2.5.1||||||8859/1\r")
    pdf = b"OBX|2|ED|&GDT||^application^pdf^Base64^JVBERi0xLjQK||||||P\r"
    payload = head + (GROUP % b"F1" + FINDINGS + pdf) * 2
    with structlog.testing.capture_logs() as lines:
        await run(journal, make_raw(payload.replace(b"There is", "Größe".encode())))
    [row, *_] = await journal.rows()
    [report, *_] = (await journal.trail(row.message_id)).reports

    doubts = ("charset_declared_wrong", "document_not_read_pdf")
    assert [line["reason"] for line in lines if "doubted" in line["event"]] == [*doubts]
    assert (report.study.codec, report.study.doubts) == ("utf-8", doubts)


def test_the_door_that_a_message_came_by_chooses_its_site(
    make_raw: Callable[..., RawReport],
) -> None:
    sites = SiteSet((Site("ct", listeners=("ct-*",)),))
    payload = ORU + GROUP % b"F1" + FINDINGS

    [by_ct] = plan_reports(make_raw(payload, door="ct-1"), sites)
    [by_mr] = plan_reports(make_raw(payload, door="mr-1"), sites)

    assert (by_ct.study.site, by_mr.study.site) == ("ct", "default")


async def test_two_order_groups_are_two_reports(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    payload = ORU + GROUP % b"F1" + FINDINGS + GROUP % b"F2"

    states = await run(journal, make_raw(payload))

    assert sorted(states, key=str) == [(State.MAPPED, None), (State.SKIPPED, "no_observations")]


async def test_content_that_cannot_be_read_rejects_the_message_and_keeps_its_bytes(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    payload = ORU.replace(b"|2.5.1", b"|2.5.1||||||UNICODE UTF-8") + b"OBR|1|\xff\xfe\r"

    [(state, reason)] = await run(journal, make_raw(payload))

    [row] = await journal.rows()
    assert state is State.REJECTED
    assert reason is not None
    assert (await journal.trail(row.message_id)).raw.payload == payload


async def test_a_message_that_our_reader_falls_over_is_rejected_and_can_be_replayed(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    def fall_over(_raw: RawReport) -> list[NewReport]:
        raise ZeroDivisionError

    states = await run(journal, make_raw(ORU), fall_over)
    [row] = await journal.rows()
    await journal.replay(row.message_id, actor="operator:test")

    assert states == [(State.REJECTED, "reader_failed_ZeroDivisionError")]
    assert len(await journal.pending_messages(1)) == 1


async def test_a_long_message_is_mapped_like_a_short_one(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    filler = b"NTE|1||" + b"x" * INLINE_BYTES_MAX + b"\r"

    states = await run(journal, make_raw(ORU + filler + GROUP % b"F1" + FINDINGS))

    assert states == [(State.MAPPED, None)]


async def test_a_message_that_a_check_refuses_is_rejected_and_never_read(
    journal: SqliteJournal, make_raw: Callable[..., RawReport]
) -> None:
    async def refuse(_pending: PendingMessage) -> None:
        raise UnreadableContentError("invalid_structure", "PID-3")

    await journal.receive(make_raw(ORU), peer="test")
    [pending] = await journal.pending_messages(1)
    step = MapStep(
        journal,
        plan=lambda _raw: pytest.fail("it was read"),
        metrics=Metrics(),
        wake_next=lambda: None,
        check=refuse,
    )
    await step(pending)

    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.REJECTED, "invalid_structure")


ASKING = HEAD.replace(b"|2.5.1", b"|2.5.1|||AL|AL") % b"ORU^R01"


def make_step(journal: SqliteJournal, clock: HandClock, woken: list[str] | None = None) -> MapStep:
    return MapStep(
        journal,
        plan=lambda raw: plan_reports(raw, SiteSet()),
        metrics=Metrics(),
        wake_next=lambda: None if woken is None else woken.append("woken"),
        owed=ApplicationAcks({"default": AckRules()}, clock=clock).plan,
    )


@pytest.mark.parametrize(
    ("payload", "codes"),
    [
        (ASKING + GROUP % b"F1" + FINDINGS, ["AA"]),
        (ASKING.replace(b"ORU^R01", b"MDM^T02"), ["AA"]),
        (ASKING + b"DSC|more\r", ["AE"]),
        (ORU + GROUP % b"F1" + FINDINGS, []),
    ],
)
async def test_what_the_sender_asked_to_hear_is_kept_with_what_was_read(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    payload: bytes,
    codes: list[str],
) -> None:
    await journal.receive(make_raw(payload), peer="test")
    [pending] = await journal.pending_messages(1)
    woken: list[str] = []

    await make_step(journal, clock, woken)(pending)

    due = await journal.pending_deliveries(now=clock.now(), limit=10)
    assert [parse_ack(delivery.payload).code for delivery in due] == codes
    assert all(delivery.message_id == pending.message_id for delivery in due)
    assert woken == ["woken"]


async def test_a_reader_that_falls_over_is_told_to_a_sender_that_asked(
    journal: SqliteJournal, clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    await journal.receive(make_raw(ASKING), peer="test")
    [pending] = await journal.pending_messages(1)

    await make_step(journal, clock).put_off(pending, "KeyError")

    [delivery] = await journal.pending_deliveries(now=clock.now(), limit=10)
    assert parse_ack(delivery.payload).code == "AE"
    assert b"|207^" in delivery.payload


async def test_a_message_is_not_rejected_because_the_disk_has_a_bad_moment(
    journal: SqliteJournal,
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise JournalUnavailableError("disk_full")

    await journal.receive(make_raw(ASKING), peer="test")
    [pending] = await journal.pending_messages(1)
    monkeypatch.setattr(journal, "record_mapped", fail)
    with pytest.raises(JournalUnavailableError):
        await make_step(journal, clock)(pending)

    assert list(await journal.pending_messages(1)) == [pending]
    assert not await journal.pending_deliveries(now=clock.now(), limit=10)


def test_after_the_start_the_first_report_is_read_as_fast_as_the_next(
    make_raw: Callable[..., RawReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = replace(
        DEFAULT_SITE, name="anna", headings=Headings({**HEADINGS, "BEURTEILT": "findings"})
    )
    sites = SiteSet((site,))
    warm_reader(sites)
    made: list[str] = []
    compile_ = re.compile
    monkeypatch.setattr(re, "compile", lambda one, *rest: made.append(one) or compile_(one, *rest))

    for text in ("The lungs are clear.", "Die Lungen sind unauff\u00e4llig."):
        payload = ORU + GROUP % b"F1" + f"OBX|1|TX|&GDT||BEURTEILT: {text}||||||P\r".encode()
        [report] = plan_reports(make_raw(payload), sites)
        assert report.study.sections.findings == text
    assert [pattern for pattern in made if len(pattern) > 100] == []  # but fnmatch's for a name
