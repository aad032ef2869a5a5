"""A client's wish to be told of drafts: read from a Subscription, judged, and told without secrets.

One topic is offered, "a draft was posted, replaced or withdrawn"; what is asked for and not done
here is refused, never silently left out. Header values are secrets of the client: what is told of a
Subscription to anyone has ``***`` in their place.

Standard: FHIR R4 Subscription; Subscriptions R5 Backport (backport-subscription), rest-hook.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from fhir.resources.R4B import get_fhir_model_class

from mappings.errors import SubscriptionRefusedError
from mappings.fhir_elements import FHIR_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

TOPIC = "urn:prelim:SubscriptionTopic:draft"
"""The canonical of the one topic."""
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
PROFILE = f"{BACKPORT}backport-subscription"
FILTERS = frozenset(
    {
        *("patient", "patient:identifier", "patient.identifier"),
        *("subject", "subject:identifier", "subject.identifier"),
        *("based-on:identifier", "based-on.identifier"),
        *("identifier", "category", "code", "status"),
    }
)
"""Search parameters of Observation that narrow the topic."""
CONTENTS = ("empty", "id-only", "full-resource")
MEDIA_TYPES = (FHIR_JSON, "application/json")
HEARTBEAT_S_MIN = 10
HEADERS_MAX = 10
HEADER_LENGTH_MAX = 4096
MASK = "***"
_HEADER = re.compile(
    r"(authorization|x-[a-z0-9-]+)[ \t]*:[ \t]*([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)",
    re.IGNORECASE,
)

Content = Literal["empty", "id-only", "full-resource"]


class SubscriptionState(StrEnum):
    """Subscription.status. Stored: never rename one."""

    REQUESTED = "requested"
    ACTIVE = "active"
    ERROR = "error"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a client has asked for. ``filters`` are search parameters that must all match.

    The endpoint is ``repr=False`` because its path may be a secret. ``timeout_s`` and
    ``heartbeat_s`` are None where the client leaves them to us, and to never.
    """

    endpoint: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    filters: tuple[tuple[str, str], ...] = field(repr=False)
    content: Content
    media_type: str
    timeout_s: int | None
    heartbeat_s: int | None
    end: datetime | None


def read_subscription(resource: Mapping[str, object]) -> Subscription:
    """Read what a client asks for.

    Args:
        resource: A Subscription as JSON types, from outside.

    Raises:
        SubscriptionRefusedError: It is no R4 Subscription, or asks for what is not done here;
            ``where`` is the element.
    """
    try:
        parsed = get_fhir_model_class("Subscription").model_validate(resource)
    except (ValueError, KeyError, TypeError, AssertionError):  # its text quotes the input
        raise SubscriptionRefusedError("structure", "Subscription") from None
    channel = cast("Mapping[str, object]", resource["channel"])
    _refuse(resource.get("criteria") != TOPIC, "topic_unknown", "criteria")
    _refuse("modifierExtension" in resource, "modifier_unknown", "modifierExtension")
    _refuse(channel.get("type") != "rest-hook", "channel_not_supported", "channel.type")
    _refuse("_type" in channel, "channel_not_supported", "channel.type")
    media_type = channel.get("payload")
    _refuse(media_type not in MEDIA_TYPES, "payload_not_supported", "channel.payload")
    return Subscription(
        endpoint=_endpoint(channel.get("endpoint")),
        headers=tuple(_headers(channel.get("header"))),
        filters=tuple(_filters(resource.get("_criteria"))),
        content=_content(channel.get("_payload")),
        media_type=str(media_type),
        timeout_s=_seconds(channel, "backport-timeout", 1),
        heartbeat_s=_seconds(channel, "backport-heartbeat-period", HEARTBEAT_S_MIN),
        end=cast("datetime | None", getattr(parsed, "end", None)),
    )


def mask_headers(resource: Mapping[str, object]) -> dict[str, object]:
    """Return a Subscription as it is told to anyone: header names without their values."""
    channel = cast("Mapping[str, object]", resource["channel"])
    names = [line.partition(":")[0] for line in cast("list[str]", channel.get("header", []))]
    masked = {"header": [f"{name}: {MASK}" for name in names]} if names else {}
    return {**resource, "channel": {**channel, **masked}}


def unmask_headers(resource: Mapping[str, object], held: Mapping[str, object]) -> dict[str, object]:
    """Give a Subscription that was read here, and comes back, the header values that we hold.

    Only for the endpoint that they were given for: whoever names another one does not know them.
    """
    ours = cast("Mapping[str, object]", held["channel"])
    kept = {line.partition(":")[0]: line for line in cast("list[str]", ours.get("header", []))}
    channel = resource.get("channel")
    lines = channel.get("header") if isinstance(channel, dict) else None
    if not isinstance(channel, dict) or not isinstance(lines, list):
        return dict(resource)
    if channel.get("endpoint") != ours.get("endpoint"):
        return dict(resource)
    whole = [
        kept.get(line.partition(":")[0], line)
        if isinstance(line, str) and line.endswith(f": {MASK}")
        else line
        for line in lines
    ]
    return {**resource, "channel": {**channel, "header": whole}}


def _refuse(is_wrong: bool, reason: str, element: str) -> None:  # noqa: FBT001 - reads as a sentence
    if is_wrong:
        raise SubscriptionRefusedError(reason, f"Subscription.{element}")


def _endpoint(value: object) -> str:
    where = "channel.endpoint"
    _refuse(not isinstance(value, str), "endpoint_missing", where)
    text = str(value)
    try:
        parts = urlsplit(text)
        is_wrong = parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0
    except ValueError:
        is_wrong = True
    _refuse(is_wrong or not text.isascii() or not text.isprintable(), "endpoint_invalid", where)
    _refuse(bool(parts.username or parts.password), "endpoint_with_credentials", where)
    return text


def _headers(value: object) -> Iterator[tuple[str, str]]:
    lines = value if isinstance(value, list) else []
    _refuse(len(lines) > HEADERS_MAX, "too_many_headers", "channel.header")
    for index, line in enumerate(lines):
        where = f"channel.header[{index}]"
        match = _HEADER.fullmatch(line)
        _refuse(match is None or len(line) > HEADER_LENGTH_MAX, "header_not_allowed", where)
        assert match is not None, "refused above"
        _refuse(match[2] == MASK, "header_masked", where)
        yield match[1], match[2]


def _filters(criteria: object) -> Iterator[tuple[str, str]]:
    for value in _extensions(criteria, "backport-filter-criteria"):
        where = "criteria.extension"
        _refuse(not isinstance(value, str), "filter_invalid", where)
        kind, mark, query = str(value).rpartition("?")
        _refuse(bool(mark) and kind != "Observation", "filter_unknown", where)
        pairs = parse_qsl(query, keep_blank_values=True)
        _refuse(not pairs, "filter_invalid", where)
        for name, wanted in pairs:
            _refuse(name not in FILTERS, "filter_unknown", where)
            _refuse(not wanted.strip(","), "filter_invalid", where)
            yield name, wanted


def _content(payload: object) -> Content:
    found = list(_extensions(payload, "backport-payload-content"))
    where = "channel.payload.extension"
    _refuse(len(found) != 1 or found[0] not in CONTENTS, "payload_content_unknown", where)
    return cast("Content", found[0])


def _seconds(channel: Mapping[str, object], name: str, least: int) -> int | None:
    for value in _extensions(channel, name):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        _refuse(not is_number or int(str(value)) < least, "seconds_invalid", "channel.extension")
        return int(str(value))
    return None


def _extensions(owner: object, name: str) -> Iterator[object]:
    found = owner.get("extension") if isinstance(owner, dict) else None
    for extension in found if isinstance(found, list) else []:
        if extension.get("url") == f"{BACKPORT}{name}":
            yield next((extension[key] for key in extension if key.startswith("value")), None)
