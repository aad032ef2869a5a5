"""Subscriptions as a client would write them."""

from __future__ import annotations

from typing import Any

from mappings.fhir_subscription import BACKPORT, PROFILE, TOPIC


def subscription_resource(
    endpoint: str = "https://pacs.example/hook",
    *,
    content: str = "id-only",
    filters: tuple[str, ...] = (),
    headers: tuple[str, ...] = (),
    heartbeat_s: int | None = None,
    timeout_s: int | None = None,
    **changes: object,
) -> dict[str, Any]:
    """A Subscription to our topic; keyword arguments replace elements."""
    seconds = {"backport-heartbeat-period": heartbeat_s, "backport-timeout": timeout_s}
    channel: dict[str, object] = {
        "type": "rest-hook",
        "endpoint": endpoint,
        "payload": "application/fhir+json",
        "_payload": {
            "extension": [{"url": f"{BACKPORT}backport-payload-content", "valueCode": content}]
        },
    }
    if headers:
        channel["header"] = list(headers)
    if any(seconds.values()):
        channel["extension"] = [
            {"url": f"{BACKPORT}{name}", "valueUnsignedInt": value}
            for name, value in seconds.items()
            if value is not None
        ]
    resource: dict[str, object] = {
        "resourceType": "Subscription",
        "meta": {"profile": [PROFILE]},
        "status": "requested",
        "reason": "Show drafts as they come",
        "criteria": TOPIC,
        "channel": channel,
    }
    if filters:
        url = f"{BACKPORT}backport-filter-criteria"
        extensions = [{"url": url, "valueString": text} for text in filters]
        resource["_criteria"] = {"extension": extensions}
    return {**resource, **changes}
