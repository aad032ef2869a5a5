"""Subscriptions over HTTP: every way in, and what reaches whoever keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
from starlette.applications import Starlette

from interfaces.fhir_subscription_routes import subscription_routes
from tests.unit.interfaces.drafts_client import DraftsClient
from tests.unit.interfaces.fhir_servers import serving
from tests.unit.interfaces.subscription_desk import MemoryDesk
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RESOURCE = subscription_resource()
PARAMETERS = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "eventsSinceNumber", "valueString": "2"},
        {"name": "eventsUntilNumber", "valueString": "5"},
    ],
}


@pytest.fixture
def desk() -> MemoryDesk:
    return MemoryDesk()


@pytest.fixture
async def client(desk: MemoryDesk) -> AsyncIterator[DraftsClient]:
    app = Starlette(routes=subscription_routes(desk))
    async with serving(app) as url, aiohttp.ClientSession() as session:
        yield DraftsClient(url, session)


async def test_a_subscription_is_made_read_replaced_and_deleted(client: DraftsClient) -> None:
    made, body, headers = await client.send("POST", "/Subscription", RESOURCE)
    where = f"/Subscription/{body['id']}"
    read, shown = await client.get(where)
    replaced, _, newer = await client.send("PUT", where, {**RESOURCE, "id": body["id"]})
    found, bundle = await client.get("/Subscription?status=requested")
    deleted, nothing, _ = await client.send("DELETE", where)

    assert (made, read, replaced, found, deleted) == (201, 200, 200, 200, 204)
    assert headers["Location"] == f"{client.url}{where}/_history/1"
    assert newer["ETag"] == 'W/"2"'
    assert shown == bundle["entry"][0]["resource"] == body
    assert nothing is None
    assert (await client.get(where))[0] == 404
    assert (await client.send("DELETE", where))[0] == 404


async def test_the_operations_are_asked_by_get_and_by_post(
    client: DraftsClient, desk: MemoryDesk
) -> None:
    await client.get("/Subscription/s0/$events?eventsSinceNumber=2&eventsUntilNumber=5")
    await client.send("POST", "/Subscription/s0/$events", PARAMETERS)
    await client.send("POST", "/Subscription/s0/$events", b"")
    await client.get("/Subscription/s0/$status?status=active")
    await client.get("/Subscription/$status?id=a,b&status=error&id=c")
    await client.send(
        "POST",
        "/Subscription/_search",
        "status=off",
        Content_Type="application/x-www-form-urlencoded",
    )

    assert desk.asked == [
        ("s0", 2, 5),
        ("s0", 2, 5),
        ("s0", 1, None),
        (["s0"], []),
        (["a", "b", "c"], ["error"]),
        [("status", "off")],
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", "/Subscription/s9", RESOURCE, (400, "id_differs_from_url")),
        ("PUT", "/Subscription/s9", {**RESOURCE, "id": "s9"}, (404, "resource_not_found")),
        ("POST", "/Subscription", {"resourceType": "Basic"}, (400, "type_differs_from_url")),
        ("PATCH", "/Subscription/s9", {}, (405, "http_405")),
        ("DELETE", "/Subscription", None, (405, "http_405")),
        ("PUT", "/Subscription/s9/$status", {}, (405, "http_405")),
        (
            "POST",
            "/Subscription/$status",
            {"resourceType": "Parameters", "parameter": [None]},
            (400, "parameters_invalid"),
        ),
        (
            "GET",
            "/Subscription/s9/$events?eventsSinceNumber=x",
            None,
            (400, "event_number_invalid"),
        ),
    ],
)
async def test_what_cannot_be_done_is_an_outcome(
    client: DraftsClient, method: str, path: str, body: object, expected: tuple[int, str]
) -> None:
    status, outcome, _ = await client.send(method, path, body)

    assert (status, outcome["issue"][0]["details"]["text"]) == expected
