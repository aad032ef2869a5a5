"""The client against the embedded store, and against a server that follows a script."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

import pytest
import structlog

from interfaces.errors import FinalPresentError, PostRefusedError, PostRetryError, ServerAwayError
from interfaces.fhir_breaker import Breaker, BreakerLimits
from interfaces.fhir_client import FhirClient
from interfaces.fhir_http import FhirHttp
from mappings.domain import PostOutcome
from mappings.fhir_audit_event import Write, build_audit_event
from mappings.fhir_elements import FhirOptions
from mappings.fhir_retraction import retracted
from mappings.reasons import RetractReason
from tests.integration.reply_dropping_proxy import dropping_proxy
from tests.samples.fhir_drafts import DRAFTED_AT, STUDY, draft_of, key_of
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving, serving_store

if TYPE_CHECKING:
    from interfaces.fhir_capability import WriteMode
    from interfaces.fhir_store import FhirStore
    from mappings.domain import Companion, DraftObservation, PostReceipt

MODES: list[WriteMode] = ["put", "conditional-create"]
both_modes = pytest.mark.parametrize("mode", MODES)


def held(store: FhirStore, kind: str) -> list[dict[str, Any]]:
    return [json.loads(stored.body) for stored in store.search(kind, []).matches]


async def post(url: str, mode: WriteMode, draft: DraftObservation) -> PostReceipt:
    async with FhirClient(FhirHttp(url, timeout_s=5), write=mode) as client:
        return await client.post(draft)


class Sleeps:
    """Waits that are noted and not waited: they pass on a clock of their own."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.now = 1000.0

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.now += seconds

    def now_s(self) -> float:
        return self.now


def client_of(
    url: str, mode: WriteMode | Literal["auto"], sleeps: Sleeps, *, failures_max: int = 100
) -> FhirClient:
    breaker = Breaker(BreakerLimits(failures_max, 1, 60), sleeps.now_s)
    return FhirClient(FhirHttp(url, timeout_s=5, breaker=breaker), write=mode, sleep=sleeps)


async def post_to(
    server: ScriptedServer, mode: WriteMode | Literal["auto"] = "put"
) -> tuple[Any, Sleeps]:
    sleeps = Sleeps()
    async with serving(server.app) as url, client_of(url, mode, sleeps) as client:
        try:
            return await client.post(draft_of()), sleeps
        except (PostRetryError, PostRefusedError, FinalPresentError) as error:
            return error, sleeps


@both_modes
async def test_a_new_draft_is_created_with_its_provenance(mode: WriteMode) -> None:
    draft = draft_of()
    async with serving_store() as (url, store):
        receipt = await post(url, mode, draft)

        (observation,), (provenance,) = held(store, "Observation"), held(store, "Provenance")
    assert receipt.outcome is PostOutcome.CREATED
    assert receipt.version_id == "1"
    assert receipt.reference == f"Observation/{observation['id']}"
    assert (observation["id"] == draft.observation_id) == (mode == "put")
    assert (provenance["id"] == draft.provenance_id) == (mode == "put")
    assert provenance["target"][0]["reference"] == receipt.reference
    assert observation["valueString"] == "No acute disease."


@both_modes
async def test_the_same_bytes_twice_change_nothing(mode: WriteMode) -> None:
    async with serving_store() as (url, store):
        first = await post(url, mode, draft_of())
        second = await post(url, mode, draft_of())

        observations, provenances = held(store, "Observation"), held(store, "Provenance")
    assert (len(observations), len(provenances)) == (1, 1)
    assert observations[0]["meta"]["versionId"] == provenances[0]["meta"]["versionId"] == "1"
    assert second == dataclasses.replace(first, outcome=PostOutcome.UNCHANGED)


@both_modes
async def test_a_correction_updates_the_same_observation(mode: WriteMode) -> None:
    async with serving_store() as (url, store):
        first = await post(url, mode, draft_of("First."))
        second = await post(url, mode, draft_of("Second.", report_version="corrected/2"))

        observations, provenances = held(store, "Observation"), held(store, "Provenance")
    assert second.outcome is PostOutcome.UPDATED
    assert (second.reference, second.version_id) == (first.reference, "2")
    assert [observation["valueString"] for observation in observations] == ["Second."]
    assert len(provenances) == 2  # one for each draft, both of this Observation
    assert {part["target"][0]["reference"] for part in provenances} == {first.reference}


@both_modes
@pytest.mark.parametrize("status", ["final", "amended", "cancelled", "entered-in-error"])
async def test_what_a_human_made_of_it_is_never_overwritten(mode: WriteMode, status: str) -> None:
    async with serving_store() as (url, store):
        await post(url, mode, draft_of("First."))
        (ours,) = held(store, "Observation")
        store.update({**ours, "status": status, "valueString": "By a human."}, ours["id"])

        with pytest.raises(FinalPresentError) as left:
            await post(url, mode, draft_of("Second."))
        (observation,) = held(store, "Observation")
    assert left.value.reason == "final_present"
    assert observation["valueString"] == "By a human."


@both_modes
@pytest.mark.parametrize("lost", [{1}, {2}, {1, 2}])
async def test_a_lost_answer_leaves_one_observation_and_one_provenance(
    mode: WriteMode, lost: set[int]
) -> None:
    async with serving_store() as (url, store), dropping_proxy(url, lost.__contains__) as proxy:
        proxy_url, dropped = proxy
        async with client_of(proxy_url, mode, Sleeps()) as client:
            receipt = await client.post(draft_of())

        observations, provenances = held(store, "Observation"), held(store, "Provenance")
    assert len(dropped) == len(lost)
    assert (len(observations), len(provenances)) == (1, 1)
    assert observations[0]["meta"]["versionId"] == "1"
    assert receipt.reference == f"Observation/{observations[0]['id']}"
    assert provenances[0]["target"][0]["reference"] == receipt.reference


async def test_drafts_of_several_reports_do_not_meet() -> None:
    keys = [key_of(f"report {number}") for number in range(8)]
    async with serving_store() as (url, store):
        async with client_of(url, "put", Sleeps()) as client:
            await asyncio.gather(*(client.post(draft_of(key=key)) for key in keys))

        observations = held(store, "Observation")
    assert {part["identifier"][0]["value"] for part in observations} == set(keys)


NOTHING = Answer(200, {"resourceType": "Bundle"})
HELD = {
    **json.loads(draft_of("Older.").observation),
    "meta": {"versionId": "4"},
}


async def test_a_stale_update_is_read_again_and_not_repeated_over_a_final() -> None:
    server = ScriptedServer(
        Answer(200, HELD), Answer(412), Answer(200, {**HELD, "status": "final"})
    )
    error, _ = await post_to(server)

    assert isinstance(error, FinalPresentError)
    assert [asked.method for asked in server.asked] == ["GET", "PUT", "GET"]
    assert server.asked[1].headers["if-match"] == 'W/"4"'


async def test_versions_that_never_stand_still_are_left_for_later() -> None:
    server = ScriptedServer(*[Answer(200, HELD), Answer(412)] * 20)
    error, sleeps = await post_to(server)

    assert isinstance(error, PostRetryError)
    assert error.reason == "version_conflict"
    assert len(server.asked) == 3 * 3 * 2
    assert len(sleeps.seconds) == 2


async def test_a_first_put_says_that_there_must_be_none() -> None:
    created = Answer(201, headers={"ETag": 'W/"1"'})
    server = ScriptedServer(Answer(404), NOTHING, created, Answer(200))
    await post_to(server)

    assert server.asked[2].headers["if-none-match"] == "*"
    assert server.asked[2].headers["content-type"] == "application/fhir+json"
    assert server.asked[2].headers["prefer"] == "return=minimal"


async def test_what_another_way_of_writing_left_is_found_before_a_first_put() -> None:
    held = {"entry": [{"resource": {**HELD, "id": "77"}}]}
    server = ScriptedServer(
        Answer(404), Answer(200, {"resourceType": "Bundle", **held}), Answer(200), Answer(200)
    )
    receipt, _ = await post_to(server)

    assert (receipt.outcome, receipt.reference) == (PostOutcome.UPDATED, "Observation/77")
    assert server.asked[1].headers["cache-control"] == "no-cache"
    assert server.asked[2].path == "/Observation/77"
    assert server.asked[2].headers["if-match"] == 'W/"4"'


async def test_a_server_that_cannot_search_is_written_to_by_id() -> None:
    server = ScriptedServer(Answer(404), Answer(403), Answer(201), Answer(200))
    receipt, _ = await post_to(server)

    assert receipt.outcome is PostOutcome.CREATED
    assert [asked.method for asked in server.asked] == ["GET", "GET", "PUT", "PUT"]


async def test_conditional_create_asks_by_identifier_and_tag_only() -> None:
    server = ScriptedServer(
        NOTHING,
        Answer(201, headers={"Location": "http://elsewhere/fhir/Observation/77/_history/1"}),
        Answer(201, headers={"Location": "Provenance/78"}),
    )
    receipt, _ = await post_to(server, "conditional-create")

    search, create, provenance = server.asked
    draft = draft_of()
    by_identifier = f"urn:prelim:report-key|{draft.report_key}"
    assert receipt.reference == "Observation/77"
    assert parse_qs(search.query) == {"identifier": [by_identifier], "_count": ["2"]}
    assert parse_qs(create.headers["if-none-exist"]) == {"identifier": [by_identifier]}
    assert "id" not in json.loads(create.body)
    assert parse_qs(provenance.headers["if-none-exist"]) == {
        "_tag": [f"urn:prelim:provenance|{draft.provenance_id}"]
    }
    assert json.loads(provenance.body)["target"][0]["reference"] == "Observation/77"
    assert all(STUDY.patient.value not in asked.query for asked in server.asked)


@pytest.mark.parametrize(
    "script",
    [
        [NOTHING, Answer(412)],
        [
            Answer(
                200,
                {
                    "resourceType": "Bundle",
                    "entry": [{"resource": {**HELD, "id": one}} for one in ("1", "2")],
                },
            )
        ],
    ],
)
async def test_several_matches_are_refused_and_counted(script: list[Answer]) -> None:
    sleeps, server = Sleeps(), ScriptedServer(*script)
    async with serving(server.app) as url, client_of(url, "conditional-create", sleeps) as client:
        with pytest.raises(PostRefusedError) as raised:
            await client.post(draft_of())

    error = raised.value
    assert client.refused == {"several_matches": 1}
    assert isinstance(error, PostRefusedError)
    assert error.reason == "several_matches"
    assert sleeps.seconds == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_fault_is_tried_three_times_within_the_claim(status: int) -> None:
    server = ScriptedServer(Answer(status))
    with structlog.testing.capture_logs() as lines:
        error, sleeps = await post_to(server)

    assert isinstance(error, PostRetryError)
    assert (error.reason, error.where, error.retry_after_s) == (
        f"http_{status}",
        "Observation",
        None,
    )
    assert len(server.asked) == 3
    assert sleeps.seconds == [0.2, 0.4]
    assert [
        (line["event"], line["attempts"]) for line in lines if line["event"].startswith("fhir")
    ] == [
        ("fhir.post_retried", 1),
        ("fhir.post_retried", 2),
    ]


async def test_a_short_retry_after_is_obeyed_within_the_claim() -> None:
    busy = Answer(503, headers={"Retry-After": "2"})
    server = ScriptedServer(busy, Answer(404), NOTHING, Answer(201), Answer(200))
    receipt, sleeps = await post_to(server)

    assert receipt.outcome is PostOutcome.CREATED
    assert sleeps.seconds == [2.0]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_long_retry_after_goes_to_the_journal_at_once(status: int) -> None:
    server = ScriptedServer(Answer(status, headers={"Retry-After": "120"}))
    error, sleeps = await post_to(server)

    assert isinstance(error, PostRetryError)
    assert error.retry_after_s == 120.0
    assert len(server.asked) == 1
    assert sleeps.seconds == []


async def test_a_fault_of_the_provenance_alone_does_not_write_the_observation_again() -> None:
    draft = draft_of()
    kept = json.loads(draft.observation)
    kept["meta"]["versionId"] = "1"
    server = ScriptedServer(
        Answer(404),
        NOTHING,
        Answer(201),
        Answer(503),
        Answer(200, kept),
        Answer(404),
        Answer(201),
    )
    receipt, sleeps = await post_to(server)

    assert [f"{asked.method} {asked.path.split('/')[1]}" for asked in server.asked] == [
        "GET Observation",
        "GET Observation",
        "PUT Observation",
        "PUT Provenance",
        "GET Observation",
        "GET Provenance",
        "PUT Provenance",
    ]
    assert receipt.outcome is PostOutcome.UNCHANGED
    assert len(sleeps.seconds) == 1


@pytest.mark.parametrize("status", [302, 400, 403, 405, 410, 413, 415, 422])
async def test_a_permanent_answer_is_not_repeated_and_its_text_is_not_kept(
    status: int, canary_name: str
) -> None:
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"code": "invariant", "diagnostics": f"Patient {canary_name}"}],
    }
    server = ScriptedServer(
        Answer(404), NOTHING, Answer(status, outcome, headers={"Location": f"/{canary_name}"})
    )
    error, sleeps = await post_to(server)

    assert isinstance(error, PostRefusedError)
    assert (error.reason, error.where) == (f"http_{status}", "Observation: invariant")
    assert canary_name not in str(error)
    assert len(server.asked) == 3
    assert sleeps.seconds == []


async def test_a_deleted_observation_is_not_brought_back() -> None:
    error, _ = await post_to(ScriptedServer(Answer(410)))

    assert isinstance(error, PostRefusedError)
    assert error.reason == "http_410"


async def test_a_wrong_token_waits_for_an_operator_without_hammering() -> None:
    server = ScriptedServer(Answer(401))
    error, _ = await post_to(server)

    assert isinstance(error, PostRetryError)
    assert error.reason == "unauthorised"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "body", [b"<html>gateway</html>", b"[1]", b'{"a":', b"\xff", b'{"error":"down"}']
)
async def test_an_unreadable_answer_is_tried_again(body: bytes) -> None:
    error, _ = await post_to(ScriptedServer(Answer(200, body)))

    assert isinstance(error, PostRetryError)
    assert error.reason == "reply_unreadable"


async def test_a_server_without_versions_is_not_overwritten_blindly() -> None:
    error, _ = await post_to(ScriptedServer(Answer(200, {**HELD, "meta": {}})))

    assert isinstance(error, PostRefusedError)
    assert error.reason == "server_without_versions"


STATEMENT = {
    "resourceType": "CapabilityStatement",
    "rest": [
        {
            "mode": "server",
            "resource": [
                {"type": kind, "versioning": "versioned", "conditionalCreate": True}
                for kind in ("Observation", "Provenance")
            ],
        }
    ],
}
CREATED = Answer(201, headers={"Location": "Observation/77/_history/1"})
ADDED = Answer(201, headers={"Location": "Provenance/78"})


async def test_a_server_that_names_no_safe_way_gets_nothing() -> None:
    unsafe = {**STATEMENT, "rest": [{"mode": "server"}]}
    server = ScriptedServer(Answer(200, unsafe))
    error, _ = await post_to(server, "auto")

    assert isinstance(error, PostRefusedError)
    assert (error.reason, error.where) == ("no_safe_write", "CapabilityStatement.rest")
    assert [asked.path for asked in server.asked] == ["/metadata"]


async def test_what_the_server_can_is_asked_once_and_again_after_trouble() -> None:
    sleeps, statement = Sleeps(), Answer(200, STATEMENT)
    put = [{**each, "updateCreate": True} for each in STATEMENT["rest"][0]["resource"]]  # type: ignore[index]
    renewed = {**STATEMENT, "rest": [{"mode": "server", "resource": put}]}
    server = ScriptedServer(
        *[statement, NOTHING, CREATED, ADDED, NOTHING, CREATED, ADDED],
        *[Answer(503)] * 2,
        *[Answer(200, renewed), Answer(404), NOTHING, Answer(201), Answer(200)],
    )
    modes = []
    async with serving(server.app) as url, client_of(url, "auto", sleeps, failures_max=2) as client:
        for _ in range(2):
            await client.post(draft_of())
            modes.append(client.mode)
        with pytest.raises(PostRetryError):
            await client.post(draft_of())
        sleeps.now += 1
        await client.post(draft_of())
        modes.append(client.mode)

    assert modes == ["conditional-create", "conditional-create", "put"]
    asked = [asked.path for asked in server.asked]
    assert [place for place, path in enumerate(asked) if path == "/metadata"] == [0, 9]


async def test_nobody_knocks_at_a_server_that_failed_again_and_again_until_one_may() -> None:
    sleeps, server = Sleeps(), ScriptedServer(Answer(503))
    knocks, errors = [], []
    async with serving(server.app) as url, client_of(url, "put", sleeps, failures_max=3) as client:
        for _ in range(4):
            with pytest.raises(PostRetryError) as raised:
                await client.post(draft_of())
            errors.append((type(raised.value), raised.value.is_counted))
            knocks.append(len(server.asked))
        assert not client.may_post
        sleeps.now += 1
        assert client.may_post
        with pytest.raises(PostRetryError):
            await client.post(draft_of())
        knocks.append(len(server.asked))

    assert errors == [(PostRetryError, False), *[(ServerAwayError, False)] * 3]
    assert knocks == [3, 3, 3, 3, 4]


async def test_a_wait_that_the_server_asked_for_holds_every_draft_back() -> None:
    sleeps = Sleeps()
    server = ScriptedServer(Answer(429, headers={"Retry-After": "30"}), Answer(400))
    async with serving(server.app) as url, client_of(url, "put", sleeps) as client:
        for _ in range(3):
            with pytest.raises(PostRetryError) as raised:
                await client.post(draft_of())
            sleeps.now += 9
        asked = len(server.asked)
        sleeps.now += 3
        with pytest.raises(PostRefusedError):
            await client.post(draft_of())

    assert isinstance(raised.value, ServerAwayError)
    assert raised.value.retry_after_s == 12
    assert asked == 1


def audited(url: str, sleeps: Sleeps, seen: list[Write]) -> FhirClient:
    def audit(write: Write) -> Companion:
        seen.append(write)
        return build_audit_event(write, FhirOptions(), now=DRAFTED_AT)

    breaker = Breaker(BreakerLimits(100, 1, 60), sleeps.now_s)
    http = FhirHttp(url, timeout_s=5, breaker=breaker)
    return FhirClient(http, write="put", audit=audit, sleep=sleeps)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 500, 501])
async def test_a_server_that_takes_no_audit_events_gets_the_drafts(status: int) -> None:
    written = [Answer(404), NOTHING, Answer(201), Answer(201)]
    server, seen = ScriptedServer(*[*written, Answer(status)] * 2), list[Write]()
    with structlog.testing.capture_logs() as lines:
        async with serving(server.app) as url, audited(url, Sleeps(), seen) as client:
            receipts = [await client.post(draft_of()) for _ in range(2)]

    assert [receipt.outcome for receipt in receipts] == [PostOutcome.CREATED] * 2
    assert client.audit_events == {f"http_{status}": 2}
    assert [line["reason"] for line in lines if line["event"] == "fhir.audit_event_refused"] == [
        f"http_{status}"
    ]


async def test_an_audit_event_names_the_request_whose_answer_was_lost() -> None:
    seen = list[Write]()
    kept = {**json.loads(draft_of().observation), "meta": {"versionId": "1"}}
    kept["meta"] |= json.loads(draft_of().observation)["meta"]
    server = ScriptedServer(
        *[Answer(404), NOTHING, Answer(504)],
        *[Answer(200, kept), Answer(200), Answer(200)],
    )
    async with serving(server.app) as url, audited(url, Sleeps(), seen) as client:
        receipt = await client.post(draft_of())

    (write,) = seen
    assert receipt.outcome is PostOutcome.UNCHANGED
    assert (write.interaction, write.version_id) == ("create", "1")
    assert write.request_id == server.asked[2].headers["x-request-id"]
    assert (write.base_url, write.client_address) == (url, "127.0.0.1")


async def test_an_audit_event_that_cannot_be_written_now_is_written_later() -> None:
    seen = list[Write]()
    kept = {**json.loads(draft_of().observation), "meta": {"versionId": "1"}}
    kept["meta"] |= json.loads(draft_of().observation)["meta"]
    server = ScriptedServer(
        *[Answer(404), NOTHING, Answer(201, headers={"ETag": 'W/"1"'}), Answer(200), Answer(503)],
        *[Answer(200, kept), Answer(200), Answer(404), Answer(201)],
    )
    async with serving(server.app) as url, audited(url, Sleeps(), seen) as client:
        await client.post(draft_of())

    assert client.audit_events == {"written": 1}
    assert seen[0] == seen[1]


def taking_back(url: str, sleeps: Sleeps) -> FhirClient:
    http = FhirHttp(url, timeout_s=5, breaker=Breaker(BreakerLimits(), sleeps.now_s))
    how = functools.partial(retracted, now=DRAFTED_AT)
    return FhirClient(http, write="put", retracted=how, sleep=sleeps)


@pytest.mark.parametrize(
    "held",
    [
        Answer(404),
        Answer(410),
        Answer(200, {**HELD, "status": "final"}),
        Answer(200, {**HELD, "identifier": []}),
    ],
)
async def test_what_is_gone_or_touched_by_a_human_is_not_taken_back(held: Answer) -> None:
    server = ScriptedServer(held, NOTHING)
    async with serving(server.app) as url, taking_back(url, Sleeps()) as client:
        with pytest.raises(FinalPresentError):
            await client.retract(draft_of(), RetractReason.REPORT_CANCELLED)

    assert all(asked.method == "GET" for asked in server.asked)


async def test_a_draft_is_taken_back_as_it_stands_at_the_server() -> None:
    held = {**HELD, "note": [{"text": "Seen by the resident."}]}
    server = ScriptedServer(
        *[Answer(200, held), Answer(412), Answer(200, held), Answer(200, headers={"ETag": 'W/"5"'})]
    )
    async with serving(server.app) as url, taking_back(url, Sleeps()) as client:
        receipt = await client.retract(draft_of(), RetractReason.REPORT_CANCELLED)

    body = json.loads(server.asked[-1].body)
    assert (receipt.outcome, receipt.version_id) == (PostOutcome.UPDATED, "5")
    assert body["status"] == "entered-in-error"
    assert (body["valueString"], body["note"][0]["text"]) == ("Older.", "Seen by the resident.")
    assert server.asked[-1].headers["if-match"] == 'W/"4"'


async def test_after_a_refusal_the_device_is_looked_for_again() -> None:
    draft, sleeps = draft_of(options=FhirOptions(device="resource")), Sleeps()
    found = [Answer(404), NOTHING, Answer(200)]  # no Observation, but the Device
    server = ScriptedServer(*found, Answer(422), *found, Answer(422))
    async with serving(server.app) as url, client_of(url, "put", sleeps) as client:
        for _ in range(2):
            with pytest.raises(PostRefusedError):
                await client.post(draft)

    assert [asked.path.split("/")[1] for asked in server.asked].count("Device") == 2
