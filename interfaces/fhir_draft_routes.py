"""Drafts to be read over FHIR, and Subscriptions to them: what a viewer or a PACS asks.

Rule: nothing is written here but a Subscription (405). What is asked and not known is refused
rather than left out, unless the client wants it so (``Prefer: handling=lenient``). What stands in
the body of a ``_search`` never stands in a link.

Standard: FHIR R4 RESTful API: read, vread, search-type (GET and POST), capabilities; Subscription
create, read, update, delete, $status and $events (Subscriptions R5 Backport).
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import (
    FORM,
    METHODS,
    allow,
    answering,
    base_url,
    check_format,
    is_unchanged,
    json_reply,
    query_pairs,
    read_body,
    stored_headers,
)
from interfaces.fhir_store_app import read_stored
from interfaces.fhir_store_search import CURSOR, parameters
from interfaces.fhir_subscription_routes import subscription_routes
from mappings.fhir_capability_statement import build_capability_statement
from mappings.fhir_elements import FHIR_JSON, canonical_json
from mappings.fhir_subsets import SUMMARIES, chosen_elements, subset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from interfaces.fhir_store import FhirStore, Page, Stored
    from interfaces.fhir_subscription_routes import SubscriptionDesk

    Pairs = list[tuple[str, str]]

SERVED = ("Device", "Observation", "Provenance", "Task")
_OURS = frozenset({"_summary", "_elements", "_total"})
PAGES_MAX = 1000
"""Searches by POST whose next page can be asked for; the oldest is forgotten first."""


def draft_routes(
    store: FhirStore,
    desk: SubscriptionDesk,
    *,
    fhir_version: str = "4.0.1",
    software_version: str,
    is_intake_open: bool,
) -> list[Route]:
    """Return what to mount beside other FHIR routes, such as at ``/fhir``.

    Args:
        store: Where drafts are read from.
        desk: Where Subscriptions are kept.
        fhir_version: Of the drafts, for /metadata.
        software_version: Of prelim, for /metadata.
        is_intake_open: Whether reports are taken in beside this, for /metadata.
    """
    drafts = _Drafts(store)

    async def capabilities(request: Request) -> Response:
        statement = build_capability_statement(
            base_url(request),
            {kind: parameters(kind) for kind in SERVED},
            fhir_version=fhir_version,
            software_version=software_version,
            is_intake_open=is_intake_open,
        )
        return json_reply(statement)

    routes = [Route("/metadata", answering(capabilities), methods=["GET"])]
    for kind in SERVED:
        routes += [
            Route(f"/{kind}", answering(drafts.search), methods=METHODS),
            Route(f"/{kind}/_search", answering(drafts.search_by_post), methods=METHODS),
            Route(f"/{kind}/{{id}}", answering(drafts.read), methods=METHODS),
            Route(
                f"/{kind}/{{id}}/_history/{{version:int}}",
                answering(drafts.read),
                methods=METHODS,
            ),
        ]
    return routes + subscription_routes(desk)


class _Drafts:
    """One interaction a method; the type is the first part of the route's path."""

    def __init__(self, store: FhirStore) -> None:
        self._store = store
        self._pages: OrderedDict[str, Pairs] = OrderedDict()

    async def read(self, request: Request) -> Response:
        allow(request, "GET")
        kind = _kind(request)
        pairs = query_pairs(request.url.query)
        check_format(request, pairs)
        stored = await read_stored(self._store, kind, request.path_params["id"], request)
        headers = stored_headers(stored)
        if is_unchanged(stored, request):
            return Response(status_code=304, headers=headers)
        elements = chosen_elements(kind, *_shape(pairs))
        body = stored.body if elements is None else canonical_json(_cut(stored, elements))
        return Response(body, 200, headers, FHIR_JSON)

    async def search(self, request: Request) -> Response:
        allow(request, "GET")
        pairs = query_pairs(request.url.query)
        tokens = [value for name, value in pairs if name == "_page"]
        if tokens:
            return await self._search(request, self._page(tokens[0]), is_private=True)
        return await self._search(request, pairs)

    async def search_by_post(self, request: Request) -> Response:
        allow(request, "POST")
        body = await read_body(request, FORM)
        try:
            pairs = query_pairs(request.url.query) + query_pairs(body.decode())
        except ValueError:
            raise RequestRefusedError(400, "structure", "body_not_utf_8") from None
        return await self._search(request, pairs, is_private=True)

    async def _search(
        self, request: Request, pairs: Pairs, *, is_private: bool = False
    ) -> Response:
        kind = _kind(request)
        check_format(request, pairs)
        summary, _ = shape = _shape(pairs)
        elements = chosen_elements(kind, *shape)
        asked = [pair for pair in pairs if pair[0] not in _OURS]
        if summary == "count":
            asked = [*(pair for pair in asked if pair[0] != "_count"), ("_count", "0")]
        is_lenient = "handling=lenient" in request.headers.get("Prefer", "").replace(" ", "")
        page = await run_in_threadpool(self._store.search, kind, asked, is_lenient=is_lenient)
        kept = [pair for pair in pairs if pair[0] not in page.ignored]
        url = f"{base_url(request)}/{kind}"
        bundle: dict[str, object] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": self._links(url, kept, page, is_private=is_private),
        }
        if ("_total", "none") not in pairs:
            bundle["total"] = page.total
        entries = [_match(stored, url, elements) for stored in page.matches]
        entries += [_told_of(page.ignored)] if page.ignored else []
        return json_reply({**bundle, "entry": entries} if entries else bundle)

    def _links(
        self, url: str, pairs: Pairs, page: Page, *, is_private: bool
    ) -> list[dict[str, str]]:
        own = f"{url}?{urlencode(pairs)}" if pairs and not is_private else url
        links = [{"relation": "self", "url": own}]
        if page.cursor is None:
            return links
        rest = [*(pair for pair in pairs if pair[0] != CURSOR), (CURSOR, page.cursor)]
        query = urlencode([("_page", self._keep(rest))] if is_private else rest)
        return [*links, {"relation": "next", "url": f"{url}?{query}"}]

    def _keep(self, pairs: Pairs) -> str:
        token = secrets.token_urlsafe(16)
        self._pages[token] = pairs
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)
        return token

    def _page(self, token: str) -> Pairs:
        pairs = self._pages.get(token)
        if pairs is None:
            raise RequestRefusedError(410, "expired", "page_gone", "_page")
        return pairs


def _kind(request: Request) -> str:
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", "")).split("/")[1]


def _shape(pairs: Pairs) -> tuple[str, str | None]:
    """Return ``_summary`` (false when not asked for) and ``_elements``."""
    asked = dict(pairs)
    summary = asked.get("_summary", "false")
    if summary not in SUMMARIES:
        raise RequestRefusedError(400, "invalid", "search_value_invalid", "_summary")
    return summary, asked.get("_elements")


def _cut(stored: Stored, elements: frozenset[str]) -> dict[str, object]:
    return subset(stored.resource(), elements)


def _match(stored: Stored, url: str, elements: frozenset[str] | None) -> dict[str, object]:
    return {
        "fullUrl": f"{url}/{stored.id}",
        "resource": stored.resource() if elements is None else _cut(stored, elements),
        "search": {"mode": "match"},
    }


def _told_of(ignored: Sequence[str]) -> dict[str, object]:
    """Tell a lenient client how many parameters were ignored; their names may be anything."""
    issue = {
        "severity": "warning",
        "code": "not-supported",
        "details": {"text": "search_parameter_unknown"},
        "diagnostics": f"{len(ignored)} ignored",
    }
    resource = {"resourceType": "OperationOutcome", "issue": [issue]}
    return {"resource": resource, "search": {"mode": "outcome"}}
