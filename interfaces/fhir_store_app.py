"""The embedded store over HTTP: the part of the FHIR R4 RESTful API that writing a draft needs.

Every error is an OperationOutcome that names a reason and a place, never a value. Nothing is
deleted here. Whoever reads drafts uses ``fhir_draft_routes.py``.

Standard: FHIR R4 RESTful API: read, vread, search-type, create, conditional create, update (as
create, version aware), capabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import (
    ANSWERED,
    answer_error,
    asked_version,
    base_url,
    json_reply,
    query_pairs,
    read_resource,
    stored_headers,
)
from interfaces.fhir_store import FhirStore, Page, Stored
from interfaces.fhir_store_search import CURSOR, parameters
from mappings.fhir_elements import FHIR_JSON
from mappings.fhir_guard import KNOWN_TYPES, check_r4

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from starlette.requests import Request

VERSION_MAX = 10**18 - 1


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
        exception_handlers=dict.fromkeys(ANSWERED, answer_error),
    )
    app.state.store = endpoint.store
    return app


class _Endpoint:
    """One interaction a method."""

    def __init__(self, store: FhirStore) -> None:
        self.store = store

    async def capabilities(self, request: Request) -> Response:
        return json_reply(_capability_statement(base_url(request)))

    async def read(self, request: Request) -> Response:
        kind, id_ = _kind(request), request.path_params["id"]
        return _resource(await read_stored(self.store, kind, id_, request), 200, request)

    async def search(self, request: Request) -> Response:
        kind, query = _kind(request), query_pairs(request.url.query)
        page = await run_in_threadpool(self.store.search, kind, query)
        return json_reply(_searchset(page, query, f"{base_url(request)}/{kind}"))

    async def create(self, request: Request) -> Response:
        kind = _kind(request)
        resource = await _checked_body(request, kind)
        condition = request.headers.get("If-None-Exist")
        criteria = None if condition is None else query_pairs(condition)
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
            if_match=asked_version(request.headers.get("If-Match")),
            only_create=request.headers.get("If-None-Match") == "*",
        )
        return _resource(stored, 201 if is_new else 200, request, is_write=True)


async def read_stored(store: FhirStore, kind: str, id_: str, request: Request) -> Stored:
    """Return the current version of a resource, or the one that the path names.

    Raises:
        RequestRefusedError: 404, there is none.
    """
    version = request.path_params.get("version")
    is_version = version is None or version <= VERSION_MAX  # SQLite's integers end there
    stored = await run_in_threadpool(store.read, kind, id_, version) if is_version else None
    if stored is None:
        raise RequestRefusedError(404, "not-found", "resource_not_found", kind)
    return stored


def _kind(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in KNOWN_TYPES:
        raise RequestRefusedError(404, "not-supported", "unknown_resource_type")
    return kind


async def _checked_body(request: Request, kind: str) -> Mapping[str, object]:
    resource = await read_resource(request, kind)
    await run_in_threadpool(check_r4, resource)
    return resource


def _resource(stored: Stored, status: int, request: Request, *, is_write: bool = False) -> Response:
    headers = stored_headers(stored)
    if is_write:
        headers["Location"] = (
            f"{base_url(request)}/{stored.type}/{stored.id}/_history/{stored.version}"
        )
    is_minimal = is_write and "return=minimal" in request.headers.get("Prefer", "")
    return Response(b"" if is_minimal else stored.body, status, headers, FHIR_JSON)


def _searchset(page: Page, query: list[tuple[str, str]], url: str) -> dict[str, object]:
    links = [{"relation": "self", "url": f"{url}?{urlencode(query)}" if query else url}]
    if page.cursor is not None:
        rest = [pair for pair in query if pair[0] != CURSOR] + [(CURSOR, page.cursor)]
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
                "resource": stored.resource(),
                "search": {"mode": "match"},
            }
            for stored in page.matches
        ]
    return bundle


def _capability_statement(url: str) -> dict[str, object]:
    interactions = ("read", "vread", "search-type", "create", "update")
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "software": {"name": "prelim embedded store"},
        "implementation": {"description": "Embedded store of prelim", "url": url},
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
