"""What a client may ask to be told of, and what is refused rather than left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from interfaces.fhir_store_search import tokens_of
from mappings.errors import SubscriptionRefusedError
from mappings.fhir_subscription import (
    BACKPORT,
    FILTERS,
    mask_headers,
    read_subscription,
    unmask_headers,
)
from tests.unit.mappings.subscription_samples import subscription_resource


def in_channel(**changes: object) -> dict[str, Any]:
    resource = subscription_resource()
    return {**resource, "channel": {**resource["channel"], **changes}}


def test_a_whole_subscription_is_read() -> None:
    wish = read_subscription(
        subscription_resource(
            content="full-resource",
            filters=("Observation?patient=Patient/7&category=imaging", "status=preliminary"),
            headers=("Authorization: Bearer abc", "X-Site:north"),
            heartbeat_s=60,
            timeout_s=5,
            end="2027-01-01T00:00:00Z",
        )
    )

    assert wish.endpoint == "https://pacs.example/hook"
    assert wish.headers == (("Authorization", "Bearer abc"), ("X-Site", "north"))
    assert wish.filters == (
        ("patient", "Patient/7"),
        ("category", "imaging"),
        ("status", "preliminary"),
    )
    assert (wish.content, wish.media_type) == ("full-resource", "application/fhir+json")
    assert (wish.heartbeat_s, wish.timeout_s) == (60, 5)
    assert wish.end == datetime(2027, 1, 1, tzinfo=UTC)


def test_what_is_told_of_it_shows_neither_secrets_nor_whom_it_is_about() -> None:
    wish = read_subscription(
        subscription_resource(headers=("Authorization: s3cret",), filters=("patient=Patient/7",))
    )

    assert "s3cret" not in repr(wish)
    assert "Patient/7" not in repr(wish)
    assert "pacs.example" not in repr(wish)


@pytest.mark.parametrize(
    ("resource", "reason", "where"),
    [
        ({"resourceType": "Subscription"}, "structure", "Subscription"),
        (subscription_resource(colour="blue"), "structure", "Subscription"),
        (subscription_resource(criteria="Observation?code=1"), "topic_unknown", "criteria"),
        (
            subscription_resource(modifierExtension=[{"url": "urn:x", "valueCode": "y"}]),
            "modifier_unknown",
            "modifierExtension",
        ),
        (in_channel(type="email"), "channel_not_supported", "channel.type"),
        (
            in_channel(_type={"extension": [{"url": f"{BACKPORT}backport-channel-type"}]}),
            "channel_not_supported",
            "channel.type",
        ),
        (in_channel(payload="application/fhir+xml"), "payload_not_supported", "channel.payload"),
        (in_channel(_payload={"id": "x"}), "payload_content_unknown", "channel.payload.extension"),
        (
            subscription_resource(content="everything"),
            "payload_content_unknown",
            "channel.payload.extension",
        ),
        (subscription_resource("ftp://pacs.example/"), "endpoint_invalid", "channel.endpoint"),
        (subscription_resource("https:///hook"), "endpoint_invalid", "channel.endpoint"),
        (subscription_resource("https://[x/"), "endpoint_invalid", "channel.endpoint"),
        (
            subscription_resource("https://me:s3cret@pacs.example/"),
            "endpoint_with_credentials",
            "channel.endpoint",
        ),
        (
            subscription_resource(headers=("Host: other",)),
            "header_not_allowed",
            "channel.header[0]",
        ),
        (
            subscription_resource(headers=("X-A: b\r\nHost: c",)),
            "header_not_allowed",
            "channel.header[0]",
        ),
        (
            subscription_resource(headers=("X-A: 1", "Content-Length: 0")),
            "header_not_allowed",
            "channel.header[1]",
        ),
        (
            subscription_resource(headers=("Authorization: ***",)),
            "header_masked",
            "channel.header[0]",
        ),
        (
            subscription_resource(headers=("X-A: 1",) * 11),
            "too_many_headers",
            "channel.header",
        ),
        (subscription_resource(filters=("colour=blue",)), "filter_unknown", "criteria.extension"),
        (
            subscription_resource(filters=("Patient?_id=7",)),
            "filter_unknown",
            "criteria.extension",
        ),
        (subscription_resource(filters=("patient=",)), "filter_invalid", "criteria.extension"),
        (subscription_resource(filters=("Observation?",)), "filter_invalid", "criteria.extension"),
        (subscription_resource(heartbeat_s=9), "seconds_invalid", "channel.extension"),
    ],
)
def test_what_is_not_done_here_is_refused_with_its_place(
    resource: dict[str, Any], reason: str, where: str
) -> None:
    with pytest.raises(SubscriptionRefusedError) as refused:
        read_subscription(resource)

    place = where if where == "Subscription" else f"Subscription.{where}"
    assert (refused.value.reason, refused.value.where) == (reason, place)


def test_each_filter_is_a_search_parameter() -> None:
    assert set(tokens_of("Observation")) >= FILTERS


def test_secrets_are_masked_and_come_back_when_the_rest_is_written_anew() -> None:
    held = subscription_resource(headers=("Authorization: s3cret", "X-Site: north"))

    shown = mask_headers(held)
    assert shown["channel"]["header"] == ["Authorization: ***", "X-Site: ***"]  # type: ignore[index]
    assert "s3cret" not in json.dumps(shown)
    assert unmask_headers({**shown, "status": "active"}, held) == {**held, "status": "active"}
    other = subscription_resource(headers=("X-Other: ***", "X-Site: south"))
    assert unmask_headers(other, held)["channel"] == other["channel"]
    assert unmask_headers({"channel": "none"}, held) == {"channel": "none"}
    assert mask_headers(subscription_resource()) == subscription_resource()


def test_secrets_do_not_follow_to_another_endpoint() -> None:
    held = subscription_resource(headers=("Authorization: s3cret",))
    shown = mask_headers(held)
    elsewhere = {**shown["channel"], "endpoint": "http://127.0.0.1:9/thief"}  # type: ignore[dict-item]

    taken = unmask_headers({**shown, "channel": elsewhere}, held)

    assert "s3cret" not in json.dumps(taken)
