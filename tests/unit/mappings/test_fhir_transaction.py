"""The transaction: its entries and their order, their names, and what each asks of the server."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from mappings.fhir_elements import FhirOptions
from mappings.fhir_transaction import Replaced, build_transaction
from tests.samples.fhir_drafts import draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import DraftObservation
    from mappings.fhir_elements import FhirVersion

FULL = FhirOptions(device="resource", has_task=True)


def entries_of(bundle: bytes) -> dict[str, dict[str, Any]]:
    document = json.loads(bundle)
    assert (document["resourceType"], document["type"]) == ("Bundle", "transaction")
    return {entry["resource"]["resourceType"]: entry for entry in document["entry"]}


def references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        yield from [value["reference"]] if isinstance(value.get("reference"), str) else []
        for item in value.values():
            yield from references(item)


def full_draft(text: str = "No acute disease.") -> DraftObservation:
    return draft_of(text, options=FULL)


def test_what_is_referred_to_comes_before_what_refers() -> None:
    entries = entries_of(build_transaction(full_draft()))

    assert list(entries) == ["Device", "Observation", "Provenance", "Task"]


def test_references_between_entries_are_their_names() -> None:
    entries = entries_of(build_transaction(full_draft()))
    names = {kind: entry["fullUrl"] for kind, entry in entries.items()}

    assert len(set(names.values())) == 4
    assert all(name.startswith("urn:uuid:") for name in names.values())
    assert entries["Observation"]["resource"]["device"]["reference"] == names["Device"]
    assert entries["Provenance"]["resource"]["target"][0]["reference"] == names["Observation"]
    assert entries["Task"]["resource"]["focus"]["reference"] == names["Observation"]
    found = {url for entry in entries.values() for url in references(entry["resource"])}
    assert found == {names["Device"], names["Observation"]}


def test_a_contained_device_stays_where_it_is() -> None:
    entries = entries_of(build_transaction(draft_of()))

    assert list(entries) == ["Observation", "Provenance"]
    assert entries["Observation"]["resource"]["device"]["reference"] == "#drafter"


def test_each_is_made_once_and_the_server_chooses_its_id() -> None:
    draft = full_draft()
    entries = entries_of(build_transaction(draft))

    for kind, entry in entries.items():
        assert (entry["request"]["method"], entry["request"]["url"]) == ("POST", kind)
        assert "id" not in entry["resource"]
    wanted = {kind: entry["request"]["ifNoneExist"] for kind, entry in entries.items()}
    assert wanted["Observation"] == f"identifier=urn%3Aprelim%3Areport-key%7C{key_of()}"
    assert wanted["Provenance"] == f"_tag=urn%3Aprelim%3Aprovenance%7C{draft.provenance_id}"
    assert wanted["Device"].startswith("_tag=urn%3Aprelim%3Acompanion%7Cprelim-")


def test_an_update_names_the_version_that_it_replaces() -> None:
    bundle = build_transaction(full_draft(), replaces=Replaced("77", "3"))
    entries = entries_of(bundle)

    assert entries["Observation"]["resource"]["id"] == "77"
    assert entries["Observation"]["request"] == {
        "method": "PUT",
        "url": "Observation/77",
        "ifMatch": 'W/"3"',
    }
    assert entries["Task"]["request"]["method"] == "POST"


@pytest.mark.parametrize(("version", "has_task"), list(product(["R4", "R4B", "R5"], [True, False])))
def test_the_same_draft_gives_the_same_bytes(version: FhirVersion, *, has_task: bool) -> None:
    options = FhirOptions(version=version, device="resource", has_task=has_task)
    bundles = {build_transaction(draft_of(options=options), version=version) for _ in range(3)}

    assert len(bundles) == 1
    assert build_transaction(draft_of("Other.", options=options), version=version) not in bundles
