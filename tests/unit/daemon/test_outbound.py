"""What leaves over MLLP: for which reports, when not, and what stops the start."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daemon.config import load_settings
from daemon.delivery import NewDelivery
from daemon.errors import ConfigurationError
from daemon.lifecycle import State
from daemon.metrics import Metrics
from daemon.mllp_carriers import AcknowledgmentCarrier
from daemon.outbound import Outbound
from mappings.hl7_oru_out import oru_control_id
from mappings.sites import Site, SiteSet
from tests.samples.fhir_drafts import draft_of
from tests.unit.daemon.journal_samples import DRAFT, bring_to, make_new, map_one, receive
from tests.unit.daemon.receiving_engine import ReceivingEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.delivery import PendingDelivery
    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

SITES = SiteSet((Site("demo", oru_target="ris"),))


def make(clock: HandClock, sites: SiteSet = SITES, port: int = 9, **changes: Any) -> Outbound:  # noqa: ANN401 - settings of any type
    send = {"ris": {"host": "127.0.0.1", "port": port, **changes.pop("ris", {})}}
    settings = load_settings(overrides={"mllp": {"send": send}, **changes}, environment={})
    return Outbound(settings, sites, clock)


async def drafted(journal: SqliteJournal, clock: HandClock) -> PendingReport:
    report_id = await map_one(journal)
    await journal.record_drafted(report_id, DRAFT, draft_of())
    [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    return report


class Told:
    def __init__(self, posted: list[NewDelivery], retracted: list[NewDelivery]) -> None:
        self.posted, self.retracted = posted, retracted

    def plan_posted(self, _report: PendingReport) -> list[NewDelivery]:
        return self.posted

    def plan_retracted(self, _report: PendingReport) -> list[NewDelivery]:
        return self.retracted


async def test_everybody_who_is_owed_something_gets_it_with_one_post(
    journal: SqliteJournal, clock: HandClock
) -> None:
    report = await drafted(journal, clock)
    outbound = make(clock)
    told = NewDelivery("kafka_result", "impressions", b"{}", "K1")
    withdrawn = NewDelivery("notification", "pacs", b"{}", "N1")
    outbound.receivers.append(Told([told], [withdrawn]))

    posted = outbound.plan_posted(report)
    retracted = outbound.plan_retracted(replace(report, retracted_for="report_cancelled"))

    assert [each.kind for each in posted] == ["oru", "kafka_result"]
    assert [each.kind for each in retracted] == ["oru", "notification"]


async def test_what_is_due_is_sent_and_what_becomes_due_when_it_is_woken(
    journal: SqliteJournal, clock: HandClock
) -> None:
    async with ReceivingEngine() as engine:
        outbound = make(clock, port=engine.port)
        report = await drafted(journal, clock)
        wakened = asyncio.Event()
        outbound.start(journal, Metrics(), wakened)
        await journal.record_posted(
            report.report_id,
            reference="O/1",
            version_id=None,
            outcome="created",
            deliveries=outbound.plan_posted(report),
        )
        wakened.set()
        await engine.arrived.wait()
        while await journal.deliveries_due():
            await asyncio.sleep(0.001)  # nothing to wait on: the journal tells nobody
        await outbound.drain(5)

    assert engine.control_ids == [oru_control_id(report.report_id)]


@pytest.mark.parametrize("held_by", ["shadow", "pause"])
async def test_no_draft_is_sent_in_shadow_or_while_posting_is_paused(
    journal: SqliteJournal, clock: HandClock, held_by: str
) -> None:
    told = asyncio.Event()

    async def acknowledge(_: PendingDelivery) -> bool:
        told.set()
        return True

    report_id = await bring_to(journal, State.DRAFTED, "C1")
    await journal.record_posted(
        report_id,
        reference="O/1",
        version_id=None,
        outcome="created",
        deliveries=[NewDelivery("oru", "ris", b"MSH|", "D1")],
    )
    message_id = await receive(journal, "C2")
    owed = NewDelivery("application_ack", "", b"MSH|", "A1")
    await journal.record_mapped(message_id, [make_new()], deliveries=[owed])
    await journal.set_paused(is_paused=held_by == "pause", actor="operator:test")
    async with ReceivingEngine() as engine:
        shadow = {"write": "off"} if held_by == "shadow" else {}
        outbound = make(clock, port=engine.port, fhir=shadow)
        outbound.carriers["application_ack"] = AcknowledgmentCarrier(acknowledge)
        outbound.start(journal, Metrics(), asyncio.Event())
        await told.wait()
        await outbound.drain(5)

    assert engine.heard == []
    assert await journal.deliveries_due() == {("oru", "ris"): 1}


async def test_a_message_that_nobody_answers_is_told_to_a_receiver_by_name(
    clock: HandClock,
) -> None:
    async with ReceivingEngine() as engine:
        outbound = make(clock, port=engine.port)
        said = await outbound.tell("ris", b"MSH|^~\\&|P||||1||ACK|A1|P|2.5.1\r")
        await engine.arrived.wait()
        await outbound.drain(1)

    assert said
    assert engine.control_ids == ["A1"]


async def test_nobody_to_tell_is_no(clock: HandClock, free_port: Callable[[], int]) -> None:
    outbound = make(clock, port=free_port())

    assert not await outbound.tell("ris", b"MSH|")
    assert not await outbound.tell("nobody", b"MSH|")


def test_a_site_whose_receiver_is_not_set_stops_the_start(clock: HandClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(clock, SiteSet((Site("north", oru_target="nobody"),)))

    assert caught.value.where == "north: oru_target"


def test_a_demo_engine_sends_its_drafts_to_no_real_receiver(clock: HandClock) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(clock, ris={"host": "ris.hospital.example"})

    assert caught.value.where == "model.allow_demo"
    make(clock, SiteSet(), ris={"host": "ris.hospital.example"})
    make(clock, ris={"host": "ris.hospital.example"}, model={"allow_demo": True})


def test_a_tls_file_that_cannot_be_used_stops_the_start(clock: HandClock, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(clock, ris={"tls": {"ca": str(tmp_path / "missing.pem")}})

    assert caught.value.where == "mllp.send.ris.tls.ca"


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"tls": {"key": "k.pem"}}, "mllp.send.ris.tls"),
        ({"oru": {"charset": "UTF-16"}}, "mllp.send.ris.oru.charset"),
        ({"oru": {"lines": "pages"}}, "mllp.send.ris.oru.lines"),
        ({"port": 0}, "mllp.send.ris.port"),
        ({"host": ""}, "mllp.send.ris.host"),
    ],
)
def test_settings_that_make_no_sense_are_told_by_their_path(
    clock: HandClock, entry: dict[str, Any], where: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(clock, ris=entry)

    assert caught.value.where == where


def test_an_application_ack_to_nobody_is_refused(clock: HandClock) -> None:
    listeners = {"default": {"application_ack_to": "nobody"}}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(overrides={"mllp": {"listeners": listeners}}, environment={})

    assert caught.value.where == "mllp"
