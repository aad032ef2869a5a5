"""Our Subscriptions beside those of a server that others wrote (sekmet-fhir): the same shapes.

Each side reads what the other writes: its Subscription is taken by our door, our notifications are
read by its reader; and what both send to one receiver has the same parts.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sekmet.subscriptions.backport import SEKMET_TOPIC_BASE, build_subscription, parse_notification

from mappings.fhir_notification import Event, NotificationType, Standing, notification
from mappings.fhir_subscription import TOPIC, SubscriptionState, read_subscription
from tests.integration.sekmet import running_sekmet
from tests.samples.fhir_drafts import draft_of
from tests.unit.interfaces.hook_receiver import HookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.fhir_subscription import Content

pytestmark = [pytest.mark.integration, pytest.mark.process]
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
DRAFT = json.loads(draft_of().observation)
BASE = "https://prelim.example/fhir"
PATIENT = {"resourceType": "Patient", "id": "synthetic-1", "gender": "other"}
JSON = {"Content-Type": "application/fhir+json"}


@pytest.fixture(scope="module")
def fhir_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as url:
        yield url


def ours(kind: NotificationType, content: Content = "full-resource") -> dict[str, Any]:
    standing = Standing(f"{BASE}/Subscription/s1", SubscriptionState.ACTIVE, content, 1)
    event = Event(1, "2026-03-04T11:59:00.000Z", DRAFT, is_first=True)
    events = [event] if kind == "event-notification" else []
    return notification(kind, standing, events=events, now=NOW)


def shape(bundle: dict[str, Any]) -> dict[str, set[str]]:
    """Return what a notification is made of, without what it says."""
    status = bundle["entry"][0]["resource"]
    parts = [part for each in status["parameter"] for part in each.get("part", [])]
    return {
        "bundle": set(bundle) - {"meta"},
        "status": {"+".join(sorted({*each, f"={each['name']}"})) for each in status["parameter"]},
        "event": {"+".join(sorted({*part, f"={part['name']}"})) for part in parts},
        "entries": {entry["resource"]["resourceType"] for entry in bundle["entry"][:1]},
    }


async def until(count: int, receiver: HookReceiver) -> None:
    while len(receiver.bundles) < count:
        await asyncio.sleep(0.05)


async def test_a_handshake_and_an_event_have_the_parts_that_theirs_have(fhir_url: str) -> None:
    topic = f"{SEKMET_TOPIC_BASE}/patient-change"
    async with HookReceiver() as receiver, aiohttp.ClientSession() as session:
        wish = build_subscription(topic, receiver.url, content="full-resource")
        async with session.post(f"{fhir_url}/Subscription", json=wish, headers=JSON) as made:
            assert made.status == 201
        await until(1, receiver)
        where = f"{fhir_url}/Patient/{PATIENT['id']}"
        while len(receiver.bundles) < 2:  # it is active a moment after the handshake
            async with session.put(where, json=PATIENT, headers=JSON) as put:
                assert put.status in {200, 201}
            await asyncio.sleep(0.2)

    handshake, event = receiver.bundles[:2]
    assert shape(ours("handshake")) == shape(handshake)
    assert shape(ours("event-notification")) == shape(event)


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_their_reader_understands_our_notifications(content: Content) -> None:
    read = parse_notification(ours("event-notification", content))

    assert read is not None
    assert (read["type"], read["subscription"]) == ("event-notification", f"{BASE}/Subscription/s1")
    assert [event["number"] for event in read["events"]] == ["1"]
    focus = None if content == "empty" else f"{BASE}/Observation/{DRAFT['id']}"
    assert read["events"][0].get("focus") == focus
    assert read["resources"] == ([DRAFT] if content == "full-resource" else [])


def test_our_door_takes_their_subscription() -> None:
    filters = ["Observation?patient=Patient/7", "category=imaging"]
    wish = build_subscription(
        TOPIC, "https://pacs.example/hook", filters, headers=["Authorization: abc"], heartbeat=60
    )

    read = read_subscription(wish)
    assert read.filters == (("patient", "Patient/7"), ("category", "imaging"))
    assert (read.content, read.heartbeat_s) == ("id-only", 60)
    assert read.headers == (("Authorization", "abc"),)
