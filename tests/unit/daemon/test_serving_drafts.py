"""The whole daemon as a viewer and a subscriber see it: drafts at /fhir, from whichever server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest

from daemon.app import App
from daemon.config import load_settings
from daemon.errors import ConfigurationError
from interfaces.mllp_client import MllpClient
from tests.unit.daemon.test_app import ORU
from tests.unit.interfaces.drafts_client import DraftsClient
from tests.unit.interfaces.fhir_servers import serving_store
from tests.unit.interfaces.hook_receiver import HookReceiver
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.config import Settings

PATIENT = "patient.identifier=P1"


def settings(folder: Path, **areas: object) -> Settings:
    overrides = {
        "data": folder,
        "mllp": {"port": 0},
        "http": {"port": 0},
        "model": {"engine": "extractive", "allow_demo": True},
        **areas,
    }
    return load_settings(overrides=overrides, environment={})


async def send(app: App, message: bytes = ORU) -> None:
    async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
        await client.send(message)


async def until(count: int, seen: list[object]) -> None:
    while len(seen) < count:
        await asyncio.sleep(0.02)


async def subscribe(client: DraftsClient, receiver: HookReceiver) -> str:
    wish = subscription_resource(receiver.url, content="full-resource", filters=(PATIENT,))
    status, made, _ = await client.send("POST", "/Subscription", wish)
    assert status == 201
    await until(1, receiver.bundles)
    while (await client.get(f"/Subscription/{made['id']}"))[1]["status"] != "active":
        await asyncio.sleep(0.02)
    return str(made["id"])


async def test_a_subscriber_is_told_of_a_draft_that_it_can_read(tmp_path: Path) -> None:
    async with (
        HookReceiver() as receiver,
        App(settings(tmp_path)) as app,
        aiohttp.ClientSession() as session,
    ):
        client = DraftsClient(app.http.fhir_url, session)
        await subscribe(client, receiver)
        await send(app)
        await until(2, receiver.bundles)
        [found] = await client.found(PATIENT)
        _, read = await client.get(f"/Observation/{found}")

    event = receiver.bundles[1]["entry"]
    assert receiver.numbers() == [1]
    assert event[1]["resource"] == read
    assert event[1]["fullUrl"] == f"{client.url}/Observation/{found}"


async def test_who_comes_from_elsewhere_cannot_have_this_machine_told(tmp_path: Path) -> None:
    token = "t" * 32
    http = {"port": 0, "host": "0.0.0.0", "allow_plain": True, "tokens": {"pacs": token}}
    async with (
        HookReceiver() as receiver,
        App(settings(tmp_path, http=http)) as app,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
    ):
        client = DraftsClient(app.http.fhir_url, session)
        wish = subscription_resource(receiver.url, content="id-only", filters=(PATIENT,))
        status, _, _ = await client.send("POST", "/Subscription", wish)

    assert status == 422


async def test_a_draft_that_went_to_another_server_is_read_here_too_when_it_is_to_be(
    tmp_path: Path,
) -> None:
    async with serving_store() as (url, server), HookReceiver() as receiver:
        elsewhere = {"base_url": url, "write": "conditional-create"}
        chosen = settings(tmp_path, fhir=elsewhere, drafts={"serve": True})
        async with App(chosen) as app, aiohttp.ClientSession() as session:
            client = DraftsClient(app.http.fhir_url, session)
            await subscribe(client, receiver)
            await send(app)
            await until(2, receiver.bundles)
            [copy] = await client.found(PATIENT)
            status, _ = await client.get(f"/Provenance?target=Observation/{copy}")
            async with session.get(f"{app.http.base_url}/store/fhir/metadata") as closed:
                store_status = closed.status
        [posted] = server.search("Observation", []).matches

    assert posted.id != copy
    assert receiver.bundles[1]["entry"][1]["resource"]["id"] == copy
    assert (status, store_status) == (200, 404)


async def test_a_draft_that_is_taken_back_is_told_and_read_as_such_wherever_it_went(
    tmp_path: Path,
) -> None:
    cancelled = ORU.replace(b"|M1|", b"|M2|").replace(b"||CT|P\r", b"||CT|X\r")
    async with serving_store() as (url, _), HookReceiver() as receiver:
        for folder, fhir in (("here", {}), ("there", {"base_url": url, "write": "put"})):
            chosen = settings(tmp_path / folder, fhir=fhir, drafts={"serve": True})
            receiver.bundles.clear()
            async with App(chosen) as app, aiohttp.ClientSession() as session:
                client = DraftsClient(app.http.fhir_url, session)
                await subscribe(client, receiver)
                await send(app)
                await until(2, receiver.bundles)
                await send(app, cancelled)
                await until(3, receiver.bundles)
                found = await client.found(f"{PATIENT}&status=entered-in-error")

            told = [bundle["entry"][1]["resource"]["status"] for bundle in receiver.bundles[1:]]
            assert told == ["preliminary", "entered-in-error"]
            assert len(found) == 1
            assert receiver.numbers() == [1, 2]


async def test_nothing_is_served_beside_another_server_unless_it_is_asked_for(
    tmp_path: Path,
) -> None:
    chosen = settings(tmp_path, fhir={"base_url": "http://127.0.0.1:9/fhir", "write": "put"})
    async with (
        App(chosen) as app,
        aiohttp.ClientSession() as session,
        session.get(f"{app.http.fhir_url}/Observation") as response,
    ):
        status = response.status

    assert status == 404
    assert not (tmp_path / "store.sqlite").exists()


async def test_subscribers_and_what_they_are_owed_are_there_after_a_restart(
    tmp_path: Path,
) -> None:
    async with HookReceiver() as receiver:
        async with App(settings(tmp_path)) as app, aiohttp.ClientSession() as session:
            await subscribe(DraftsClient(app.http.fhir_url, session), receiver)
            await receiver.stop()
            await send(app)
            while ("notification", "retry") not in _tries(app):
                await asyncio.sleep(0.02)
        await receiver.start()
        async with App(settings(tmp_path)):
            await until(2, receiver.bundles)

    assert receiver.numbers() == [1]


def _tries(app: App) -> set[tuple[str, str]]:
    return {
        (sample.labels["kind"], sample.labels["outcome"])
        for family in app.metrics.deliveries.collect()
        for sample in family.samples
    }


async def test_subscribers_know_the_door_by_the_name_that_was_set(tmp_path: Path) -> None:
    known = {"base_url": "https://prelim.hospital.example/fhir"}
    async with (
        HookReceiver() as receiver,
        App(settings(tmp_path, drafts=known)) as app,
        aiohttp.ClientSession() as session,
    ):
        id_ = await subscribe(DraftsClient(app.http.fhir_url, session), receiver)

    parameters = receiver.bundles[0]["entry"][0]["resource"]["parameter"]
    reference = f"https://prelim.hospital.example/fhir/Subscription/{id_}"
    assert parameters[0]["valueReference"] == {"reference": reference}


REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "preliminary",
    "category": [{"coding": [{"system": "http://loinc.org", "code": "LP29684-5"}]}],
    "code": {"text": "XR CHEST"},
}


def bundle_of(kind: str) -> dict[str, object]:
    entry = {"resource": REPORT, "request": {"method": "POST", "url": "DiagnosticReport"}}
    return {"resourceType": "Bundle", "type": kind, "entry": [entry]}


async def test_what_the_daemon_says_of_taking_reports_is_true(tmp_path: Path) -> None:
    tried = {
        ("DiagnosticReport", "create"): ("POST", "/DiagnosticReport", REPORT, 201),
        ("DiagnosticReport", "update"): ("PUT", "/DiagnosticReport/r1", REPORT, 201),
        ("Bundle", "create"): ("POST", "/Bundle", bundle_of("collection"), 201),
        ("", "transaction"): ("POST", "/", bundle_of("transaction"), 200),
        ("", "batch"): ("POST", "/", bundle_of("batch"), 200),
    }
    async with App(settings(tmp_path)) as app, aiohttp.ClientSession() as session:
        client = DraftsClient(app.http.fhir_url, session)
        _, statement = await client.get("/metadata")
        rest = statement["rest"][0]
        said = {("", each["code"]) for each in rest["interaction"]} | {
            (resource["type"], each["code"])
            for resource in rest["resource"]
            if resource["type"] in {"DiagnosticReport", "Bundle"}
            for each in resource["interaction"]
        }
        for number, way in enumerate(sorted(said)):
            method, path, body, expected = tried[way]
            changed = json.dumps(body).replace("XR CHEST", f"XR CHEST {number}")
            kind = "application/fhir+json"
            status, _, _ = await client.send(method, path, changed, Content_Type=kind)
            assert status == expected, way

    assert said == set(tried)


async def test_nothing_is_said_of_taking_reports_where_they_are_not_taken(tmp_path: Path) -> None:
    closed = {"port": 0, "take_reports": False}
    async with App(settings(tmp_path, http=closed)) as app, aiohttp.ClientSession() as session:
        client = DraftsClient(app.http.fhir_url, session)
        _, statement = await client.get("/metadata")

    kinds = {resource["type"] for resource in statement["rest"][0]["resource"]}
    assert not kinds & {"DiagnosticReport", "Bundle"}


async def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    chosen = settings(tmp_path, drafts={"notify": {"ca": tmp_path / "none.pem"}})
    with pytest.raises(ConfigurationError) as refused:
        async with App(chosen):
            pass

    assert refused.value.where == "drafts.notify.ca"
