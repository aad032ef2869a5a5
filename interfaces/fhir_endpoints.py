"""What our FHIR endpoints share: how a request is read, and how it is answered.

Every error is an OperationOutcome: it names a reason and a place, never a value.

Standard: FHIR R4 RESTful API; RFC 9110 (ETag, Last-Modified, conditional requests).
"""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from interfaces.errors import RequestRefusedError
from mappings.errors import GuardViolationError
from mappings.fhir_elements import FHIR_JSON, canonical_json
from mappings.fhir_json import find_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.requests import Request

    from interfaces.fhir_store import Stored

    Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger()

BODY_BYTES_MAX = 10 * 1024 * 1024
JSON_TYPES = frozenset({FHIR_JSON, "application/json"})
FORM = frozenset({"application/x-www-form-urlencoded"})
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
"""What a route answers to; those that it does not do are refused by ``allow``."""
_FORMATS = frozenset({*JSON_TYPES, "json", "text/json", "application/*", "*/*"})
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')
_ISSUE_OF_STATUS = {404: "not-found", 405: "not-supported", 410: "deleted"}


def base_url(request: Request) -> str:
    """Where this application is mounted; Starlette's ``base_url`` stops at the outer one."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def query_pairs(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query in their order, decoded."""
    return parse_qsl(text.removeprefix("?"), keep_blank_values=True)


def asked_version(etag: str | None) -> int | None:
    """Return the version that an If-Match names; None without one.

    Raises:
        RequestRefusedError: 412, it names none of ours.
    """
    if etag is None:
        return None
    match = _ETAG.fullmatch(etag.strip())
    if match is None:
        raise RequestRefusedError(412, "conflict", "if_match_invalid")
    return int(match[1])


def allow(request: Request, *methods: str) -> None:
    """Refuse a method that a route does not do (405)."""
    if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
        raise HTTPException(405, headers={"Allow": ", ".join(methods)})


def check_format(request: Request, pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse a client that wants no JSON, by ``_format`` or else by Accept (406)."""
    asked = [value for name, value in pairs if name == "_format"]
    accept = asked[0] if asked else request.headers.get("Accept", "*/*")
    # A plus sign in a URL is a space: ``_format=application/fhir+json`` is common.
    wanted = {
        part.partition(";")[0].strip().lower().replace(" ", "+") for part in accept.split(",")
    }
    if not wanted & _FORMATS:
        raise RequestRefusedError(406, "not-supported", "format_not_supported")


def json_reply(resource: Mapping[str, object]) -> Response:
    """Answer with a resource."""
    return Response(canonical_json(resource), media_type=FHIR_JSON)


def stored_headers(stored: Stored) -> dict[str, str]:
    """Return the headers that tell a version apart."""
    changed = datetime.fromisoformat(stored.updated_at).astimezone(UTC)
    return {
        "ETag": f'W/"{stored.version}"',
        "Last-Modified": format_datetime(changed, usegmt=True),
    }


def is_unchanged(stored: Stored, request: Request) -> bool:
    """Tell whether the client holds this version already (If-None-Match, If-Modified-Since)."""
    tags = request.headers.get("If-None-Match")
    if tags is not None:  # RFC 9110: with it, the date does not count
        named = [_ETAG.fullmatch(tag.strip()) for tag in tags.split(",")]
        return any(tag is not None and int(tag[1]) == stored.version for tag in named)
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
    except (ValueError, TypeError):
        return False
    changed = datetime.fromisoformat(stored.updated_at).replace(microsecond=0)
    return changed <= since.replace(tzinfo=UTC)  # an HTTP date is in GMT


async def read_resource(request: Request, kind: str) -> dict[str, object]:
    """Read a request's body as a resource of a type; its elements are not judged yet.

    Raises:
        RequestRefusedError: 415, 413 or 400.
    """
    resource = find_object(await read_body(request, JSON_TYPES))
    if resource is None:
        raise RequestRefusedError(400, "structure", "body_not_json")
    if resource.get("resourceType") != kind:
        raise RequestRefusedError(400, "invalid", "type_differs_from_url", "resourceType")
    return resource


async def read_body(request: Request, media_types: frozenset[str]) -> bytes:
    """Read a request's body of one of these types.

    Raises:
        RequestRefusedError: 415, another type; 413, more than ``BODY_BYTES_MAX``.
    """
    media = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in media_types:
        raise RequestRefusedError(415, "not-supported", "content_type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise RequestRefusedError(413, "too-long", "body_too_large")
    return bytes(body)


async def answer_error(_: Request, error: Exception) -> Response:
    """Turn what an endpoint raised into its answer; any other error is raised again."""
    if isinstance(error, RequestRefusedError):
        return outcome(error.status, error.code, error.reason, error.where)
    if isinstance(error, GuardViolationError):
        return outcome(422, "invalid", error.reason, error.where)
    if isinstance(error, HTTPException):
        code = _ISSUE_OF_STATUS.get(error.status_code, "processing")
        return outcome(error.status_code, code, f"http_{error.status_code}", None, error.headers)
    if isinstance(error, sqlite3.Error):
        log.error("fhir.store_failed", error_class=type(error).__name__)
        return outcome(503, "transient", "store_unavailable", None, {"Retry-After": "5"})
    raise error


ANSWERED = (RequestRefusedError, GuardViolationError, HTTPException, sqlite3.Error)
"""The errors that ``answer_error`` has an answer to."""


def answering(endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint that is mounted beside others, so that its errors are outcomes too."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ANSWERED as error:
            return await answer_error(request, error)

    return answer


def outcome(
    status: int, code: str, reason: str, where: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with an OperationOutcome: an issue type, a stable reason, a path; never a value."""
    issue: dict[str, object] = {"severity": "error", "code": code, "details": {"text": reason}}
    if where is not None:
        issue["expression"] = [where]
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(body, status, headers, FHIR_JSON)
