"""What a server says that it can, and the way to write that is safe with it."""

from __future__ import annotations

from typing import Any

import pytest

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_capability import Capability, ask_what_it_can, read_capability
from interfaces.fhir_http import FhirHttp
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving, serving_store

ABLE = {"versioning": "versioned-update", "updateCreate": True, "conditionalCreate": True}


def statement(
    *interactions: str, kinds: tuple[str, ...] = ("Observation", "Provenance"), **can: object
) -> dict[str, Any]:
    """A CapabilityStatement of a server that can all but what is said otherwise."""
    resources = [{"type": kind, **ABLE, **can} for kind in kinds]
    codes = [{"code": code} for code in interactions]
    return {
        "resourceType": "CapabilityStatement",
        "rest": [
            {"mode": "client"},
            {"mode": "server", "resource": resources, "interaction": codes},
        ],
    }


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        (statement("transaction"), "put"),
        (statement(versioning="versioned"), "put"),
        (statement("transaction", updateCreate=False), "transaction"),
        (statement("batch", updateCreate=False), "conditional-create"),
        (statement("transaction", updateCreate=False, conditionalCreate=False), None),
        (statement("transaction", versioning="no-version"), None),
        (statement(kinds=("Observation",)), None),
        (statement(updateCreate="true", conditionalCreate=1), None),
        ({}, None),
        ({"rest": [3, {"mode": "server", "resource": {}, "interaction": None}]}, None),
        (statement(versioning={}), None),
        (
            {
                "rest": [
                    {"mode": "server", "resource": [{"type": []}], "interaction": [{"code": []}]}
                ]
            },
            None,
        ),
    ],
)
def test_the_safest_way_that_the_server_names_is_taken(
    said: dict[str, Any], mode: str | None
) -> None:
    assert read_capability(said).safest_write == mode


async def test_the_embedded_store_takes_our_ids() -> None:
    async with serving_store() as (url, _), FhirHttp(url, timeout_s=5) as http:
        capability = await ask_what_it_can(http)

    assert capability == Capability(
        has_versions=True, takes_our_ids=True, creates_conditionally=True, has_transactions=False
    )


async def test_a_page_that_is_no_statement_is_asked_for_again() -> None:
    server = ScriptedServer(Answer(200, b"<html>"))
    async with serving(server.app) as url, FhirHttp(url, timeout_s=5) as http:
        with pytest.raises(PostRetryError) as raised:
            await ask_what_it_can(http)

    assert (raised.value.reason, raised.value.where) == ("reply_unreadable", "CapabilityStatement")


async def test_a_server_without_a_statement_is_told_so() -> None:
    server = ScriptedServer(Answer(404))
    async with serving(server.app) as url, FhirHttp(url, timeout_s=5) as http:
        with pytest.raises(PostRefusedError) as raised:
            await ask_what_it_can(http)

    assert raised.value.reason == "http_404"
