"""Invariants that the table of broken variants has no row for."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.fhir_invariants import broken_invariant

ENTRY = {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Observation"}}


def bundle(kind: str, *entries: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (bundle("searchset", {**ENTRY, "search": {"mode": "match"}}, total=1), None),
        (bundle("history", {**ENTRY, "request": {}, "response": {}}), None),
        (bundle("history", {**ENTRY, "request": {}}), ("bdl-4", "Bundle.entry[0].response")),
        (bundle("batch-response", {"response": {}}), None),
        (bundle("collection", {"fullUrl": "urn:uuid:1"}), ("bdl-5", "Bundle.entry[0]")),
        (bundle("document", ENTRY), ("bdl-9", "Bundle.identifier")),
        (
            bundle("document", ENTRY, identifier={"system": "a", "value": "b"}),
            ("bdl-10", "Bundle.timestamp"),
        ),
        (
            bundle("document", ENTRY, identifier={"system": "a", "value": "b"}, timestamp="x"),
            ("bdl-11", "Bundle.entry[0]"),
        ),
        (bundle("message", ENTRY), ("bdl-12", "Bundle.entry[0]")),
        (bundle("message", {"resource": {"resourceType": "MessageHeader"}}), None),
        ({"resourceType": "Task", "authoredOn": "2026", "lastModified": "2026-03"}, None),
        (
            {"resourceType": "Task", "authoredOn": "2026-04", "lastModified": "2026-03-31"},
            ("inv-1", "Task.lastModified"),
        ),
        ({"resourceType": "Task", "authoredOn": "2026-04"}, None),
        ({"resourceType": "Provenance"}, None),
    ],
)
def test_an_invariant_is_kept_or_named(
    resource: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert broken_invariant(resource) == expected


def test_versions_of_one_resource_share_a_name_in_a_history_alone() -> None:
    one = {**ENTRY, "resource": {"resourceType": "Observation", "meta": {"versionId": "1"}}}
    two = {**ENTRY, "resource": {"resourceType": "Observation", "meta": {"versionId": "2"}}}

    assert broken_invariant(bundle("collection", one, two)) is None
    assert broken_invariant(bundle("collection", one, one)) == ("bdl-7", "Bundle.entry")


def test_a_contained_resource_has_nothing_contained() -> None:
    held = {"resourceType": "Device", "id": "d", "contained": []}
    owner = {"resourceType": "Task", "contained": [held], "focus": {"reference": "#d"}}

    assert broken_invariant(owner) == ("dom-2", "Task.contained[0]")
