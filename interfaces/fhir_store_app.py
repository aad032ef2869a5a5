"""The embedded store over HTTP: the part of the FHIR R4 RESTful API that a draft's reader needs.

Every error is an OperationOutcome that names a reason and a place, never a value. Nothing is
deleted here.

Standard: FHIR R4 RESTful API: read, vread, search-type, create, conditional create, update (as
create, version aware), capabilities.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, urlencode

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import FhirStore, Page, Stored, read_body
from interfaces.fhir_store_search import parameters
from mappings.errors import GuardViolationError
from mappings.fhir_elements import canonical_json
from mappings.fhir_guard import KNOWN_TYPES, check_r4
from mappings.fhir_write import read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from starlette.requests import Request

log = structlog.get_logger()

BODY_BYTES_MAX = 10 * 1024 * 1024
VERSION_MAX = 10**18 - 1
FHIR_JSON = "application/fhir+json"
_ACCEPTED = frozenset({FHIR_JSON, "application/json"})
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"')
_ISSUE_OF_STATUS = {404: "not-found", 405: "not-supported", 410: "deleted"}


def build_store(path: Path | Literal[":memory:"], *, now: Callable[[], datetime]) -> Starlette:
    """Open a store and serve it; ``app.state.store.close()`` releases the file.

    Args:
        path: The SQLite file, or ``:memory:``.
        now: The time of a write, aware, UTC.

    Returns:
        An application to mount, such as at ``/store/fhir``.
    """
    endpoint = _Endpoint(FhirStore(path, now=now))
    app = Starlette(
        routes=[
            Route("/metadata", endpoint.capabilities, methods=["GET"]),
            Route("/{kind}", endpoint.search, methods=["GET"]),
            Route("/{kind}", endpoint.create, methods=["POST"]),
            Route("/{kind}/{id}", endpoint.read, methods=["GET"]),
            Route("/{kind}/{id}", endpoint.update, methods=["PUT"]),
            Route("/{kind}/{id}/_history/{version:int}", endpoint.read, methods=["GET"]),
        ],
        exception_handlers={
            RequestRefusedError: _answer_refusal,
            GuardViolationError: _answer_violation,
            HTTPException: _answer_http,
            sqlite3.Error: _answer_fault,
        },
    )
    app.state.store = endpoint.store
    return app


class _Endpoint:
    """One interaction a method."""

    def __init__(self, store: FhirStore) -> None:
        self.store = store

    async def capabilities(self, request: Request) -> Response:
        return _json(_capability_statement(_base_url(request)))

    async def read(self, request: Request) -> Response:
        kind, id_ = _kind(request), request.path_params["id"]
        version = request.path_params.get("version")
        if version is not None and version > VERSION_MAX:
            raise RequestRefusedError(404, "not-found", "resource_not_found", kind)
        stored = await run_in_threadpool(self.store.read, kind, id_, version)
        if stored is None:
            raise RequestRefusedError(404, "not-found", "resource_not_found", kind)
        return _resource(stored, 200, request)

    async def search(self, request: Request) -> Response:
        kind, query = _kind(request), _pairs(request.url.query)
        page = await run_in_threadpool(self.store.search, kind, query)
        return _json(_searchset(page, query, f"{_base_url(request)}/{kind}"))

    async def create(self, request: Request) -> Response:
        kind = _kind(request)
        resource = await _checked_body(request, kind)
        condition = request.headers.get("If-None-Exist")
        criteria = None if condition is None else _pairs(condition)
        stored, is_new = await run_in_threadpool(self.store.create, resource, criteria)
        return _resource(stored, 201 if is_new else 200, request, is_write=True)

    async def update(self, request: Request) -> Response:
        kind, id_ = _kind(request), request.path_params["id"]
        resource = await _checked_body(request, kind)
        if resource.get("id") != id_:
            raise RequestRefusedError(400, "invalid", "id_differs_from_url", f"{kind}.id")
        stored, is_new = await run_in_threadpool(
            self.store.update,
            resource,
            id_,
            if_match=_version(request.headers.get("If-Match")),
            only_create=request.headers.get("If-None-Match") == "*",
        )
        return _resource(stored, 201 if is_new else 200, request, is_write=True)


def _kind(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in KNOWN_TYPES:
        raise RequestRefusedError(404, "not-supported", "unknown_resource_type")
    return kind


def _base_url(request: Request) -> str:
    """Where this application is mounted; Starlette's ``base_url`` stops at the outer one."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text.removeprefix("?"), keep_blank_values=True)


def _version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise RequestRefusedError(412, "conflict", "if_match_invalid")
    return int(match[1])


async def _checked_body(request: Request, kind: str) -> Mapping[str, object]:
    media = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in _ACCEPTED:
        raise RequestRefusedError(415, "not-supported", "content_type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise RequestRefusedError(413, "too-long", "body_too_large")
    return await run_in_threadpool(_check, bytes(body), kind)


def _check(body: bytes, kind: str) -> Mapping[str, object]:
    try:
        resource = read_object(body)
        if resource.get("resourceType") != kind:
            raise RequestRefusedError(400, "invalid", "type_differs_from_url", "resourceType")
        check_r4(resource)
    except (ValueError, RecursionError):  # their text quotes the input
        raise RequestRefusedError(400, "structure", "body_not_json") from None
    return resource


def _resource(stored: Stored, status: int, request: Request, *, is_write: bool = False) -> Response:
    headers = {"ETag": f'W/"{stored.version}"'}
    if is_write:
        headers["Location"] = (
            f"{_base_url(request)}/{stored.type}/{stored.id}/_history/{stored.version}"
        )
    is_minimal = is_write and "return=minimal" in request.headers.get("Prefer", "")
    return Response(b"" if is_minimal else stored.body, status, headers, FHIR_JSON)


def _searchset(page: Page, query: list[tuple[str, str]], url: str) -> dict[str, object]:
    links = [{"relation": "self", "url": f"{url}?{urlencode(query)}" if query else url}]
    following = page.offset + page.count
    if page.count and following < page.total:
        rest = [pair for pair in query if pair[0] != "_offset"] + [("_offset", str(following))]
        links.append({"relation": "next", "url": f"{url}?{urlencode(rest)}"})
    bundle: dict[str, object] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": page.total,
        "link": links,
    }
    if page.matches:
        bundle["entry"] = [
            {
                "fullUrl": f"{url}/{stored.id}",
                "resource": read_body(stored),
                "search": {"mode": "match"},
            }
            for stored in page.matches
        ]
    return bundle


def _capability_statement(base_url: str) -> dict[str, object]:
    interactions = ("read", "vread", "search-type", "create", "update")
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "software": {"name": "prelim embedded store"},
        "implementation": {"description": "Embedded store of prelim", "url": base_url},
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": kind,
                        "interaction": [{"code": code} for code in interactions],
                        "versioning": "versioned-update",
                        "updateCreate": True,
                        "conditionalCreate": True,
                        "searchParam": [
                            {"name": name, "type": type_} for name, type_ in parameters(kind)
                        ],
                    }
                    for kind in sorted(KNOWN_TYPES)
                ],
            }
        ],
    }


def _json(resource: Mapping[str, object]) -> Response:
    return Response(canonical_json(resource), media_type=FHIR_JSON)


def _outcome(
    status: int, code: str, reason: str, where: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    issue = {"severity": "error", "code": code, "details": {"text": reason}}
    if where is not None:
        issue["expression"] = [where]
    body = json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return Response(body, status, headers, FHIR_JSON)


async def _answer_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefusedError)
    return _outcome(error.status, error.code, error.reason, error.where)


async def _answer_violation(_: Request, error: Exception) -> Response:
    assert isinstance(error, GuardViolationError)
    return _outcome(422, "invalid", error.reason, error.where)


async def _answer_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _ISSUE_OF_STATUS.get(error.status_code, "processing")
    return _outcome(error.status_code, code, f"http_{error.status_code}", None, error.headers)


async def _answer_fault(_: Request, error: Exception) -> Response:
    log.error("fhir.store_failed", error_class=type(error).__name__)
    return _outcome(503, "transient", "store_unavailable", None, {"Retry-After": "5"})
