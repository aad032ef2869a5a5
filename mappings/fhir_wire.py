"""What stands in a server's answers, and our resources as that server names things.

Ids and versions of the server go into URLs and headers, and its codes into logs: only what has the
form of one passes.

Standard: FHIR R4 RESTful API, RFC 9110 (Retry-After).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum

from mappings.fhir_elements import canonical_json
from mappings.fhir_json import read_object

RETRY_AFTER_S_MAX = 86_400.0
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_LOCATION = re.compile(r"(?:.*/)?([A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([^/]+))?")
# FHIR R4 value set issue-type: a closed list, so that no other word of an answer is repeated.
_ISSUE_CODES = frozenset(
    {
        *("business-rule", "code-invalid", "conflict", "deleted", "duplicate", "exception"),
        *("expired", "extension", "forbidden", "incomplete", "informational", "invalid"),
        *("invariant", "lock-error", "login", "multiple-matches", "no-store", "not-found"),
        *("not-supported", "processing", "required", "security", "structure", "suppressed"),
        *("throttled", "timeout", "too-costly", "too-long", "transient", "unknown", "value"),
    }
)
_ISSUES_MAX = 5
_RETRIED = frozenset({408, 409, 425, 429})
_NEVER_ABLE = frozenset({501, 505})


class Fate(StrEnum):
    """What a status means for the post."""

    DONE = "done"
    RETRY = "retry"
    UNAUTHORISED = "unauthorised"
    REFUSED = "refused"


def judge_status(status: int) -> Fate:
    """Say what an HTTP status means for the post (404 on read and 412 are the caller's)."""
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110: 2xx is success
        return Fate.DONE
    # RFC 9110: a 5xx that is not known is a 500; gateways have many of their own (507, 520, 599).
    if status in _RETRIED or (status // 100 == 5 and status not in _NEVER_ABLE):  # noqa: PLR2004 - the class of server errors
        return Fate.RETRY
    return Fate.UNAUTHORISED if status == 401 else Fate.REFUSED  # noqa: PLR2004 - RFC 9110


def parse_retry_after_s(retry_after: str | None, date: str | None) -> float | None:
    """Read a Retry-After header.

    Args:
        retry_after: Seconds or an HTTP-date.
        date: The same answer's Date header: the server's own clock, so that ours need not agree.

    Returns:
        0..86400 seconds, or None when there is nothing to obey.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_S_MAX)
    try:
        said, now = parsedate_to_datetime(text), parsedate_to_datetime(date or "")
        seconds = (said - now).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


def issue_codes(outcome: object) -> tuple[str, ...]:
    """Return the issue codes of an OperationOutcome; its texts may quote the patient's data."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    if not isinstance(issues, list):
        return ()
    found = [issue.get("code") for issue in issues[:_ISSUES_MAX] if isinstance(issue, dict)]
    return tuple(code for code in found if isinstance(code, str) and code in _ISSUE_CODES)


def read_location(location: str | None, kind: str) -> tuple[str, str | None] | None:
    """Read id and version of a resource from a Location header; None when there is none."""
    match = _LOCATION.fullmatch(location or "")
    if match is None or match[1] != kind:
        return None
    return match[2], id_of(match[3])


def read_etag(etag: str | None) -> str | None:
    """Read the version of ``W/"n"``."""
    return id_of((etag or "").removeprefix("W/").strip('"'))


def read_matches(bundle: Mapping[str, object], kind: str) -> list[Mapping[str, object]]:
    """Return the resources that a search matched, without what the server includes beside."""
    entries = bundle.get("entry")
    found = [
        member(entry, "resource")
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping) and member(entry, "search").get("mode", "match") == "match"
    ]
    return [resource for resource in found if resource.get("resourceType") == kind]


def criteria_of(resource: Mapping[str, object]) -> dict[str, str]:
    """Return the search that finds this resource of ours, and no other, at the server.

    Args:
        resource: With a ``meta.tag`` of our own, or an identifier. Not every type can be searched
            by identifier (Provenance, AuditEvent); each can by tag.

    Raises:
        ValueError: It has neither, and could be created again and again.
    """
    for name, found in (
        ("_tag", _first(member(resource, "meta").get("tag"))),
        ("identifier", _first(resource.get("identifier"))),
    ):
        value = found.get("code" if name == "_tag" else "value")
        if isinstance(found.get("system"), str) and isinstance(value, str):
            return {name: f"{found['system']}|{value}"}
    raise ValueError("neither a tag nor an identifier")


def with_names(resource: bytes, id_: str | None, names: Mapping[str, str]) -> bytes:
    """Write kept bytes as the server names things; same input, same bytes.

    Args:
        resource: As it was kept.
        id_: The id that the server uses, or None for none.
        names: The server's reference by ours, such as ``Observation/77``.
    """
    document = rename(read_object(resource), names)
    document.pop("id", None)
    return canonical_json(document if id_ is None else {**document, "id": id_})


def rename(resource: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return a resource whose references are the server's."""
    return {name: _renamed(name, value, names) for name, value in resource.items()}


def _renamed(name: str, value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, Mapping):
        return rename(value, names)
    if isinstance(value, list):
        return [_renamed(name, item, names) for item in value]
    if name == "reference" and isinstance(value, str):
        return names.get(value, value)
    return value


def id_of(value: object) -> str | None:
    """Return an id of the server; None when it has not the form of one."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def member(resource: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return the object under a name; an empty one when there is none."""
    found = resource.get(name)
    return found if isinstance(found, Mapping) else {}


def _first(value: object) -> Mapping[str, object]:
    first = value[0] if isinstance(value, list) and value else None
    return first if isinstance(first, Mapping) else {}
