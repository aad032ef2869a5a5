"""Resources one by one: made once, found again, and named as the server names them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from interfaces.errors import PostRefusedError
from interfaces.fhir_http import FhirHttp
from interfaces.fhir_single_writes import SingleWrites, identity_of
from mappings.fhir_elements import FhirOptions
from tests.samples.fhir_drafts import draft_of
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving, serving_store

if TYPE_CHECKING:
    from typing import Literal

DRAFT = draft_of(options=FhirOptions(device="resource", has_task=True))
DEVICE = DRAFT.companions[0]
TWO = {"entry": [{"resource": {"resourceType": "Device", "id": id_}} for id_ in ("5", "6")]}


async def add(server: ScriptedServer, ids: Literal["ours", "theirs"]) -> str:
    async with serving(server.app) as url, FhirHttp(url, timeout_s=5) as http:
        return await SingleWrites(http, ids).add("Device", DEVICE.id, DEVICE.body)


async def test_with_our_ids_what_is_there_is_not_written() -> None:
    server = ScriptedServer(Answer(200))

    assert await add(server, "ours") == f"Device/{DEVICE.id}"
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize("status", [201, 412])
async def test_with_our_ids_what_is_not_there_is_made_unless_another_was_faster(
    status: int,
) -> None:
    server = ScriptedServer(Answer(404), Answer(status))

    assert await add(server, "ours") == f"Device/{DEVICE.id}"
    assert server.asked[1].headers["if-none-match"] == "*"
    assert json.loads(server.asked[1].body)["id"] == DEVICE.id


async def test_with_their_ids_it_is_made_on_condition_and_named_by_the_server() -> None:
    server = ScriptedServer(Answer(201, headers={"Location": "http://h/fhir/Device/5/_history/1"}))

    assert await add(server, "theirs") == "Device/5"
    condition = parse_qs(server.asked[0].headers["if-none-exist"])
    assert condition == {"_tag": [f"urn:prelim:companion|{DEVICE.id}"]}
    assert "id" not in json.loads(server.asked[0].body)


@pytest.mark.parametrize("status", [200, 412])
async def test_what_is_there_without_a_location_or_twice_is_looked_up(status: int) -> None:
    server = ScriptedServer(Answer(status), Answer(200, {"resourceType": "Bundle", **TWO}))

    assert await add(server, "theirs") == "Device/5"


async def test_a_server_that_cannot_say_where_it_put_something_is_refused() -> None:
    server = ScriptedServer(Answer(201), Answer(200, {"resourceType": "Bundle"}))
    with pytest.raises(PostRefusedError) as raised:
        await add(server, "theirs")

    assert (raised.value.reason, raised.value.where) == ("server_without_ids", "Device")


async def test_a_device_is_made_once_and_then_remembered() -> None:
    async with serving_store() as (url, store), FhirHttp(url, timeout_s=5) as http:
        writes = SingleWrites(http, "theirs")
        names = [await writes.name(DRAFT, None) for _ in range(3)]

        (held,) = store.search("Device", []).matches
    assert names == [{f"Device/{DEVICE.id}": f"Device/{held.id}"}] * 3


async def test_an_observation_there_twice_is_for_an_operator() -> None:
    two = [{"resource": {"resourceType": "Observation", "id": id_}} for id_ in ("5", "6")]
    for ids, script in (("theirs", []), ("ours", [Answer(404)])):
        server = ScriptedServer(*script, Answer(200, {"resourceType": "Bundle", "entry": two}))
        async with serving(server.app) as url, FhirHttp(url, timeout_s=5) as http:
            with pytest.raises(PostRefusedError) as raised:
                await SingleWrites(http, ids).find(DRAFT)  # type: ignore[arg-type]
        assert raised.value.reason == "several_matches"


def test_the_identity_of_a_draft_is_its_report_key() -> None:
    assert identity_of(DRAFT) == {"identifier": f"urn:prelim:report-key|{DRAFT.report_key}"}
