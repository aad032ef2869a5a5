"""The drafts' door as a viewer or a PACS uses it, over a real socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from interfaces.fhir_draft_routes import PAGES_MAX, SERVED, draft_routes
from interfaces.fhir_store import FhirStore
from tests.samples.fhir_drafts import STUDY, draft_of, key_of
from tests.unit.interfaces.drafts_client import DraftsClient
from tests.unit.interfaces.fhir_servers import serving
from tests.unit.interfaces.subscription_desk import MemoryDesk
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = datetime(2026, 3, 4, 12, tzinfo=UTC)
DRAFT = draft_of()
FORM = "application/x-www-form-urlencoded"
KEYS = [key_of(str(number)) for number in range(5)]


class Moments:
    """Each write is a second after the one before."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def store() -> FhirStore:
    opened = FhirStore(":memory:", now=Moments())
    for number, key in enumerate(KEYS):
        draft = draft_of(key=key)
        body = {**json.loads(draft.observation), "effectiveDateTime": f"2026-03-0{9 - number}"}
        opened.update(body, f"d{number}")
        opened.update(json.loads(draft.provenance), f"p{number}")
    return opened


@pytest.fixture
async def client(store: FhirStore) -> AsyncIterator[DraftsClient]:
    routes = draft_routes(store, MemoryDesk(), software_version="1.0", is_intake_open=False)
    app = Starlette(routes=[Mount("/fhir", routes=routes)])
    async with serving(app) as url, aiohttp.ClientSession() as session:
        yield DraftsClient(f"{url}/fhir", session)
    store.close()


async def test_a_draft_is_read_with_its_versions(client: DraftsClient, store: FhirStore) -> None:
    held = store.read("Observation", "d0")
    assert held is not None
    store.update({**json.loads(held.body), "valueString": "Two."}, "d0")

    status, document, headers = await client.send("GET", "/Observation/d0")
    _, older = await client.get("/Observation/d0/_history/1")
    assert (status, document["valueString"], headers["ETag"]) == (200, "Two.", 'W/"2"')
    assert headers["Last-Modified"] == "Wed, 04 Mar 2026 12:00:11 GMT"
    assert older["valueString"] == "No acute disease."
    assert (await client.get("/Observation/d9"))[0] == 404
    assert (await client.get("/Observation/d0/_history/9"))[0] == 404


async def test_what_a_reader_holds_already_is_not_sent_again(client: DraftsClient) -> None:
    _, _, headers = await client.send("GET", "/Observation/d0")

    for name, value in (
        ("If_None_Match", headers["ETag"]),
        ("If_Modified_Since", headers["Last-Modified"]),
    ):
        status, document, again = await client.send("GET", "/Observation/d0", **{name: value})
        assert (status, document, again["ETag"]) == (304, None, headers["ETag"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["d4", "d3", "d2", "d1", "d0"]),
        ("_id=d2", ["d2"]),
        (f"identifier={quote(f'urn:prelim:report-key|{KEYS[1]}')}", ["d1"]),
        ("status=preliminary&_count=2", ["d4", "d3", "d2", "d1", "d0"]),
        ("status=final", []),
        ("code=http://loinc.org|19005-8&date=2026-03-07", ["d2"]),
        ("category=imaging&date=ge2026-03-08&_sort=date", ["d1", "d0"]),
        ("patient.identifier=TEST-4711&_sort=-date&_count=2", ["d0", "d1", "d2", "d3", "d4"]),
        ("subject:identifier=TEST-4712", []),
        ("based-on:identifier=ACC-9&_count=3", ["d4", "d3", "d2", "d1", "d0"]),
        ("_lastUpdated=gt2026-03-04T12:00:05Z", ["d4", "d3"]),
    ],
)
async def test_drafts_are_found_as_a_viewer_asks_for_them(
    client: DraftsClient, query: str, expected: list[str]
) -> None:
    assert await client.found(query) == expected


async def test_the_pages_of_a_search_by_post_show_nothing_of_what_was_asked(
    client: DraftsClient,
) -> None:
    asked = urlencode([("patient.identifier", "TEST-4711"), ("_count", "2")])
    _, first, _ = await client.send("POST", "/Observation/_search", asked, Content_Type=FORM)
    links = {part["relation"]: part["url"] for part in first["link"]}
    _, second = await client.get(links["next"])
    third_link = next(part["url"] for part in second["link"] if part["relation"] == "next")
    _, third = await client.get(third_link)

    ids = [entry["resource"]["id"] for page in (first, second, third) for entry in page["entry"]]
    assert ids == ["d4", "d3", "d2", "d1", "d0"]
    assert links["self"] == f"{client.url}/Observation"
    assert "TEST-4711" not in json.dumps([page["link"] for page in (first, second, third)])


async def test_a_page_that_was_forgotten_is_gone(client: DraftsClient) -> None:
    assert PAGES_MAX >= 1000
    status, outcome = await client.get("/Observation?_page=unknown")

    assert (status, outcome["issue"][0]["details"]["text"]) == (410, "page_gone")


async def test_parts_of_drafts_are_given_to_who_wants_no_more(client: DraftsClient) -> None:
    _, counted = await client.get("/Observation?_summary=count")
    _, one = await client.get("/Observation/d0?_elements=valueString")
    _, page = await client.get("/Observation?_id=d0&_summary=true&_total=none")

    assert (counted["total"], "entry" in counted) == (5, False)
    assert set(one) == {"resourceType", "id", "meta", "status", "code", "valueString"}
    assert "note" not in page["entry"][0]["resource"]
    assert "total" not in page


async def test_an_unknown_parameter_is_refused_unless_the_client_is_lenient(
    client: DraftsClient,
) -> None:
    refused, outcome = await client.get("/Observation?colour=blue")
    taken, bundle = await client.get("/Observation?colour=blue&_id=d0", Prefer="handling=lenient")

    assert (refused, outcome["issue"][0]["code"]) == (400, "not-supported")
    assert taken == 200
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]
    assert "colour" not in json.dumps(bundle)


@pytest.mark.parametrize("kind", SERVED)
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/d0"), ("POST", ""), ("DELETE", "/d0"), ("PATCH", "/d0"), ("GET", "/_search")],
)
async def test_nothing_can_be_written_through_this_door(
    client: DraftsClient, store: FhirStore, kind: str, method: str, path: str
) -> None:
    status, outcome, headers = await client.send(method, f"/{kind}{path}", {"resourceType": kind})

    assert (status, outcome["issue"][0]["code"]) == (405, "not-supported")
    assert headers["Allow"] in {"GET", "POST"}
    assert store.search("Observation", []).total == 5


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (("GET", "/Observation", None, {"Accept": "text/html"}), 406, "format_not_supported"),
        (("GET", "/Observation?_format=xml", None, {}), 406, "format_not_supported"),
        (("GET", "/Observation?_summary=most", None, {}), 400, "search_value_invalid"),
        (("GET", "/Observation?_cursor=x", None, {}), 400, "search_value_invalid"),
        (
            ("POST", "/Observation/_search", "{}", {"Content-Type": "text/json"}),
            415,
            "content_type",
        ),
        (("POST", "/Observation/_search", b"\xff", {"Content-Type": FORM}), 400, "body_not_utf_8"),
        (("GET", f"/Observation/d0/_history/{10**30}", None, {}), 404, "resource_not_found"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_an_outcome(
    client: DraftsClient, request_: tuple[str, str, Any, dict[str, str]], status: int, reason: str
) -> None:
    method, path, body, headers = request_
    answered, outcome, _ = await client.send(method, path, body, **headers)

    assert (answered, outcome["issue"][0]["details"]["text"]) == (status, reason)


EXAMPLES = {"token": "x", "reference": "Patient/7", "date": "2026-03-04", "uri": "https://x/"}
ID_OF = {"Observation": "d0", "Provenance": "p0"}


async def test_each_thing_that_the_capability_statement_says_is_true(
    client: DraftsClient, store: FhirStore
) -> None:
    store.update({"resourceType": "Device"}, "v0")
    store.update({"resourceType": "Task", "status": "requested", "intent": "order"}, "t0")
    _, made, _ = await client.send("POST", "/Subscription", subscription_resource())
    id_of = {**ID_OF, "Device": "v0", "Task": "t0", "Subscription": made["id"]}
    status, statement = await client.get("/metadata")
    assert status == 200

    for resource in statement["rest"][0]["resource"]:
        kind = resource["type"]
        for parameter in resource["searchParam"]:
            query = urlencode([(parameter["name"], EXAMPLES[parameter["type"]])])
            assert (await client.get(f"/{kind}?{query}"))[0] == 200, query
        for operation in resource.get("operation", ()):
            assert (await client.get(f"/{kind}/{id_of[kind]}/${operation['name']}"))[0] == 200
        written = subscription_resource(id=id_of[kind])
        tried = {
            "read": ("GET", f"/{kind}/{id_of[kind]}", None, 200),
            "vread": ("GET", f"/{kind}/{id_of[kind]}/_history/1", None, 200),
            "search-type": ("GET", f"/{kind}", None, 200),
            "create": ("POST", f"/{kind}", subscription_resource(), 201),
            "update": ("PUT", f"/{kind}/{id_of[kind]}", written, 200),
            "delete": ("DELETE", f"/{kind}/{id_of[kind]}", None, 204),
        }
        said = {each["code"] for each in resource["interaction"]}
        for code in sorted(said - {"delete"}) + sorted(said & {"delete"}):
            method, path, body, expected = tried[code]
            assert (await client.send(method, path, body))[0] == expected, (kind, code)


async def test_what_describes_a_study_is_found_by_its_uid(client: DraftsClient) -> None:
    uid = quote(f"urn:dicom:uid|urn:oid:{STUDY.study_instance_uid}")

    assert len(await client.found(f"part-of:identifier={uid}")) == 5
