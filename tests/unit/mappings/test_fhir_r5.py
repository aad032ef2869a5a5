"""R5 from R4: what is named otherwise there, and that nothing else changes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from mappings.fhir_elements import FhirOptions
from mappings.fhir_r5 import in_version
from tests.samples.fhir_drafts import draft_of
from tests.unit.mappings.fhir_variants import KINDS, sample


def as_r5(kind: str) -> dict[str, Any]:
    return in_version(sample(kind), "R5")


@pytest.mark.parametrize("kind", KINDS)
def test_r4_and_r4b_stay_as_they_are_and_the_input_always_does(kind: str) -> None:
    resource = sample(kind)
    before = copy.deepcopy(resource)

    assert in_version(resource, "R4") == in_version(resource, "R4B") == resource
    in_version(resource, "R5")
    assert resource == before


@pytest.mark.parametrize("kind", ["Observation", "Device", "Provenance", "Task"])
def test_a_draft_in_r5_is_the_one_of_r4_turned(kind: str) -> None:
    turned, built = as_r5(kind), sample(kind, "R5")

    # A Provenance is named after the bytes of its Observation, which have the contained Device.
    for each in (turned, built):
        if kind == "Provenance":
            del each["id"], each["meta"]
    assert turned == built


def test_names_of_a_device_have_values_and_the_model_is_a_number() -> None:
    device = as_r5("Device")

    assert device["name"] == [{"value": "prelim impression drafter", "type": "user-friendly-name"}]
    assert device["modelNumber"] == "SmolLM2-135M-Instruct + demo"
    assert device["type"] == [{"text": "Artificial intelligence: language model"}]
    assert "deviceName" not in device


def test_a_contained_device_is_turned_with_what_holds_it() -> None:
    for kind in ("Observation", "Provenance"):
        assert "name" in as_r5(kind)["contained"][0]


def test_a_provenances_reason_is_an_authorization() -> None:
    provenance = as_r5("Provenance")

    assert provenance["authorization"][0]["concept"]["coding"][0]["code"] == "AIAST"
    assert "reason" not in provenance


def test_a_tasks_kind_of_performer_is_a_requested_one() -> None:
    assert as_r5("Task")["requestedPerformer"] == [{"concept": {"text": "Radiologist"}}]


def test_an_audit_events_type_is_a_category_and_its_interaction_a_code() -> None:
    event = as_r5("AuditEvent")

    assert event["category"][0]["coding"][0]["code"] == "rest"
    assert event["code"]["coding"][0]["code"] == "create"
    assert event["outcome"]["code"]["code"] == "0"
    assert not {"type", "subtype"} & set(event)


def test_a_bundles_entries_are_turned() -> None:
    kinds = {entry["resource"]["resourceType"]: entry for entry in as_r5("Bundle")["entry"]}

    assert "modelNumber" in kinds["Device"]["resource"]


def test_what_prelim_says_to_a_reader_is_the_same_in_both() -> None:
    four, five = (
        json.loads(draft_of(options=FhirOptions(version=version)).observation)
        for version in ("R4", "R5")
    )

    del four["contained"], five["contained"]
    assert four == five
