"""Notifications have the shape of the Backport guide, and hold no more than was asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import fhirkit
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.parameters import Parameters

from mappings.fhir_notification import Event, Standing, notification, status_bundle
from mappings.fhir_subscription import TOPIC, Content, SubscriptionState
from tests.samples.fhir_drafts import draft_of
from tests.unit.mappings.test_fhir_guard import R4_SCHEMA

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
URL = "https://prelim.example/fhir/Subscription/s1"
DRAFT = json.loads(draft_of().observation)
EVENT = Event(3, "2026-03-04T11:59:00.000Z", DRAFT)


def standing(content: Content = "id-only", error: str | None = None) -> Standing:
    state = SubscriptionState.ERROR if error else SubscriptionState.ACTIVE
    return Standing(URL, state, content, 5, error)


def checked(bundle: dict[str, Any]) -> dict[str, Any]:
    """Check a Bundle with three validators, and return its first resource's parameters by name."""
    Bundle.model_validate(bundle)
    assert list(R4_SCHEMA.iter_errors(bundle)) == []
    assert fhirkit.validate(bundle) == []
    first = bundle["entry"][0]["resource"]
    Parameters.model_validate(first)
    return {
        part["name"]: next((part[key] for key in part if key != "name"), None)
        for part in first["parameter"]
    }


def parts(event: list[dict[str, Any]]) -> dict[str, Any]:
    return {part["name"]: next(part[key] for key in part if key != "name") for part in event}


def test_a_handshake_tells_of_the_subscription_alone() -> None:
    bundle = notification("handshake", standing(), now=NOW)
    told = checked(bundle)

    assert bundle["type"] == "history"
    assert len(bundle["entry"]) == 1
    assert bundle["entry"][0]["request"] == {"method": "GET", "url": f"{URL}/$status"}
    assert told == {
        "subscription": {"reference": URL},
        "topic": TOPIC,
        "status": "active",
        "type": "handshake",
        "events-since-subscription-start": "5",
    }


@pytest.mark.parametrize(
    ("content", "has_focus", "has_resource"),
    [("empty", False, False), ("id-only", True, False), ("full-resource", True, True)],
)
def test_an_event_holds_what_was_asked_for_and_no_more(
    content: Content, *, has_focus: bool, has_resource: bool
) -> None:
    bundle = notification("event-notification", standing(content), events=[EVENT], now=NOW)
    told = checked(bundle)
    event = parts(told["notification-event"])

    focus = f"https://prelim.example/fhir/Observation/{DRAFT['id']}"
    assert told["events-since-subscription-start"] == event["event-number"] == "3"
    assert event["timestamp"] == EVENT.at
    assert event.get("focus") == ({"reference": focus} if has_focus else None)
    assert ("topic" in told) is has_focus
    assert [entry["resource"] for entry in bundle["entry"][1:]] == [DRAFT] * has_resource
    assert (DRAFT["id"] in json.dumps(bundle)) is has_focus
    if has_resource:
        assert bundle["entry"][1]["fullUrl"] == focus
        assert bundle["entry"][1]["request"]["method"] == "PUT"
        assert bundle["entry"][1]["response"]["status"] == "200"


def test_the_same_event_is_the_same_bundle_and_another_is_another() -> None:
    def id_of(event: Event, now: datetime = NOW) -> object:
        return notification("event-notification", standing(), events=[event], now=now)["id"]

    other = Event(4, EVENT.at, DRAFT)
    assert id_of(EVENT) == id_of(EVENT, datetime(2026, 3, 5, tzinfo=UTC))
    assert id_of(EVENT) != id_of(other)


def test_a_draft_that_is_gone_is_an_event_without_focus() -> None:
    gone = Event(1, EVENT.at, None)
    bundle = notification("event-notification", standing("full-resource"), events=[gone], now=NOW)

    assert "focus" not in parts(checked(bundle)["notification-event"])
    assert len(bundle["entry"]) == 1


def test_missed_events_come_in_their_order_with_the_count_of_all() -> None:
    events = [Event(number, EVENT.at, DRAFT, is_first=number == 1) for number in (1, 2)]
    bundle = notification("query-event", standing("full-resource"), events=events, now=NOW)

    checked(bundle)
    parameters = bundle["entry"][0]["resource"]["parameter"]
    told = [parts(each["part"]) for each in parameters if each["name"] == "notification-event"]
    assert [event["event-number"] for event in told] == ["1", "2"]
    assert [entry["response"]["status"] for entry in bundle["entry"][1:]] == ["201", "200"]
    assert {"name": "events-since-subscription-start", "valueString": "5"} in parameters


def test_a_status_tells_of_each_subscription_and_of_its_error() -> None:
    bundle = status_bundle([standing(), standing(error="http_403")])
    checked(bundle)

    second = bundle["entry"][1]["resource"]["parameter"]
    assert (bundle["type"], bundle["total"]) == ("searchset", 2)
    assert {"name": "type", "valueCode": "query-status"} in second
    assert {"name": "status", "valueCode": "error"} in second
    assert second[-1]["valueCodeableConcept"]["coding"][0]["code"] == "http_403"
    assert status_bundle([]) == {"resourceType": "Bundle", "type": "searchset", "total": 0}
