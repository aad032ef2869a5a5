"""What a subscriber is sent: history Bundles whose first entry says which Subscription and event.

Every event of a Subscription has the next number, without a gap: who sees one missing asks for it
(``$events``). The same event makes the same Bundle id each time, so that a second try can be told
from a second event. How much is in it is the client's choice, and never more.

Standard: Subscriptions R5 Backport for R4 (backport-subscription-notification-r4,
backport-subscription-status-r4).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mappings.fhir_subscription import BACKPORT, PROFILE, TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mappings.fhir_subscription import Content, SubscriptionState

NotificationType = Literal[
    "handshake", "heartbeat", "event-notification", "query-status", "query-event"
]
_NOTIFICATION_PROFILE = f"{BACKPORT}backport-subscription-notification-r4"
_STATUS_PROFILE = f"{BACKPORT}backport-subscription-status-r4"
_ERRORS = "urn:prelim:subscription-error"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number from 1, when it was, and the draft as it is now; None when it is gone.

    ``is_first`` says that the draft has no earlier version.
    """

    number: int
    at: str
    resource: Mapping[str, object] | None = field(repr=False)
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a Subscription stands: its url, its state, the events it has had, what is wrong."""

    url: str
    state: SubscriptionState
    content: Content
    events: int
    error: str | None = None


def notification(
    kind: NotificationType,
    standing: Standing,
    *,
    events: Sequence[Event] = (),
    now: datetime,
) -> dict[str, object]:
    """Build the Bundle of a notification.

    Args:
        kind: What is told.
        standing: Of the Subscription.
        events: Told in their order; none in a handshake or heartbeat.
        now: Aware.

    Returns:
        A Bundle as JSON types.
    """
    base, _, _ = standing.url.rpartition("/Subscription/")
    what = f"{events[0].number}-{events[-1].number}" if events else instant_ms(now)
    name = f"{standing.url}#{kind}:{what}"
    status = status_parameters(kind, standing, name=name, events=events)
    told = events if standing.content == "full-resource" else ()
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}:bundle")),
        "meta": {"profile": [_NOTIFICATION_PROFILE]},
        "type": "history",
        "timestamp": instant_ms(now),
        "entry": [
            {
                "fullUrl": f"urn:uuid:{status['id']}",
                "resource": status,
                "request": {"method": "GET", "url": f"{standing.url}/$status"},
                "response": {"status": "200"},
            },
            *(_entry(event, base) for event in told if event.resource is not None),
        ],
    }


def status_parameters(
    kind: NotificationType, standing: Standing, *, name: str, events: Sequence[Event] = ()
) -> dict[str, object]:
    """Build the status of a Subscription; ``name`` makes its id.

    The count of an event-notification is that of its last event, so that one that went missing on
    the way shows as a gap.
    """
    base, _, _ = standing.url.rpartition("/Subscription/")
    is_event = kind == "event-notification" and bool(events)
    count = events[-1].number if is_event else standing.events
    topic: dict[str, object] = {"name": "topic", "valueCanonical": TOPIC}
    parameters: list[dict[str, object]] = [
        {"name": "subscription", "valueReference": {"reference": standing.url}},
        *([] if standing.content == "empty" else [topic]),
        {"name": "status", "valueCode": standing.state.value},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(count)},
        *(_event(event, base, standing.content) for event in events),
    ]
    if standing.error is not None:
        concept = {"coding": [{"system": _ERRORS, "code": standing.error}]}
        parameters.append({"name": "error", "valueCodeableConcept": concept})
    return {
        "resourceType": "Parameters",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "meta": {"profile": [_STATUS_PROFILE]},
        "parameter": parameters,
    }


def status_bundle(standings: Sequence[Standing]) -> dict[str, object]:
    """Build the answer of ``$status``: a searchset with the status of each Subscription."""
    statuses = [
        status_parameters("query-status", each, name=f"{each.url}#status:{each.events}")
        for each in standings
    ]
    entries = [
        {"fullUrl": f"urn:uuid:{status['id']}", "resource": status, "search": {"mode": "match"}}
        for status in statuses
    ]
    bundle: dict[str, object] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries),
    }
    return {**bundle, "entry": entries} if entries else bundle


def instant_ms(now: datetime) -> str:
    """Write an aware time as an R4 instant, to the millisecond."""
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def backport_capability() -> dict[str, object]:
    """Say in a CapabilityStatement's Subscription what is offered, and how to subscribe to it."""
    guide = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    topic = f"{BACKPORT}capabilitystatement-subscriptiontopic-canonical"
    return {
        "extension": [{"url": topic, "valueCanonical": TOPIC}],
        "supportedProfile": [PROFILE],
        "operation": [
            {"name": name, "definition": f"{guide}backport-subscription-{name}"}
            for name in ("status", "events")
        ],
    }


def _event(event: Event, base: str, content: Content) -> dict[str, object]:
    part: list[dict[str, object]] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": event.at},
    ]
    if content != "empty" and event.resource is not None:
        focus = f"{base}/Observation/{event.resource['id']}"
        part.append({"name": "focus", "valueReference": {"reference": focus}})
    return {"name": "notification-event", "part": part}


def _entry(event: Event, base: str) -> dict[str, object]:
    assert event.resource is not None, "asked for by the caller"
    path = f"Observation/{event.resource['id']}"
    return {
        "fullUrl": f"{base}/{path}",
        "resource": event.resource,
        "request": {"method": "PUT", "url": path},
        "response": {"status": "201" if event.is_first else "200"},
    }
