"""Copies of drafts in the embedded store: complete, in order, the same at a second try."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.delivery import DeliveryId, NewDelivery, PendingDelivery
from daemon.journal import PendingReport
from daemon.lifecycle import State
from daemon.mirror import Mirror
from interfaces.errors import SendRetryError
from interfaces.fhir_store import FhirStore
from mappings.domain import MessageId, ReportId
from tests.samples.fhir_drafts import STUDY, draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import DraftObservation
    from tests.unit.daemon.conftest import HandClock


@pytest.fixture
def store(clock: HandClock) -> Iterator[FhirStore]:
    opened = FhirStore(":memory:", now=clock.now)
    yield opened
    opened.close()


@pytest.fixture
def mirror(store: FhirStore, clock: HandClock) -> Mirror:
    return Mirror(store, clock)


def report_of(draft: DraftObservation | None) -> PendingReport:
    return PendingReport(
        report_id=ReportId("r1"),
        message_id=MessageId("m1"),
        report_key=key_of(),
        state=State.DRAFTED,
        attempts=0,
        study=STUDY,
        observation=draft,
    )


def pending(new: NewDelivery) -> PendingDelivery:
    return PendingDelivery(
        delivery_id=DeliveryId("d1"),
        message_id=MessageId("m1"),
        report_id=ReportId("r1"),
        kind=new.kind,
        target=new.target,
        attempts=0,
        payload=new.payload,
        control_id=new.control_id,
        door="default",
    )


async def test_a_draft_is_copied_whole_and_once(mirror: Mirror, store: FhirStore) -> None:
    draft = draft_of()
    (new,) = mirror.plan_posted(report_of(draft))

    assert await mirror.carry(pending(new)) == "written"
    assert await mirror.carry(pending(new)) == "unchanged"
    held = store.read("Observation", draft.observation_id)
    assert held is not None
    assert held.version == 1
    assert json.loads(held.body)["valueString"] == "No acute disease."
    assert store.search("Provenance", []).total == 1
    for companion in draft.companions:
        assert store.read(companion.resource_type, companion.id) is not None


async def test_a_newer_draft_is_the_next_version(mirror: Mirror, store: FhirStore) -> None:
    for text in ("Old words.", "New words."):
        (new,) = mirror.plan_posted(report_of(draft_of(text)))
        await mirror.carry(pending(new))

    held = store.read("Observation", draft_of().observation_id)
    assert held is not None
    assert (held.version, json.loads(held.body)["valueString"]) == (2, "New words.")


async def test_a_draft_that_was_withdrawn_is_marked_in_its_copy(
    mirror: Mirror, store: FhirStore
) -> None:
    report = report_of(draft_of())
    withdrawn = replace(report, retracted_for="report_cancelled")
    for new in (*mirror.plan_posted(report), *mirror.plan_retracted(withdrawn)):
        await mirror.carry(pending(new))

    held = store.read("Observation", draft_of().observation_id)
    assert held is not None
    assert json.loads(held.body)["status"] == "entered-in-error"
    assert store.search("Observation", [("status", "preliminary")]).total == 0


async def test_a_store_that_takes_no_writes_is_waited_for(
    mirror: Mirror, store: FhirStore, monkeypatch: pytest.MonkeyPatch, canary_name: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(canary_name)

    (new,) = mirror.plan_posted(report_of(draft_of()))
    monkeypatch.setattr(store, "update", fail)
    with pytest.raises(SendRetryError) as failed:
        await mirror.carry(pending(new))

    assert failed.value.reason == "store_unavailable"
    assert canary_name not in str(failed.value)
    assert failed.value.__suppress_context__


def test_a_report_without_a_draft_is_owed_nothing(mirror: Mirror) -> None:
    assert mirror.plan_posted(report_of(None)) == ()
    assert mirror.plan_retracted(report_of(None)) == ()
