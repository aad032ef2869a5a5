"""The FHIR door over real sockets: what is read, what is answered, what is never repeated."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import RequestRefusedError
from interfaces.fhir_door import FhirArrival, FhirReceipt, intake_routes
from interfaces.http_limits import HttpLimits
from interfaces.http_server import HttpTerms, Readiness, build_app
from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import FhirRelease
from tests.unit.interfaces.fhir_servers import serving
from tests.unit.interfaces.http_requests import Answer, ask

if TYPE_CHECKING:
    from starlette.applications import Starlette

FHIR = {"Content-Type": "application/fhir+json"}
NEW = FhirReceipt("0" * 32, is_known=False, is_condition_met=False)


class Clerk:
    """An intake that remembers what it was given, and says what it is told to."""

    def __init__(self, said: FhirReceipt | Exception = NEW) -> None:
        self.said = said
        self.heard: list[FhirArrival] = []

    async def take(self, arrival: FhirArrival) -> FhirReceipt:
        self.heard.append(arrival)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def app(clerk: Clerk) -> Starlette:
    async def ready() -> Readiness:
        return Readiness(is_ready=True)

    async def metrics_text() -> bytes:
        return b""

    terms = HttpTerms(limits=HttpLimits(body_bytes_max=1000))
    return build_app(
        ready=ready, metrics_text=metrics_text, fhir_routes=intake_routes(clerk), terms=terms
    )


async def post(
    clerk: Clerk, path: str = "/DiagnosticReport", body: bytes = b"{}", **headers: str
) -> Answer:
    given = FHIR | {name.replace("_", "-"): value for name, value in headers.items()}
    async with serving(app(clerk)) as url:
        return await ask(f"{url}/fhir{path}", "POST", body, headers=given)


async def test_a_new_report_is_created_and_its_location_names_our_message() -> None:
    clerk = Clerk()

    answer = await post(clerk, body=b'{"x": 1}')

    assert answer.status == 201
    assert answer.headers["Location"].endswith(f"/fhir/DiagnosticReport/{'0' * 32}/_history/1")
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert json.loads(answer.text)["issue"][0]["details"]["text"] == "received"
    [arrival] = clerk.heard
    assert (arrival.body, arrival.wanted, arrival.peer) == (
        b'{"x": 1}',
        "DiagnosticReport",
        "127.0.0.1",
    )


async def test_a_known_report_gets_the_same_yes_and_a_met_condition_its_own() -> None:
    again = await post(Clerk(replace(NEW, is_known=True)))
    met = await post(
        Clerk(replace(NEW, is_known=True, is_condition_met=True)), If_None_Exist="identifier=a%7Cb"
    )

    assert (again.status, met.status) == (201, 200)
    assert (
        again.headers["Location"].rpartition("/fhir/")[2]
        == met.headers["Location"].rpartition("/fhir/")[2]
    )


async def test_nothing_is_said_to_a_client_that_wants_nothing() -> None:
    assert (await post(Clerk(), Prefer="return=minimal")).text == ""


@pytest.mark.parametrize(
    ("header", "condition"),
    [
        ("identifier=a%7Cb", (("identifier", "a|b"),)),
        ("?identifier=a|b&code=c", (("identifier", "a|b"), ("code", "c"))),
        ("DiagnosticReport?identifier=a|b", (("identifier", "a|b"),)),
    ],
)
async def test_a_condition_is_read(header: str, condition: tuple[tuple[str, str], ...]) -> None:
    clerk = Clerk()

    await post(clerk, If_None_Exist=header)

    assert clerk.heard[0].condition == condition


async def test_a_condition_that_says_nothing_is_refused() -> None:
    answer = await post(Clerk(), If_None_Exist="QUETZALCANARY")

    assert (answer.status, '"if_none_exist_invalid"' in answer.text) == (400, True)
    assert "QUETZALCANARY" not in answer.text


@pytest.mark.parametrize(
    ("media", "release"),
    [
        ("application/fhir+json", None),
        ("application/json; charset=UTF-8", None),
        ("application/fhir+json; fhirVersion=4.0", FhirRelease.R4),
        ("application/fhir+json;fhirVersion=4.3;charset=utf-8", FhirRelease.R4B),
        ('APPLICATION/FHIR+JSON; FHIRVersion="5.0"', FhirRelease.R5),
    ],
)
async def test_the_release_is_that_of_the_content_type(
    media: str, release: FhirRelease | None
) -> None:
    clerk = Clerk()

    assert (await post(clerk, Content_Type=media)).status == 201
    assert clerk.heard[0].release is release


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content_Type": "application/fhir+xml"}, "content_type"),
        ({"Content_Type": "application/xml"}, "content_type"),
        ({"Content_Type": "text/plain"}, "content_type"),
        ({"Content_Type": "application/fhir+json; charset=iso-8859-1"}, "charset_not_supported"),
        ({"Content_Type": "application/fhir+json; fhirVersion=3.0"}, "fhir_version_not_supported"),
        ({"Content_Encoding": "br"}, "content_encoding_not_supported"),
    ],
)
async def test_another_media_type_is_refused_unread(headers: dict[str, str], reason: str) -> None:
    clerk = Clerk()

    answer = await post(clerk, body=b"QUETZALCANARY", **headers)

    assert (answer.status, clerk.heard) == (415, [])
    assert json.loads(answer.text)["issue"][0] == {
        "severity": "error",
        "code": "not-supported",
        "details": {"text": reason},
    }


async def test_a_body_that_is_too_long_is_refused() -> None:
    clerk = Clerk()

    answer = await post(clerk, body=b" " * 1001)

    assert (answer.status, clerk.heard) == (413, [])
    assert '"too-long"' in answer.text


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (ResourceRefusedError(422, "structure", "resource_invalid", "DiagnosticReport"), 422, None),
        (ResourceRefusedError(400, "structure", "not_json"), 400, None),
        (RequestRefusedError(503, "transient", "disk_full"), 503, "5"),
    ],
)
async def test_a_refusal_is_an_outcome(
    error: ResourceRefusedError | RequestRefusedError, status: int, retry_after: str | None
) -> None:
    answer = await post(Clerk(error))

    [issue] = json.loads(answer.text)["issue"]
    assert answer.status == status
    assert answer.headers.get("Retry-After") == retry_after
    assert (issue["code"], issue["details"]["text"]) == (error.code, error.reason)
    assert issue.get("expression") == ([error.where] if error.where else None)


async def test_what_no_one_foresaw_shows_nothing() -> None:
    answer = await post(Clerk(RuntimeError("QUETZALCANARY")))

    assert (answer.status, "QUETZALCANARY" in answer.text) == (500, False)


async def test_an_update_names_its_report() -> None:
    clerk = Clerk()
    async with serving(app(clerk)) as url:
        new = await ask(f"{url}/fhir/DiagnosticReport/7", "PUT", b"{}", headers=FHIR)
        clerk.said = replace(NEW, is_known=True)
        known = await ask(f"{url}/fhir/DiagnosticReport/7", "PUT", b"{}", headers=FHIR)

    assert (new.status, known.status, clerk.heard[0].id) == (201, 200, "7")


@pytest.mark.parametrize("path", ["", "/", "/Bundle"])
async def test_a_collection_is_taken_at_the_base_and_as_a_bundle(path: str) -> None:
    clerk = Clerk(replace(NEW, bundle_type="collection"))

    answer = await post(clerk, path)

    assert (answer.status, clerk.heard[0].wanted) == (201, "Bundle")
    assert f"/fhir/Bundle/{'0' * 32}/" in answer.headers["Location"]


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_each_entry_of_a_transaction_is_answered_in_its_place(kind: str) -> None:
    entries = ("Patient", "DiagnosticReport", "DiagnosticReport")
    receipt = replace(NEW, bundle_type=kind, entries=entries)

    answer = await post(Clerk(receipt), "/")
    met = await post(Clerk(replace(receipt, is_condition_met=True)), "/")

    body = json.loads(answer.text)
    check_bundle(body)
    statuses = [entry["response"]["status"] for entry in body["entry"]]
    assert (answer.status, body["type"]) == (200, f"{kind}-response")
    assert statuses == ["202 Accepted", "201 Created", "201 Created"]
    assert len({entry["response"].get("location") for entry in body["entry"]}) == 3
    assert json.loads(met.text)["entry"][1]["response"]["status"] == "200 OK"


@pytest.mark.parametrize("path", ["/$process-message", "/"])
@pytest.mark.parametrize("release", [None, FhirRelease.R4, FhirRelease.R5])
async def test_a_message_is_answered_by_a_message(path: str, release: FhirRelease | None) -> None:
    event: dict[str, object] = {"eventUri": "urn:x:report"}
    receipt = replace(NEW, bundle_type="message", release=release, message_header=("m-1", event))
    clerk = Clerk(receipt)

    answer = await post(clerk, path)

    body = json.loads(answer.text)
    header = body["entry"][0]["resource"]
    is_r5 = release is FhirRelease.R5
    assert (answer.status, body["type"], header["eventUri"]) == (200, "message", "urn:x:report")
    assert header["response"]["code"] == "ok"
    assert header["response"]["identifier"] == ({"value": "m-1"} if is_r5 else "m-1")
    if not is_r5:
        check_bundle(body)


def check_bundle(bundle: dict[str, object]) -> None:
    """Have a Bundle judged by FHIR's own classes."""
    from fhir.resources.R4B.bundle import Bundle

    Bundle.model_validate(bundle)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/DiagnosticReport", 405),
        ("DELETE", "/DiagnosticReport/7", 405),
        ("GET", "/$process-message", 405),
        ("GET", "/QUETZALCANARY", 404),
        ("POST", "/QUETZALCANARY", 404),
    ],
)
async def test_what_is_not_served_is_an_outcome_as_well(
    method: str, path: str, status: int
) -> None:
    async with serving(app(Clerk())) as url:
        answer = await ask(f"{url}/fhir{path}", method)

    assert answer.status == status
    assert json.loads(answer.text)["resourceType"] == "OperationOutcome"
    assert "QUETZALCANARY" not in answer.text
