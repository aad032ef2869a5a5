"""AI Transparency on FHIR: only where it is asked for, and only what holds."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import pytest

from mappings.fhir_elements import FhirOptions
from mappings.fhir_transparency import AI_DEVICE, AI_KIND, AI_PROVENANCE
from tests.samples.fhir_drafts import ENGINE, draft_of

GUIDED = FhirOptions(is_transparent=True)


def device_of(engine: str = "transformers") -> dict[str, Any]:
    changed = dataclasses.replace(ENGINE, engine=engine)  # type: ignore[arg-type]
    return json.loads(draft_of(options=GUIDED, engine=changed).observation)["contained"][0]


def test_nothing_of_the_guide_stands_there_unless_it_is_asked_for() -> None:
    draft = draft_of()

    assert b"aitransparency" not in draft.observation + draft.provenance


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("transformers", "Large-Language-Models"),
        ("openai", "Large-Language-Models"),
        ("extractive", "Rule-Based-Systems"),
    ],
)
def test_the_device_is_an_ai_device_of_its_kind(engine: str, kind: str) -> None:
    device = device_of(engine)

    assert device["meta"]["profile"] == [AI_DEVICE]
    assert device["type"]["coding"][0]["code"] == "Artificial-Intelligence"
    assert device["type"]["text"]
    assert device["extension"][0]["url"] == AI_KIND
    assert device["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == kind


def test_a_device_of_its_own_keeps_both_its_profile_and_its_tag() -> None:
    options = dataclasses.replace(GUIDED, device="resource")
    device = json.loads(draft_of(options=options).companions[0].body)

    assert device["meta"]["profile"] == [AI_DEVICE]
    assert device["meta"]["tag"][0]["code"] == device["id"]
    plain = draft_of(options=FhirOptions(device="resource")).companions[0]
    assert plain.id != device["id"]


@pytest.mark.parametrize(("label", "profiles"), [("AIAST", [AI_PROVENANCE]), ("DEVAST", None)])
def test_the_provenance_claims_its_profile_only_with_the_reason_that_it_demands(
    label: Literal["AIAST", "DEVAST"], profiles: list[str] | None
) -> None:
    options = dataclasses.replace(GUIDED, ai_security_code=label)
    provenance = json.loads(draft_of(options=options).provenance)

    author, assembler = provenance["agent"]
    assert provenance["meta"].get("profile") == profiles
    assert provenance["meta"]["tag"][0]["code"] == provenance["id"]
    assert author["role"][0]["coding"][0]["code"] == "Artificial-Intelligence"
    assert "role" not in assembler
