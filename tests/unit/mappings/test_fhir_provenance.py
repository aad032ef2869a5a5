"""The Provenance of a draft: its sources, its author and its identity."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from mappings.domain import Standard
from mappings.fhir_provenance import PROVENANCE_TAG_SYSTEM
from tests.samples.fhir_drafts import STUDY, draft_of, key_of, study_without

if TYPE_CHECKING:
    from mappings.domain import DraftObservation


def provenance_of(draft: DraftObservation) -> dict[str, Any]:
    return json.loads(draft.provenance)


def sources_of(draft: DraftObservation) -> list[tuple[str, str]]:
    entities = provenance_of(draft)["entity"]
    return [(part["what"]["type"], part["what"]["identifier"]["value"]) for part in entities]


def test_it_ties_the_observation_to_the_machine_and_the_moment() -> None:
    draft = draft_of()
    provenance = provenance_of(draft)

    assert provenance["target"][0]["reference"] == f"Observation/{draft.observation_id}"
    assert provenance["recorded"] == "2026-03-04T10:11:12Z"
    kinds = [agent["type"]["coding"][0]["code"] for agent in provenance["agent"]]
    assert kinds == ["author", "assembler"]
    assert provenance["agent"][0]["who"] == {"reference": "#drafter", "type": "Device"}
    assert provenance["reason"][0]["coding"][0]["code"] == "AIAST"
    assert provenance["contained"] == json.loads(draft.observation)["contained"]


def test_it_names_the_report_version_the_report_and_the_message_as_sources() -> None:
    draft = draft_of(report_version="final/7")

    assert sources_of(draft) == [
        ("DiagnosticReport", "final/7"),
        ("DiagnosticReport", "FILL-8"),
        ("DiagnosticReport", "ACC-9"),
        ("MessageHeader", "MSG00042"),
    ]
    assert {part["role"] for part in provenance_of(draft)["entity"]} == {"source"}


@pytest.mark.parametrize(
    ("standard", "activity"),
    [(Standard.HL7V2, "v2-fhir-transformation"), (Standard.FHIR, "CREATE")],
)
def test_what_was_done_is_a_transformation_of_an_hl7_v2_message_or_a_creation(
    standard: Standard, activity: str
) -> None:
    provenance = provenance_of(draft_of(study=dataclasses.replace(STUDY, standard=standard)))

    assert provenance["activity"]["coding"][0]["code"] == activity
    kinds = {part["what"]["type"] for part in provenance["entity"]}
    assert ("MessageHeader" in kinds) is (standard is Standard.HL7V2)


def test_a_report_without_numbers_still_has_its_version_as_source() -> None:
    bare = dataclasses.replace(
        study_without("filler_order_number", "accession_number"), standard=Standard.FHIR
    )

    assert sources_of(draft_of(study=bare, report_version="final/7")) == [
        ("DiagnosticReport", "final/7")
    ]


def test_its_id_names_one_very_draft_and_stands_in_a_searchable_tag() -> None:
    first, again, redrafted = draft_of("One."), draft_of("One."), draft_of("Two.")
    other = draft_of("One.", key=key_of("other"))

    assert first.provenance_id == again.provenance_id
    assert len({first.provenance_id, redrafted.provenance_id, other.provenance_id}) == 3
    assert provenance_of(first)["meta"]["tag"] == [
        {"system": PROVENANCE_TAG_SYSTEM, "code": first.provenance_id}
    ]


def test_no_findings_text_leaks_into_it() -> None:
    assert STUDY.sections.findings is not None
    assert STUDY.sections.findings not in draft_of().provenance.decode()
