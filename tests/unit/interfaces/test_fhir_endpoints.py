"""What our FHIR endpoints share: conditions, formats, and errors as outcomes."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import (
    allow,
    answer_error,
    answering,
    asked_version,
    check_format,
    is_unchanged,
    stored_headers,
)
from interfaces.fhir_store import Stored

STORED = Stored("Observation", "x", 3, "2026-03-04T12:00:00.500Z", b"{}")


def request_with(method: str = "GET", **headers: str) -> Request:
    named = [
        (name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()
    ]
    return Request({"type": "http", "method": method, "headers": named})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"If_None_Match": 'W/"3"'}, True),
        ({"If_None_Match": '"2", "3"'}, True),
        ({"If_None_Match": 'W/"2"'}, False),
        ({"If_None_Match": "three"}, False),
        ({"If_Modified_Since": "Wed, 04 Mar 2026 12:00:00 GMT"}, True),
        ({"If_Modified_Since": "Wed, 04 Mar 2026 12:00:01 GMT"}, True),
        ({"If_Modified_Since": "Wed, 04 Mar 2026 11:59:59 GMT"}, False),
        ({"If_Modified_Since": "Wed, 04 Mar 2026 11:59:59 -0000"}, False),
        ({"If_Modified_Since": "yesterday"}, False),
        (
            {"If_None_Match": 'W/"2"', "If_Modified_Since": "Wed, 04 Mar 2026 12:00:00 GMT"},
            False,
        ),
    ],
)
def test_a_client_that_holds_this_version_is_known(
    headers: dict[str, str], *, expected: bool
) -> None:
    assert is_unchanged(STORED, request_with(**headers)) is expected


def test_a_version_is_told_apart_by_number_and_time() -> None:
    assert stored_headers(STORED) == {
        "ETag": 'W/"3"',
        "Last-Modified": "Wed, 04 Mar 2026 12:00:00 GMT",
    }
    assert asked_version(' W/"3" ') == 3
    assert asked_version(None) is None
    with pytest.raises(RequestRefusedError):
        asked_version("*")


@pytest.mark.parametrize(
    ("query", "accept", "is_taken"),
    [
        ([], None, True),
        ([], "application/fhir+json", True),
        ([], "text/html, */*;q=0.1", True),
        ([], "application/fhir+xml", False),
        ([("_format", "json")], "application/fhir+xml", True),
        ([("_format", "application/fhir json")], None, True),
        ([("_format", "xml")], None, False),
    ],
)
def test_only_json_is_spoken(
    query: list[tuple[str, str]], accept: str | None, *, is_taken: bool
) -> None:
    request = request_with(**({} if accept is None else {"Accept": accept}))
    if is_taken:
        check_format(request, query)
        return
    with pytest.raises(RequestRefusedError) as refused:
        check_format(request, query)
    assert refused.value.status == 406


async def test_an_endpoint_among_others_answers_its_own_errors() -> None:
    async def endpoint(request: Request) -> None:
        allow(request, "GET", "POST")

    answer = await answering(endpoint)(request_with("DELETE"))  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert json.loads(bytes(answer.body))["issue"][0]["code"] == "not-supported"
    await endpoint(request_with("HEAD"))
    with pytest.raises(KeyError):
        await answer_error(request_with(), KeyError("x"))
