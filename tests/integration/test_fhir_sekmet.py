"""The client against a FHIR server that others wrote (sekmet-fhir), in both write modes.

TEST_PRELIM_FHIR names another R4 server's base URL instead; its resources are left there.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from interfaces.errors import FinalPresentError
from interfaces.fhir_client import FhirClient, WriteMode
from interfaces.fhir_http import FhirHttp
from mappings.domain import PostOutcome
from tests.integration.reply_dropping_proxy import dropping_proxy, every
from tests.unit.mappings.fhir_samples import draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import DraftObservation, PostReceipt, ReportKey

pytestmark = [pytest.mark.integration, pytest.mark.process]
MODES: list[WriteMode] = ["put", "conditional-create"]
both_modes = pytest.mark.parametrize("mode", MODES)


@retry(
    retry=retry_if_exception_type((urllib.error.URLError, ConnectionError, TimeoutError)),
    stop=stop_after_delay(120),
    wait=wait_fixed(0.1),
)
def wait_until_ready(url: str) -> None:
    with urllib.request.urlopen(f"{url}/metadata", timeout=5):  # noqa: S310 - ours, on loopback
        pass


def free_loopback_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def fhir_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("TEST_PRELIM_FHIR")
    if given:
        yield given.rstrip("/")
        return
    port = free_loopback_port()
    folder = tmp_path_factory.mktemp("sekmet")
    command = [str(Path(sys.executable).with_name("sekmet")), "serve"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/fhir")
            yield f"http://127.0.0.1:{port}/fhir"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def key() -> ReportKey:
    return key_of(uuid.uuid4().hex)


async def fetch(url: str, kind: str, **query: str) -> list[dict[str, Any]]:
    async with FhirHttp(url, timeout_s=20) as http:
        reply = await http.exchange("GET", kind, query=query)
    return [entry["resource"] for entry in json.loads(reply.body).get("entry", [])]


async def held(
    url: str, draft: DraftObservation
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The Observations of a report key, and the Provenances of this draft."""
    observations = await fetch(
        url, "Observation", identifier=f"{draft.identifier_system}|{draft.identifier_value}"
    )
    tag = f"urn:prelim:provenance|{draft.provenance_id}"
    return observations, await fetch(url, "Provenance", _tag=tag)


async def post(url: str, mode: WriteMode, draft: DraftObservation) -> PostReceipt:
    async with FhirClient(url, write=mode, timeout_s=20) as client:
        return await client.post(draft)


async def put(url: str, resource: dict[str, Any]) -> None:
    path = f"{resource['resourceType']}/{resource['id']}"
    async with FhirHttp(url, timeout_s=20) as http:
        reply = await http.exchange("PUT", path, body=json.dumps(resource).encode())
    assert reply.status == 200


@both_modes
async def test_posting_twice_leaves_one_of_each(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    draft = draft_of(key=key)
    first = await post(fhir_url, mode, draft)
    second = await post(fhir_url, mode, draft)

    observations, provenances = await held(fhir_url, draft)
    assert (first.outcome, second.outcome) == (PostOutcome.CREATED, PostOutcome.UNCHANGED)
    assert (len(observations), len(provenances)) == (1, 1)
    assert first.reference == second.reference == f"Observation/{observations[0]['id']}"
    assert provenances[0]["target"][0]["reference"].endswith(first.reference)
    assert observations[0]["meta"]["versionId"] == "1"
    assert (observations[0]["id"] == draft.observation_id) == (mode == "put")


@both_modes
async def test_a_correction_updates_and_names_its_version(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    await post(fhir_url, mode, draft_of("First.", key=key))
    newer = draft_of("Second.", key=key)
    receipt = await post(fhir_url, mode, newer)

    observations, provenances = await held(fhir_url, newer)
    assert receipt.outcome is PostOutcome.UPDATED
    assert receipt.version_id == "2"
    assert [part["valueString"] for part in observations] == ["Second."]
    assert len(provenances) == 1


@both_modes
@pytest.mark.parametrize("status", ["final", "entered-in-error"])
async def test_a_humans_word_is_never_overwritten(
    fhir_url: str, key: ReportKey, mode: WriteMode, status: str
) -> None:
    draft = draft_of("First.", key=key)
    await post(fhir_url, mode, draft)
    (ours,), _ = await held(fhir_url, draft)
    await put(fhir_url, {**ours, "status": status, "valueString": "By a human."})

    with pytest.raises(FinalPresentError):
        await post(fhir_url, mode, draft_of("Second.", key=key))
    (observation,), _ = await held(fhir_url, draft)
    assert observation["valueString"] == "By a human."


@both_modes
async def test_lost_answers_leave_one_of_each(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    origin, _, path = fhir_url.rpartition("/")
    drafts = [draft_of(key=key_of(f"{key} {number}")) for number in range(4)]
    async with dropping_proxy(origin, every(2)) as (proxy_url, dropped):
        for draft in drafts:
            await post(f"{proxy_url}/{path}", mode, draft)

    counts = [tuple(map(len, await held(fhir_url, draft))) for draft in drafts]
    assert len(dropped) >= len(drafts)
    assert counts == [(1, 1)] * len(drafts)


async def test_a_stale_version_is_refused_by_the_server(fhir_url: str, key: ReportKey) -> None:
    draft = draft_of("First.", key=key)
    await post(fhir_url, "put", draft)
    await post(fhir_url, "put", draft_of("Second.", key=key))

    path = f"Observation/{draft.observation_id}"
    async with FhirHttp(fhir_url, timeout_s=20) as http:
        stale = {"If-Match": 'W/"1"'}
        reply = await http.exchange("PUT", path, headers=stale, body=draft.observation)
    assert reply.status == 412
    (observation,), _ = await held(fhir_url, draft)
    assert observation["valueString"] == "Second."


async def test_a_change_of_write_mode_finds_what_the_other_wrote(
    fhir_url: str, key: ReportKey
) -> None:
    draft = draft_of(key=key)
    await post(fhir_url, "put", draft)
    receipt = await post(fhir_url, "conditional-create", draft)

    observations, provenances = await held(fhir_url, draft)
    assert receipt.outcome is PostOutcome.UNCHANGED
    assert (len(observations), len(provenances)) == (1, 1)


async def test_the_server_finds_a_draft_by_what_a_reader_knows(
    fhir_url: str, key: ReportKey
) -> None:
    draft = draft_of(key=key)
    receipt = await post(fhir_url, "put", draft)

    query = {"code": "http://loinc.org|19005-8", "status": "preliminary", "_count": "200"}
    found = await fetch(fhir_url, "Observation", **query)
    sources = await fetch(fhir_url, "Provenance", target=receipt.reference)
    assert draft.observation_id in {part["id"] for part in found}
    assert [part["id"] for part in sources] == [draft.provenance_id]
