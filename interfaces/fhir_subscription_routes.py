"""Subscriptions over HTTP: written, read without their secrets, deleted, asked where they stand.

Who keeps them, and tells subscribers, is behind ``SubscriptionDesk``.

Standard: FHIR R4 RESTful API; Subscriptions R5 Backport ($status, $events).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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
    json_reply,
    query_pairs,
    read_body,
    read_resource,
    stored_headers,
)
from mappings.fhir_elements import FHIR_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from interfaces.fhir_store import Stored

    Pairs = list[tuple[str, str]]

SUBSCRIPTION = "Subscription"


class SubscriptionDesk(Protocol):
    """What the door needs of whoever keeps the Subscriptions.

    Each raises RequestRefusedError for what is not there or not done here.
    """

    async def create(self, resource: Mapping[str, object]) -> Stored:
        """Take a Subscription."""

    async def replace(self, id_: str, resource: Mapping[str, object]) -> Stored:
        """Take one in place of one that is here."""

    async def remove(self, id_: str) -> None:
        """Forget one."""

    async def read(self, id_: str) -> Stored:
        """Return one without its secrets."""

    async def search(self, query: Sequence[tuple[str, str]]) -> Sequence[Stored]:
        """Find some, without their secrets."""

    async def status(self, ids: Sequence[str], states: Sequence[str] = ()) -> dict[str, object]:
        """Return the Bundle of ``$status``."""

    async def events_bundle(self, id_: str, since: int, until: int | None) -> dict[str, object]:
        """Return the Bundle of ``$events``."""


def subscription_routes(desk: SubscriptionDesk) -> list[Route]:
    """Return what to mount beside other FHIR routes."""
    wishes = _Subscriptions(desk)
    ways = {
        "": wishes.at_type,
        "/_search": wishes.search_by_post,
        "/$status": wishes.status,
        "/{id}": wishes.at_instance,
        "/{id}/$status": wishes.status,
        "/{id}/$events": wishes.events,
    }
    return [
        Route(f"/{SUBSCRIPTION}{path}", answering(way), methods=METHODS)
        for path, way in ways.items()
    ]


class _Subscriptions:
    """Subscriptions over HTTP."""

    def __init__(self, desk: SubscriptionDesk) -> None:
        self._desk = desk

    async def at_type(self, request: Request) -> Response:
        allow(request, "GET", "POST")
        if request.method == "POST":
            stored = await self._desk.create(await read_resource(request, SUBSCRIPTION))
            where = f"{base_url(request)}/{SUBSCRIPTION}/{stored.id}"
            headers = {**stored_headers(stored), "Location": f"{where}/_history/{stored.version}"}
            return Response(stored.body, 201, headers, FHIR_JSON)
        return await self._search(request, query_pairs(request.url.query))

    async def search_by_post(self, request: Request) -> Response:
        allow(request, "POST")
        body = await read_body(request, FORM)
        return await self._search(request, query_pairs(body.decode(errors="replace")))

    async def at_instance(self, request: Request) -> Response:
        allow(request, "GET", "PUT", "DELETE")
        id_ = request.path_params["id"]
        if request.method == "DELETE":
            await self._desk.remove(id_)
            return Response(status_code=204)
        if request.method == "PUT":
            resource = await read_resource(request, SUBSCRIPTION)
            if resource.get("id") != id_:
                raise RequestRefusedError(400, "invalid", "id_differs_from_url", "Subscription.id")
            stored = await self._desk.replace(id_, resource)
        else:
            stored = await self._desk.read(id_)
        return Response(stored.body, 200, stored_headers(stored), FHIR_JSON)

    async def status(self, request: Request) -> Response:
        given = await _operation_parameters(request)
        own = request.path_params.get("id")
        ids, states = [own] if own else _values(given, "id"), _values(given, "status")
        return json_reply(await self._desk.status(ids, () if own else states))

    async def events(self, request: Request) -> Response:
        given = await _operation_parameters(request)
        since, until = (_event_number(given, f"events{end}Number") for end in ("Since", "Until"))
        id_ = request.path_params["id"]
        return json_reply(await self._desk.events_bundle(id_, since or 1, until))

    async def _search(self, request: Request, pairs: Pairs) -> Response:
        check_format(request, pairs)
        found = await self._desk.search(pairs)
        url = f"{base_url(request)}/{SUBSCRIPTION}"
        bundle: dict[str, object] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "link": [{"relation": "self", "url": url}],
        }
        entries = [
            {
                "fullUrl": f"{url}/{stored.id}",
                "resource": stored.resource(),
                "search": {"mode": "match"},
            }
            for stored in found
        ]
        return json_reply({**bundle, "entry": entries} if entries else bundle)


async def _operation_parameters(request: Request) -> Pairs:
    """Return an operation's parameters, of the query and of a Parameters resource."""
    allow(request, "GET", "POST")
    pairs = query_pairs(request.url.query)
    check_format(request, pairs)
    if request.method != "POST" or request.headers.get("Content-Length", "0") == "0":
        return pairs
    resource = await read_resource(request, "Parameters")
    listed = resource.get("parameter")
    for part in listed if isinstance(listed, list) else []:
        if not isinstance(part, dict):
            raise RequestRefusedError(
                400, "structure", "parameters_invalid", "Parameters.parameter"
            )
        value = next((part[key] for key in part if key.startswith("value")), None)
        pairs.append((str(part.get("name")), str(value)))
    return pairs


def _values(pairs: Pairs, name: str) -> list[str]:
    return [part for key, value in pairs if key == name for part in value.split(",") if part]


def _event_number(pairs: Pairs, name: str) -> int | None:
    for value in _values(pairs, name):
        if not value.isascii() or not value.isdigit():
            raise RequestRefusedError(400, "invalid", "event_number_invalid", name)
        return int(value[:15])
    return None
