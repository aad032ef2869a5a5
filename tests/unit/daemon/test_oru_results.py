"""What a site's receiver is owed over MLLP: its impression, or that it is taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.config_mllp import Send
from daemon.lifecycle import State
from daemon.oru_results import OruResults
from mappings.hl7_oru_out import oru_control_id
from mappings.sites import Site, SiteSet
from tests.samples.fhir_drafts import draft_of
from tests.unit.daemon.journal_samples import DRAFT, map_one

if TYPE_CHECKING:
    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

SITES = SiteSet((Site("demo", oru_target="ris"),))


def make(clock: HandClock, sites: SiteSet = SITES, **oru: str) -> OruResults:
    entry = Send.model_validate({"host": "127.0.0.1", "port": 9, "oru": oru})
    return OruResults({"ris": entry}, sites, clock)


async def drafted(journal: SqliteJournal, clock: HandClock) -> PendingReport:
    report_id = await map_one(journal)
    await journal.record_drafted(report_id, DRAFT, draft_of())
    [report] = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=1)
    return report


async def test_a_site_with_a_receiver_owes_it_the_impression(
    journal: SqliteJournal, clock: HandClock
) -> None:
    report = await drafted(journal, clock)
    results = make(clock, sending_application="AI", charset="8859/1")

    [owed] = results.plan_posted(report)

    segments = owed.payload.split(b"\r")
    assert (owed.kind, owed.target) == ("oru", "ris")
    assert owed.control_id == oru_control_id(report.report_id)
    assert segments[0].startswith(b"MSH|^~\\&|AI||RIS||20261121080000+0000||ORU^R01^ORU_R01|")
    assert segments[0].endswith(b"|8859/1")


@pytest.mark.parametrize("sites", [SiteSet(), SiteSet((Site("demo"),))])
async def test_a_site_without_a_receiver_owes_nothing(
    journal: SqliteJournal, clock: HandClock, sites: SiteSet
) -> None:
    report = await drafted(journal, clock)

    assert make(clock, sites).plan_posted(report) == ()


async def test_a_receiver_hears_of_a_withdrawal_in_a_message_of_its_own(
    journal: SqliteJournal, clock: HandClock
) -> None:
    report = await drafted(journal, clock)
    results = make(clock)
    [posted] = results.plan_posted(report)

    [owed] = results.plan_retracted(replace(report, retracted_for="report_cancelled"))

    assert (owed.kind, owed.target) == ("oru", "ris")
    assert owed.control_id == oru_control_id(report.report_id, is_withdrawal=True)
    assert owed.control_id != posted.control_id
    assert b'|""||||||D' in owed.payload
