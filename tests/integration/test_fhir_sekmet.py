"""The client against a FHIR server that others wrote (sekmet-fhir), in each way of writing.

TEST_PRELIM_FHIR names another R4 server's base URL instead; its resources are left there.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest
from tenacity import AsyncRetrying, retry_if_exception_type

from interfaces.errors import FinalPresentError, PostRetryError
from interfaces.fhir_client import FhirClient
from interfaces.fhir_http import FhirHttp
from mappings.domain import PostOutcome
from mappings.fhir_audit_event import build_audit_event
from mappings.fhir_elements import COMPANION_TAG_SYSTEM, FhirOptions
from mappings.fhir_retraction import retracted
from mappings.fhir_transaction import build_transaction
from mappings.reasons import RetractReason
from tests.integration.reply_dropping_proxy import dropping_proxy, every
from tests.integration.sekmet import running_sekmet
from tests.samples.fhir_drafts import ENGINE, draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interfaces.fhir_capability import WriteMode
    from mappings.domain import DraftObservation, PostReceipt, ReportKey

pytestmark = [pytest.mark.integration, pytest.mark.process]
MODES: list[WriteMode] = ["put", "conditional-create", "transaction"]
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def fhir_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("TEST_PRELIM_FHIR")
    if given:
        yield given.rstrip("/")
        return
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as url:
        yield url


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


def full_draft(key: ReportKey, text: str = "No acute disease.") -> DraftObservation:
    """A draft with everything that can belong to one, and a Device that no other test knows."""
    engine = replace(ENGINE, adapter_digest=key)
    options = FhirOptions(device="resource", has_task=True)
    return draft_of(text, key=key, engine=engine, options=options)


WHOLE = {"Observation": 1, "Provenance": 1, "Device": 1, "Task": 1, "AuditEvent": 1}


async def counts_of(url: str, draft: DraftObservation) -> dict[str, int]:
    """How many resources of each type the server holds of a draft."""
    observations, provenances = await held(url, draft)
    counts = {"Observation": len(observations), "Provenance": len(provenances)}
    for one in draft.companions:
        tag = f"{COMPANION_TAG_SYSTEM}|{one.id}"
        counts[one.resource_type] = len(await fetch(url, one.resource_type, _tag=tag))
    if observations:
        counts["AuditEvent"] = len(await audits_of(url, observations[0]["id"]))
    return counts


async def audits_of(url: str, observation_id: str) -> list[dict[str, Any]]:
    return await fetch(url, "AuditEvent", entity=f"Observation/{observation_id}")


def client_for(url: str, mode: WriteMode | Literal["auto"]) -> FhirClient:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    return FhirClient(
        FhirHttp(url, timeout_s=20),
        write=mode,
        audit=lambda write: build_audit_event(write, FhirOptions(), now=now),
        retracted=partial(retracted, now=now),
    )


async def post(url: str, mode: WriteMode | Literal["auto"], draft: DraftObservation) -> PostReceipt:
    async with client_for(url, mode) as client:
        return await client.post(draft)


async def put(url: str, resource: dict[str, Any]) -> None:
    path = f"{resource['resourceType']}/{resource['id']}"
    async with FhirHttp(url, timeout_s=20) as http:
        reply = await http.exchange("PUT", path, body=json.dumps(resource).encode())
    assert reply.status == 200


@each_mode
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


@each_mode
async def test_a_draft_comes_with_all_that_belongs_to_it_once(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    draft = full_draft(key)
    receipts = [await post(fhir_url, mode, draft) for _ in range(3)]

    (observation,), (provenance,) = await held(fhir_url, draft)
    (task,) = await fetch(fhir_url, "Task", focus=receipts[0].reference)
    created, unchanged = PostOutcome.CREATED, PostOutcome.UNCHANGED
    assert [receipt.outcome for receipt in receipts] == [created, unchanged, unchanged]
    assert await counts_of(fhir_url, draft) == WHOLE
    device = observation["device"]["reference"]
    assert provenance["agent"][0]["who"]["reference"] == device
    assert await fetch(fhir_url, "Device", _id=device.partition("/")[2])
    assert task["focus"]["reference"] == receipts[0].reference


@each_mode
async def test_each_write_and_no_repeat_leaves_an_audit_event(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    for text in ("First.", "First.", "Second.", "Second."):
        receipt = await post(fhir_url, mode, draft_of(text, key=key))

    audits = await audits_of(fhir_url, receipt.reference.partition("/")[2])
    request_ids = {audit["entity"][-1]["what"]["identifier"]["value"] for audit in audits}
    assert sorted(audit["action"] for audit in audits) == ["C", "U"]
    assert len(request_ids) == 2
    assert {audit["agent"][0]["network"]["address"] for audit in audits} == {"127.0.0.1"}


@each_mode
async def test_a_draft_is_taken_back_once_and_never_a_humans_word(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    draft, reason = full_draft(key), RetractReason.REPORT_CANCELLED.value
    await post(fhir_url, mode, draft)
    async with client_for(fhir_url, mode) as client:
        first = await client.retract(draft, reason)
        second = await client.retract(draft, reason)
        (observation,), _ = await held(fhir_url, draft)
        await put(fhir_url, {**observation, "status": "final"})
        with pytest.raises(FinalPresentError):
            await client.retract(draft, reason)

    assert observation["status"] == "entered-in-error"
    assert observation["valueString"] == "No acute disease."
    assert (first.outcome, second.outcome) == (PostOutcome.UPDATED, PostOutcome.UNCHANGED)
    assert first.version_id == second.version_id == "2"


@each_mode
@pytest.mark.parametrize(
    ("reason", "status"),
    [(RetractReason.REPORT_CANCELLED, "cancelled"), (RetractReason.REPORT_CHANGED, "requested")],
)
async def test_the_task_of_a_draft_that_is_gone_for_good_is_cancelled(
    fhir_url: str, key: ReportKey, mode: WriteMode, reason: RetractReason, status: str
) -> None:
    draft = full_draft(key)
    await post(fhir_url, mode, draft)
    async with client_for(fhir_url, mode) as client:
        await client.retract(draft, reason.value)
        await client.retract(draft, reason.value)

    tag = f"urn:prelim:companion|{draft.companions[-1].id}"
    (task,) = await fetch(fhir_url, "Task", _tag=tag)
    assert task["status"] == status


@each_mode
async def test_a_task_that_a_reader_has_taken_up_stays_theirs(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    draft = full_draft(key)
    await post(fhir_url, mode, draft)
    tag = f"urn:prelim:companion|{draft.companions[-1].id}"
    (task,) = await fetch(fhir_url, "Task", _tag=tag)
    await put(fhir_url, {**task, "status": "accepted"})
    async with client_for(fhir_url, mode) as client:
        await client.retract(draft, RetractReason.REPORT_CANCELLED.value)

    (task,) = await fetch(fhir_url, "Task", _tag=tag)
    assert task["status"] == "accepted"


@each_mode
async def test_a_task_that_somebody_removed_keeps_no_draft_from_being_taken_back(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    draft = full_draft(key)
    await post(fhir_url, mode, draft)
    (task,) = await fetch(fhir_url, "Task", _tag=f"urn:prelim:companion|{draft.companions[-1].id}")
    async with FhirHttp(fhir_url, timeout_s=20) as http:
        assert (await http.exchange("DELETE", f"Task/{task['id']}")).status < 300
    async with client_for(fhir_url, mode) as client:
        receipt = await client.retract(draft, RetractReason.REPORT_CANCELLED.value)

    assert receipt.outcome is PostOutcome.UPDATED


async def test_a_transaction_that_fails_leaves_nothing(fhir_url: str, key: ReportKey) -> None:
    draft = full_draft(key)
    bundle = json.loads(build_transaction(draft))
    bundle["entry"][-1]["resource"] |= {"status": "no such status", "unknownElement": 1}
    async with FhirHttp(fhir_url, timeout_s=20) as http:
        before = await counts_of(fhir_url, draft)
        reply = await http.exchange("POST", "", body=json.dumps(bundle).encode())

    assert reply.status in range(400, 500)
    assert await counts_of(fhir_url, draft) == before == {**before, "Observation": 0, "Task": 0}


async def test_two_transactions_at_once_leave_one_of_each(fhir_url: str, key: ReportKey) -> None:
    draft = full_draft(key)
    receipts = await asyncio.gather(*(post(fhir_url, "transaction", draft) for _ in range(6)))

    assert await counts_of(fhir_url, draft) == WHOLE
    assert len({receipt.reference for receipt in receipts}) == 1


async def test_the_way_of_writing_is_chosen_by_what_the_server_says(
    fhir_url: str, key: ReportKey
) -> None:
    draft = full_draft(key)
    async with client_for(fhir_url, "auto") as client:
        before = client.mode
        await client.post(draft)

        chosen = client.mode
    assert (before, chosen) == (None, "put")
    assert await counts_of(fhir_url, draft) == WHOLE


@each_mode
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


@each_mode
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


@each_mode
async def test_lost_answers_leave_one_of_each(
    fhir_url: str, key: ReportKey, mode: WriteMode
) -> None:
    origin, _, path = fhir_url.rpartition("/")
    drafts = [full_draft(key_of(f"{key} {number}")) for number in range(4)]
    every_second = every(2)  # but not for ever: a periodic loss can meet the same write each time
    async with dropping_proxy(origin, lambda n: n < 20 and every_second(n)) as (proxy_url, dropped):
        for draft in drafts:
            async for attempt in AsyncRetrying(retry=retry_if_exception_type(PostRetryError)):
                with attempt:  # as the journal would, later
                    await post(f"{proxy_url}/{path}", mode, draft)

    counts = [await counts_of(fhir_url, draft) for draft in drafts]
    assert len(dropped) >= len(drafts) - 1
    assert counts == [WHOLE] * len(drafts)


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


@pytest.mark.parametrize("first", MODES)
@pytest.mark.parametrize("second", MODES)
async def test_a_change_of_write_mode_finds_what_the_other_wrote(
    fhir_url: str, key: ReportKey, first: WriteMode, second: WriteMode
) -> None:
    await post(fhir_url, first, full_draft(key))
    repeated = await post(fhir_url, second, full_draft(key))
    corrected = await post(fhir_url, second, full_draft(key, "Second."))

    observations, _ = await held(fhir_url, full_draft(key))
    assert [part["valueString"] for part in observations] == ["Second."]
    assert corrected.outcome is PostOutcome.UPDATED
    assert corrected.reference == repeated.reference
    # With ids of ours the Device gets ours too, and the Observation then refers to that one.
    is_same = repeated.outcome is PostOutcome.UNCHANGED
    assert is_same == (second != "put" or first == "put")


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
