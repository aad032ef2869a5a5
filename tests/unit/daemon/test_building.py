"""The settings choose what is built; the builder adds who we are and which report it was."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from daemon.building import fhir_options, make_builder
from daemon.config_fhir import Fhir
from daemon.journal import PendingReport
from daemon.lifecycle import State
from mappings.domain import MessageId, ReportId
from mappings.fhir_elements import FhirOptions
from tests.samples.fhir_drafts import DRAFTED_AT, STUDY, impression_of, key_of

REPORT = PendingReport(
    ReportId("r1"), MessageId("m1"), key_of(), State.MAPPED, 0, STUDY, observation=None
)


def test_nothing_chosen_is_the_options_as_they_are() -> None:
    assert fhir_options(Fhir()) == FhirOptions()


def test_each_choice_reaches_what_is_built() -> None:
    chosen = Fhir(
        base_url="https://fhir.example/r5",
        version="R5",
        device="resource",
        task=True,
        identifier_system="urn:oid:1.2.3",
        identifier_systems={"RIS": "urn:oid:1.2.9"},
        patient_reference="literal",
        ai_security_code="DEVAST",
    )

    draft = make_builder(chosen)(REPORT, impression_of(), DRAFTED_AT)

    observation = json.loads(draft.observation)
    assert [each.resource_type for each in draft.companions] == ["Device", "Task"]
    assert "modelNumber" in json.loads(draft.companions[0].body)
    assert draft.identifier_system == "urn:oid:1.2.3"
    assert observation["meta"]["security"][0]["code"] == "DEVAST"
    assert observation["identifier"][1]["value"] == "r1"
    assert observation["subject"]["reference"] == "Patient/TEST-4711"
    assert observation["basedOn"][1]["identifier"]["system"] == "urn:oid:1.2.9"


@pytest.mark.parametrize(
    "wrong", [{"version": "R5"}, {"version": "R5", "base_url": "https://a.b", "transparency": True}]
)
def test_what_only_r4_has_is_not_chosen_with_r5(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="R4"):
        Fhir.model_validate(wrong)


def test_the_guide_is_followed_where_it_is_asked_for() -> None:
    draft = make_builder(Fhir(transparency=True))(REPORT, impression_of(), DRAFTED_AT)

    assert "aitransparency" in draft.provenance.decode()
