"""The Device: what wrote a draft, where it stands, and that the same machine is the same one."""

from __future__ import annotations

import dataclasses
import json
from itertools import product
from typing import Any, Literal

import pytest

from mappings.fhir_device import (
    NOT_FOR_CLINICAL_USE,
    build_device,
    describe_machine,
    device_reference,
)
from mappings.fhir_elements import FhirOptions
from tests.samples.fhir_drafts import ENGINE, draft_of

APART = FhirOptions(device="resource")


def device_apart(**changes: object) -> dict[str, Any]:
    return build_device(dataclasses.replace(ENGINE, **changes), "0.1.0", APART)


def test_it_is_contained_in_what_it_wrote_unless_the_site_may_write_devices() -> None:
    draft = draft_of()

    assert draft.companions == ()
    assert json.loads(draft.observation)["contained"][0]["id"] == "drafter"
    assert json.loads(draft.provenance)["contained"][0]["id"] == "drafter"


def test_a_device_of_its_own_is_referred_to_and_found_by_its_identifier_or_tag() -> None:
    draft = draft_of(options=APART)

    (companion,) = draft.companions
    device, observation = json.loads(companion.body), json.loads(draft.observation)
    assert (companion.resource_type, companion.id) == ("Device", device["id"])
    assert observation["device"] == {"reference": f"Device/{companion.id}", "type": "Device"}
    assert json.loads(draft.provenance)["agent"][0]["who"] == observation["device"]
    assert "contained" not in observation
    assert device["identifier"][0]["value"] == device["meta"]["tag"][0]["code"] == companion.id


def test_the_same_machine_is_the_same_device_and_a_new_adapter_is_another() -> None:
    first, again = draft_of("One.", options=APART), draft_of("Two.", options=APART)

    assert first.companions == again.companions
    assert device_apart()["id"] == first.companions[0].id
    ids = {device_apart(**{name: "x"})["id"] for name in ("adapter_digest", "template_version")}
    assert len(ids | {first.companions[0].id}) == 3
    assert build_device(ENGINE, "0.2.0", APART)["id"] != first.companions[0].id


def test_a_redraft_is_told_by_its_number_and_a_first_draft_as_it_always_was() -> None:
    first, later = device_apart(), device_apart(redraft=2)

    assert later["version"] == [*first["version"], {"type": {"text": "redraft"}, "value": "2"}]
    provenance = json.loads(draft_of(engine=dataclasses.replace(ENGINE, redraft=2)).provenance)
    assert provenance["contained"][0]["version"][-1]["value"] == "2"


def test_a_demo_engine_and_one_without_a_model_say_so() -> None:
    demo = device_apart()
    real = device_apart(
        engine="extractive", base=None, base_digest=None, adapter=None, dtype=None, is_demo=False
    )

    assert demo["note"][0]["text"] == NOT_FOR_CLINICAL_USE
    assert "note" not in real
    assert "no model" in real["type"]["text"]
    assert real["deviceName"][1]["name"] == "extractive"


@pytest.mark.parametrize(
    ("version", "place"), list(product(["R4", "R4B", "R5"], ["contained", "resource"]))
)
def test_the_machine_is_read_back_from_every_shape(
    version: Literal["R4", "R4B", "R5"], place: Literal["contained", "resource"]
) -> None:
    draft = draft_of(options=FhirOptions(version=version, device=place))

    machine = describe_machine(draft)

    assert machine.kind == "Artificial intelligence: language model"
    assert machine.model_name == "SmolLM2-135M-Instruct + demo"
    assert machine.versions[0] == ("0.1.0", "prelim")
    assert len(machine.versions) == 6


def test_a_reference_says_where_the_device_stands() -> None:
    assert device_reference({"id": "d"}, APART)["reference"] == "Device/d"
    assert device_reference({"id": "d"}, FhirOptions())["reference"] == "#d"
