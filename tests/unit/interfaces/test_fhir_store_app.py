"""The embedded store over HTTP: every status with its OperationOutcome."""

from __future__ import annotations

import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import structlog
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from mappings.fhir_guard import KNOWN_TYPES
from tests.samples.fhir_drafts import draft_of
from tests.unit.interfaces.drafts_client import r4_errors
from tests.unit.interfaces.fhir_servers import serving_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from interfaces.fhir_store import FhirStore

DRAFT = draft_of()
URL = f"/Observation/{DRAFT.observation_id}"
FHIR = {"Content-Type": "application/fhir+json"}


class Client:
    """Sends to the store and checks that each answer is valid R4."""

    def __init__(self, url: str, store: FhirStore, session: aiohttp.ClientSession) -> None:
        self.url, self.store, self._session = url, store, session

    async def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {} if body is None or "Content-Type" in named else FHIR
        sent = None if body is None else io.BytesIO(body)
        async with self._session.request(
            method, self.url + path, data=sent, headers={**kind, **named}
        ) as reply:
            text = await reply.read()
            document = json.loads(text) if text else None
            if document is not None:
                assert r4_errors(document) == []
                assert reply.content_type == "application/fhir+json"
            return reply.status, document, reply.headers


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving_store() as (url, store), aiohttp.ClientSession() as session:
        yield Client(url, store, session)


async def test_a_put_creates_then_updates_then_is_read(client: Client) -> None:
    created, body, headers = await client.send("PUT", URL, DRAFT.observation)
    updated, _, newer = await client.send("PUT", URL, DRAFT.observation, If_Match='W/"1"')
    read, document, shown = await client.send("GET", URL)
    old, older, _ = await client.send("GET", f"{URL}/_history/1")

    assert (created, updated, read, old) == (201, 200, 200, 200)
    assert headers["ETag"] == 'W/"1"'
    assert headers["Location"] == f"{client.url}{URL}/_history/1"
    assert newer["ETag"] == shown["ETag"] == 'W/"2"'
    assert body["meta"]["versionId"] == older["meta"]["versionId"] == "1"
    assert document["valueString"] == "No acute disease."


async def test_a_post_makes_an_id_and_a_repeat_under_a_condition_does_not(client: Client) -> None:
    condition = f"identifier=urn%3Aprelim%3Areport-key%7C{DRAFT.report_key}"
    first, body, _ = await client.send(
        "POST", "/Observation", DRAFT.observation, If_None_Exist=condition
    )
    again, same, _ = await client.send(
        "POST", "/Observation", DRAFT.observation, If_None_Exist=condition
    )

    assert (first, again) == (201, 200)
    assert body == same
    assert body["id"] != DRAFT.observation_id


async def test_a_minimal_answer_has_headers_only(client: Client) -> None:
    status, body, headers = await client.send(
        "PUT", URL, DRAFT.observation, Prefer="return=minimal"
    )

    assert (status, body) == (201, None)
    assert "Location" in headers


async def test_a_search_is_a_bundle_with_links(client: Client) -> None:
    for _ in range(3):
        await client.send("POST", "/Observation", DRAFT.observation)
    status, bundle, _ = await client.send("GET", "/Observation?status=preliminary&_count=2")
    next_url = next(part["url"] for part in bundle["link"] if part["relation"] == "next")
    _, rest, _ = await client.send("GET", next_url.removeprefix(client.url))
    _, none, _ = await client.send("GET", "/Observation?status=final")

    assert status == 200
    assert (bundle["type"], bundle["total"], len(bundle["entry"])) == ("searchset", 3, 2)
    assert len(rest["entry"]) == 1
    assert [part["relation"] for part in rest["link"]] == ["self"]
    assert "entry" not in none
    assert bundle["entry"][0]["fullUrl"].startswith(f"{client.url}/Observation/")


async def test_the_capability_statement_says_what_is_true(client: Client) -> None:
    status, document, _ = await client.send("GET", "/metadata")

    CapabilityStatement.model_validate(document)
    resources = document["rest"][0]["resource"]
    assert status == 200
    assert document["fhirVersion"] == "4.0.1"
    assert [part["type"] for part in resources] == sorted(KNOWN_TYPES)
    assert all(part["updateCreate"] and part["conditionalCreate"] for part in resources)


BAD = b'{"resourceType": "Observation"'


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (("GET", URL, None, {}), (404, "not-found", "resource_not_found")),
        (("GET", "/Observation/x/_history/1", None, {}), (404, "not-found", "resource_not_found")),
        (
            ("GET", f"/Observation/x/_history/{10**30}", None, {}),
            (404, "not-found", "resource_not_found"),
        ),
        (("GET", "/Observation/x/_history/one", None, {}), (404, "not-found", "http_404")),
        (("GET", "/Patient/1", None, {}), (404, "not-supported", "unknown_resource_type")),
        (("GET", "/", None, {}), (404, "not-found", "http_404")),
        (("GET", "/Observation?colour=1", None, {}), (400, "not-supported", None)),
        (("DELETE", URL, None, {}), (405, "not-supported", "http_405")),
        (("PATCH", URL, b"[]", {}), (405, "not-supported", "http_405")),
        (
            ("PUT", URL, b"{}", {"Content-Type": "text/plain"}),
            (415, "not-supported", "content_type"),
        ),
        (("PUT", URL, BAD, {}), (400, "structure", "body_not_json")),
        (("PUT", URL, b"\xff\xfe", {}), (400, "structure", "body_not_json")),
        (("PUT", URL, b"[" * 100_000, {}), (400, "structure", "body_not_json")),
        (("PUT", URL, b"[]", {}), (400, "structure", "body_not_json")),
        (("PUT", URL, DRAFT.provenance, {}), (400, "invalid", "type_differs_from_url")),
        (("PUT", "/Observation/x", DRAFT.observation, {}), (400, "invalid", "id_differs_from_url")),
        (("PUT", URL, BAD + b"}", {}), (422, "invalid", "structure")),
        (("PUT", URL, DRAFT.observation, {"If-Match": 'W/"3"'}), (412, "conflict", None)),
        (("PUT", URL, DRAFT.observation, {"If-Match": "three"}), (412, "conflict", None)),
        (
            ("POST", "/Observation", DRAFT.observation, {"If-None-Exist": ""}),
            (400, "invalid", None),
        ),
        (("POST", "/Observation", b" " * (10 * 1024 * 1024 + 1), {}), (413, "too-long", None)),
    ],
)
async def test_a_refusal_is_an_operation_outcome(
    client: Client,
    request_: tuple[str, str, bytes | None, dict[str, str]],
    expected: tuple[int, str, str | None],
) -> None:
    method, path, body, headers = request_
    answered, outcome, _ = await client.send(method, path, body, **headers)

    status, code, reason = expected
    issue = outcome["issue"][0]
    assert (answered, issue["code"]) == (status, code)
    assert reason is None or issue["details"]["text"] == reason


async def test_no_answer_quotes_what_was_sent(client: Client, canary_name: str) -> None:
    resource = json.loads(DRAFT.observation)
    for broken in (
        {**resource, "status": canary_name},
        {**resource, canary_name: ""},
        {**resource, "subject": {"reference": canary_name}},
        {**resource, "contained": [{"resourceType": canary_name}]},
    ):
        status, outcome, _ = await client.send("PUT", URL, json.dumps(broken).encode())

        assert status == 422
        assert canary_name not in json.dumps(outcome)


async def test_a_failing_disk_is_a_503_that_may_be_tried_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, canary_name: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(canary_name)

    monkeypatch.setattr(client.store, "update", fail)
    with structlog.testing.capture_logs() as lines:
        status, outcome, headers = await client.send("PUT", URL, DRAFT.observation)

    assert (status, outcome["issue"][0]["code"]) == (503, "transient")
    assert headers["Retry-After"] == "5"
    assert lines == [
        {"event": "fhir.store_failed", "log_level": "error", "error_class": "OperationalError"}
    ]
    assert canary_name not in json.dumps(outcome)
