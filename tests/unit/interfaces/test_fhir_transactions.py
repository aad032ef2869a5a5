"""A draft in one Bundle: what is sent, and what each answer to it means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_client import FhirClient
from interfaces.fhir_http import FhirHttp
from interfaces.fhir_transactions import read_transaction
from mappings.domain import PostOutcome, PostReceipt
from mappings.fhir_elements import FhirOptions
from mappings.fhir_write import Create, Update
from tests.samples.fhir_drafts import draft_of
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving

NOTHING = Answer(200, {"resourceType": "Bundle"})
DRAFT = draft_of(options=FhirOptions(device="resource", has_task=True))
HELD = {**json.loads(draft_of("Older.").observation), "id": "77", "meta": {"versionId": "4"}}
SENT = {
    "entry": [{"resource": {"resourceType": kind}} for kind in ("Device", "Observation", "Task")]
}


def response(status: str = "201 Created", **more: str) -> dict[str, Any]:
    return {"response": {"status": status, **more}}


def answer(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": list(entries)}


GOOD = answer(
    response(location="Device/1"),
    response(location="http://h/fhir/Observation/77/_history/5"),
    response("200 OK"),
)


async def post(*script: Answer) -> tuple[Any, ScriptedServer]:
    server = ScriptedServer(*script)

    async def no_sleep(_seconds: float) -> None:
        return

    async with serving(server.app) as url:
        client = FhirClient(FhirHttp(url, timeout_s=5), write="transaction", sleep=no_sleep)
        async with client:
            try:
                return await client.post(DRAFT), server
            except (PostRetryError, PostRefusedError) as error:
                return error, server


def whole(count: int, **observed: str) -> Answer:
    entries = [response(location="Observation/77/_history/1", **observed) for _ in range(count)]
    return Answer(200, answer(*entries))


async def test_a_new_draft_goes_as_one_bundle_after_two_searches() -> None:
    receipt, server = await post(NOTHING, NOTHING, whole(4))

    assert receipt == PostReceipt(PostOutcome.CREATED, "Observation/77", "1")
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", "/Observation"),
        ("GET", "/Device"),
        ("POST", "/"),
    ]
    entries = json.loads(server.asked[2].body)["entry"]
    assert [entry["resource"]["resourceType"] for entry in entries] == [
        "Device",
        "Observation",
        "Provenance",
        "Task",
    ]
    assert all("ifNoneExist" in entry["request"] for entry in entries)


async def test_a_device_that_the_server_holds_is_referred_to_and_not_sent() -> None:
    device = {"entry": [{"resource": {"resourceType": "Device", "id": id_}} for id_ in ("5", "6")]}
    _, server = await post(NOTHING, Answer(200, {"resourceType": "Bundle", **device}), whole(3))

    entries = json.loads(server.asked[2].body)["entry"]
    assert entries[0]["resource"]["resourceType"] == "Observation"
    assert entries[0]["resource"]["device"]["reference"] == "Device/5"
    assert entries[1]["resource"]["agent"][0]["who"]["reference"] == "Device/5"


async def test_an_older_draft_is_updated_by_naming_its_version() -> None:
    held = Answer(200, {"resourceType": "Bundle", "entry": [{"resource": HELD}]})
    receipt, server = await post(held, NOTHING, whole(4, etag='W/"5"'))

    put = json.loads(server.asked[2].body)["entry"][1]
    assert put["request"] == {"method": "PUT", "url": "Observation/77", "ifMatch": 'W/"4"'}
    assert receipt.outcome is PostOutcome.UPDATED


@pytest.mark.parametrize("status", [409, 412])
async def test_a_stale_version_is_read_again(status: int) -> None:
    held = Answer(200, {"resourceType": "Bundle", "entry": [{"resource": HELD}]})
    error, server = await post(held, NOTHING, Answer(status), held, NOTHING, Answer(status), held)

    assert isinstance(error, PostRetryError)
    posts = [asked for asked in server.asked if asked.method == "POST"]
    assert len(posts) >= 2


async def test_several_matches_are_for_an_operator() -> None:
    error, server = await post(NOTHING, NOTHING, Answer(412))

    assert isinstance(error, PostRefusedError)
    assert error.reason == "several_matches"
    assert len(server.asked) == 3


async def test_a_refused_bundle_is_not_sent_again() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"code": "invalid"}]}
    error, server = await post(NOTHING, NOTHING, Answer(422, outcome))

    assert (error.reason, error.where) == ("http_422", "Bundle: invalid")
    assert len(server.asked) == 3


def test_an_answer_is_read_entry_by_entry() -> None:
    created = PostReceipt(PostOutcome.CREATED, "Observation/77", "5")
    updated = PostReceipt(PostOutcome.UPDATED, "Observation/9", "5")

    assert read_transaction(Create(), SENT, GOOD) == created
    assert read_transaction(Update("9", "4"), SENT, GOOD) == updated


def test_an_observation_that_was_found_is_read_again() -> None:
    for found in (response("200 OK", location="Observation/77"), response("201")):
        seen = answer(response(), found, response())
        assert read_transaction(Create(), SENT, seen) is None


@pytest.mark.parametrize(
    "junk",
    [
        {},
        answer(),
        answer(response(), response()),
        answer(response(), response("412 Precondition Failed"), response()),
        {"entry": [1, 2, 3]},
        {"entry": [{"response": None}] * 3},
    ],
)
def test_an_answer_that_is_not_a_yes_for_each_entry_is_no_answer(junk: dict[str, Any]) -> None:
    with pytest.raises(PostRetryError) as raised:
        read_transaction(Create(), SENT, junk)

    assert (raised.value.reason, raised.value.where) == ("reply_unreadable", "Bundle")
