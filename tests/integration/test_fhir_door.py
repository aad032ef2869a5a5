"""The FHIR door of the whole daemon: from a POST to the draft in the store."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.app import App
from daemon.config import load_settings
from daemon.lifecycle import State
from interfaces.mllp_client import MllpClient
from tests.unit.interfaces.http_requests import Answer, ask
from tests.unit.mappings.fhir_variants import refused_by_fhirkit, refused_by_schema

if TYPE_CHECKING:
    from daemon.journal import Row

SHAPES = Path(__file__).parents[1] / "vectors/fhir/reports"
FHIR = {"Content-Type": "application/fhir+json"}
DONE = {State.POSTED, State.SKIPPED, State.SUPERSEDED}
TOKEN = "a-token-of-the-ris"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def app(folder: Path, **http: object) -> App:
    overrides = {
        "data": folder,
        "mllp": {"port": 0},
        "http": {"port": 0, **http},
        "model": {"engine": "extractive"},
    }
    return App(load_settings(overrides=overrides, environment={}))


async def post(app: App, body: bytes, path: str = "/", **headers: str) -> Answer:
    return await ask(f"{app.http.base_url}/fhir{path}", "POST", body, headers=FHIR | headers)


async def settled(app: App, reports: int) -> list[Row]:
    """Wait until so many reports have come to their end."""
    while True:
        rows = [row for row in await app.journal.rows() if row.report_id]
        if len(rows) == reports and all(row.state in DONE for row in rows):
            return rows
        await asyncio.sleep(0.02)


async def observations(app: App) -> list[dict[str, object]]:
    token = app.http.store_token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    found = await ask(f"{app.fhir_base_url}/Observation", headers=headers)
    return [entry["resource"] for entry in json.loads(found.text).get("entry", ())]


DRAFTED = ("ihe_imr", "ihe_idr", "us_core", "jp_core", "eu_imaging", "uk_core")
LEFT_ALONE = {
    "r4_specification": "impression_present",
    "ihe_imr_with_impression": "impression_present",
    "mii_results_elsewhere": "results_unresolved",
    "us_core_pdf_only": "document_not_read",
    "laboratory": "not_radiology",
}


async def post_shape(app: App, name: str) -> int:
    body = (SHAPES / f"{name}.json").read_bytes()
    is_bundle = json.loads(body)["resourceType"] == "Bundle"
    return (await post(app, body, "/" if is_bundle else "/DiagnosticReport")).status


async def test_each_profile_s_report_is_drafted_for_or_left_alone(tmp_path: Path) -> None:
    async with app(tmp_path) as running:
        taken = [await post_shape(running, name) for name in DRAFTED]
        posted = [row.state for row in await settled(running, len(DRAFTED))]
        drafted = await observations(running)
        taken += [await post_shape(running, name) for name in LEFT_ALONE]
        rows = await settled(running, len(DRAFTED) + len(LEFT_ALONE))

    assert set(taken) <= {200, 201}
    assert posted == [State.POSTED] * len(DRAFTED)
    assert len(drafted) == len(DRAFTED)
    assert {one["status"] for one in drafted} == {"preliminary"}
    skipped = [row.reason for row in rows if row.state is State.SKIPPED]
    assert sorted(filter(None, skipped)) == sorted(LEFT_ALONE.values())


def report(**elements: object) -> bytes:
    text = base64.b64encode(b"There is a 12 mm nodule in the right upper lobe.").decode()
    resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [
            {"type": {"coding": [{"system": V2, "code": "FILL"}]}, "value": "F1"},
        ],
        "status": "preliminary",
        "category": [{"coding": [{"code": "RAD"}]}],
        "code": {"coding": [{"code": "CTCHEST", "display": "CT chest"}]},
        "subject": {"reference": "Patient/7", "display": "QUETZALCANARY"},
        "performer": [{"type": "Organization", "display": "DEMOHOSP"}],
        "presentedForm": [{"contentType": "text/plain", "data": text}],
    }
    return json.dumps(resource | elements).encode()


ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|||20261121080000||ORU^R01|M1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO^MR\r"
    b"OBR|1|O1|F1|CTCHEST^CT CHEST^L|||20261121070000|||||||||||||||20261121073000||CT|P\r"
    b"OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"
)


async def test_a_report_that_comes_by_both_doors_has_one_draft(tmp_path: Path) -> None:
    async with app(tmp_path) as running:
        assert (await post(running, report(), "/DiagnosticReport")).status == 201
        await settled(running, 1)
        async with MllpClient("127.0.0.1", running.doors["default"].port, timeout_s=10) as client:
            assert (await client.send(ORU)).code == "AA"
        await settled(running, 2)
        [drafted] = await observations(running)

    assert "12 mm nodule in the right upper lobe" in str(drafted["valueString"])


async def test_the_draft_is_about_the_patient_that_the_report_names(tmp_path: Path) -> None:
    async with app(tmp_path) as running:
        await post(running, report(), "/DiagnosticReport")
        await settled(running, 1)
        [drafted] = await observations(running)

    assert "Patient/7" in json.dumps(drafted["subject"])


async def test_many_clients_that_send_the_same_at_once_are_all_told_yes_and_one_is_kept(
    tmp_path: Path,
) -> None:
    async with app(tmp_path) as running:
        answers = await asyncio.gather(
            *(post(running, report(), "/DiagnosticReport") for _ in range(20))
        )
        conditional = await asyncio.gather(
            *(
                post(
                    running,
                    report(status="partial", issued=f"2026-03-04T10:00:{n:02}Z"),
                    "/DiagnosticReport",
                    **{"If-None-Exist": "identifier=F2"},
                )
                for n in range(10)
            )
        )
        rows = await settled(running, 2)

    assert {one.status for one in answers} == {201}
    assert len({one.headers["Location"] for one in answers}) == 1
    assert sorted(one.status for one in conditional) == [200] * 9 + [201]
    assert len(rows) == 2


async def test_a_guarded_daemon_takes_from_whom_it_knows_and_still_reaches_its_own_store(
    tmp_path: Path,
) -> None:
    async with app(tmp_path, tokens={"ris": TOKEN}) as running:
        stranger = await post(running, report(), "/DiagnosticReport")
        known = await post(running, report(), "/DiagnosticReport", Authorization=f"Bearer {TOKEN}")
        await settled(running, 1)
        drafted = await observations(running)

    assert (stranger.status, known.status, len(drafted)) == (401, 201, 1)


async def test_no_patient_data_is_in_a_log_line_a_metric_or_an_answer(
    tmp_path: Path, canary_name: str
) -> None:
    bad = report(birthplace=canary_name)
    with structlog.testing.capture_logs() as lines:
        async with app(tmp_path) as running:
            answers = [
                await post(running, report(), "/DiagnosticReport"),
                await post(running, bad, "/DiagnosticReport"),
                await post(running, report(status=canary_name), "/DiagnosticReport"),
                await post(running, canary_name.encode(), "/DiagnosticReport"),
                await post(running, report(), f"/{canary_name}"),
            ]
            await settled(running, 1)
            metrics = (await ask(f"{running.http.base_url}/metrics")).text

    assert [one.status for one in answers] == [201, 422, 422, 400, 404]
    assert 'prelim_messages_total{door="http",result="refused"} 3.0' in metrics
    assert 'prelim_answer_seconds_count{door="http"} 4.0' in metrics
    assert canary_name not in str(lines) + metrics + "".join(one.text for one in answers)


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_site_may_close_the_door(tmp_path: Path, is_taken: bool) -> None:  # noqa: FBT001 - a column of the table
    async with app(tmp_path, take_reports=is_taken) as running:
        answer = await post(running, report(), "/DiagnosticReport")

    assert answer.status == (201 if is_taken else 404)


async def test_what_the_door_answers_is_fhir_to_validators_that_others_wrote(
    tmp_path: Path,
) -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "m-1",
        "eventUri": "urn:x:report",
        "source": {"endpoint": "http://ris.demo.example"},
    }
    resource = json.loads(report())
    entries = [{"fullUrl": "urn:uuid:a0000000-0000-4000-8000-000000000001", "resource": header}]
    entries += [{"fullUrl": "urn:uuid:a0000000-0000-4000-8000-000000000002", "resource": resource}]
    message = json.dumps({"resourceType": "Bundle", "type": "message", "entry": entries}).encode()
    async with app(tmp_path) as running:
        answers = [
            await post(running, report(), "/DiagnosticReport"),
            await post(running, b"{", "/DiagnosticReport"),
            await post(running, report(status="x"), "/DiagnosticReport"),
            await post(running, (SHAPES / "ihe_idr.json").read_bytes()),
            await post(running, message, "/$process-message"),
        ]
    bodies = [json.loads(one.text) for one in answers]

    assert [one.status for one in answers] == [201, 400, 422, 200, 200]
    assert not any(refused_by_fhirkit(body) for body in bodies)
    assert not any(refused_by_schema(body) for body in bodies[:4])
