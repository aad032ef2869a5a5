"""The Observation of a draft: what it says, whose it is, and that it stays valid."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.domain import (
    Exam,
    Identifier,
    LinkedExam,
    ReportKey,
    Standard,
    StudyReport,
)
from mappings.errors import GuardViolationError
from mappings.fhir_device import NOT_FOR_CLINICAL_USE
from mappings.fhir_elements import FhirOptions
from mappings.fhir_observation import REDRAFTED, fhir_date_time
from mappings.fhir_transaction import build_transaction
from tests.samples.fhir_drafts import (
    DRAFTED_AT,
    ENGINE,
    STUDY,
    audit_event_of,
    draft_of,
    key_of,
    study_without,
)
from tests.unit.mappings.fhir_variants import refused_by_fhirkit, refused_by_schema

if TYPE_CHECKING:
    from mappings.domain import DraftObservation


def observation_of(draft: DraftObservation) -> dict[str, Any]:
    return json.loads(draft.observation)


def test_the_observation_is_a_preliminary_imaging_impression() -> None:
    observation = observation_of(draft_of("Small left effusion."))

    assert observation["status"] == "preliminary"
    assert observation["category"][0]["coding"][0]["code"] == "imaging"
    assert observation["code"]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "19005-8",
        "display": "Radiology Imaging study [Impression] (narrative)",
    }
    assert observation["valueString"] == "Small left effusion."
    assert observation["effectiveDateTime"] == "2026-03-04T09:30:00+01:00"
    assert observation["issued"] == "2026-03-04T10:11:12Z"
    assert observation["language"] == "en"
    assert "focus" not in observation
    assert "performer" not in observation


def test_the_same_input_gives_the_same_bytes() -> None:
    in_zurich = DRAFTED_AT.astimezone(timezone(timedelta(hours=1)))

    assert draft_of() == draft_of()
    assert draft_of(drafted_at=in_zurich) == draft_of()


def test_the_identity_comes_from_the_report_key_alone() -> None:
    first = draft_of("First text.", report_version="preliminary/1")
    corrected = draft_of(
        "Second text.",
        study=study_without("patient", "accession_number"),
        report_version="corrected/2",
        drafted_at=DRAFTED_AT + timedelta(days=1),
        engine=dataclasses.replace(ENGINE, adapter="other", is_demo=False),
    )
    other = draft_of("First text.", key=key_of("other report"))

    assert corrected.observation_id == first.observation_id
    assert corrected.identifier_value == first.identifier_value == key_of()
    assert observation_of(first)["id"] == first.observation_id
    assert len(first.observation_id) <= 64
    assert other.observation_id != first.observation_id


def test_the_versions_of_report_and_machine_stand_inside() -> None:
    observation = observation_of(draft_of(report_version="final/2026"))

    device = observation["contained"][0]
    versions = {part["type"]["text"]: part["value"] for part in device["version"]}
    assert observation["device"] == {"reference": "#drafter", "type": "Device"}
    assert versions == {
        "prelim": "0.1.0",
        "engine": "5.23.0",
        "model": "sha256:0a1b",
        "adapter": "sha256:2c3d",
        "prompt template": "impression/1",
        "number format": "float32",
    }
    assert device["deviceName"][1]["name"] == "SmolLM2-135M-Instruct + demo"
    assert observation["identifier"][1]["value"] == "final/2026"


def test_the_draft_says_that_a_machine_wrote_it_and_a_radiologist_must_review() -> None:
    observation = observation_of(draft_of())

    assert observation["meta"]["security"][0]["code"] == "AIAST"
    assert "radiologist must review" in observation["note"][0]["text"]


def test_a_site_chooses_label_identifier_and_note() -> None:
    options = FhirOptions(
        identifier_system="urn:oid:1.2.3",
        identifier_systems={"RIS": "http://ris.example/accession"},
        ai_security_code="DEVAST",
        note="Nur ein Entwurf.",
    )
    draft = draft_of(options=options)

    observation = observation_of(draft)
    accession = observation["basedOn"][1]["identifier"]
    assert observation["meta"]["security"][0]["code"] == "DEVAST"
    assert observation["identifier"][0]["system"] == draft.identifier_system == "urn:oid:1.2.3"
    assert observation["note"][0]["text"] == "Nur ein Entwurf."
    assert accession["system"] == "http://ris.example/accession"


def test_a_demo_engine_is_labelled_in_note_and_device() -> None:
    demo = observation_of(draft_of())
    real = observation_of(draft_of(engine=dataclasses.replace(ENGINE, is_demo=False)))

    assert demo["note"][1]["text"] == NOT_FOR_CLINICAL_USE
    assert demo["contained"][0]["note"][0]["text"] == NOT_FOR_CLINICAL_USE
    assert NOT_FOR_CLINICAL_USE not in json.dumps(real)


def test_a_redraft_asks_its_reader_for_particular_care() -> None:
    first = observation_of(draft_of())
    later = observation_of(draft_of(engine=dataclasses.replace(ENGINE, redraft=2)))

    assert later["note"] == [*first["note"], {"text": REDRAFTED}]


def test_patient_and_orders_are_logical_references_with_their_types() -> None:
    observation = observation_of(draft_of())

    kinds = [
        (order["type"], order["identifier"]["type"]["coding"][0]["code"])
        for order in observation["basedOn"]
    ]
    assert kinds == [
        ("ServiceRequest", "PLAC"),
        ("ServiceRequest", "ACSN"),
        ("ServiceRequest", "FILL"),
    ]
    assert observation["subject"]["identifier"]["value"] == "TEST-4711"
    assert observation["subject"]["identifier"]["system"] == "urn:oid:1.2.826.0.1.3680043.9.1"
    assert observation["basedOn"][1]["identifier"]["assigner"] == {"display": "RIS"}
    assert observation["partOf"][0]["identifier"]["value"] == "urn:oid:1.2.840.113619.2.1"


def test_every_exam_that_the_report_speaks_for_is_among_its_orders_once() -> None:
    linked = (
        LinkedExam(1, Identifier("ACC-10", "RIS"), Identifier("FILL-8", "urn:oid:1.2.3.4"), EXAM),
        LinkedExam(2, Identifier("ACC-11", "RIS"), None, EXAM),
        LinkedExam(3, STUDY.accession_number, None, EXAM),
    )
    observation = observation_of(draft_of(study=dataclasses.replace(STUDY, linked_exams=linked)))

    numbers = [order["identifier"]["value"] for order in observation["basedOn"]]
    assert numbers == ["PLAC-7", "ACC-9", "ACC-10", "ACC-11", "FILL-8"]


def test_a_literal_patient_reference_is_used_only_where_the_value_can_be_an_id() -> None:
    options = FhirOptions(patient_reference="literal")
    spaced = dataclasses.replace(STUDY, patient=Identifier("47 11"))

    literal = observation_of(draft_of(options=options))
    logical = observation_of(draft_of(options=options, study=spaced))

    assert literal["subject"] == {"reference": "Patient/TEST-4711", "type": "Patient"}
    for reference in ("Patient/7", "https://fhir.example/r4/Patient/7"):
        referred = dataclasses.replace(STUDY, patient=Identifier(reference))
        subject = observation_of(draft_of(options=options, study=referred))["subject"]
        assert subject == {"reference": reference, "type": "Patient"}
    assert logical["subject"]["identifier"]["value"] == "47 11"


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("2026", "2026"),
        ("2026-03", "2026-03"),
        ("2026-03-04", "2026-03-04"),
        ("2026-03-04T09:30:00+01:00", "2026-03-04T09:30:00+01:00"),
        ("2026-03-04T09:30+01:00", "2026-03-04T09:30:00+01:00"),
        ("2026-03-04T09:30:00.250Z", "2026-03-04T09:30:00Z"),
        ("2026-03-04T09:30:00", "2026-03-04"),
        ("2026-13", None),
        ("2026-02-30", None),
        ("0000", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_without_an_offset_keeps_its_date_only(
    given_value: str | None, expected: str | None
) -> None:
    assert fhir_date_time(given_value) == expected


def test_text_that_r4_cannot_hold_is_cleaned_and_none_is_refused() -> None:
    cleaned = observation_of(draft_of("  Clear\xa0lungs.\n\nNo\x0beffu\x00sion. \x00"))

    assert cleaned["valueString"] == "Clear lungs.\n\nNo effusion."
    with pytest.raises(GuardViolationError) as refused:
        draft_of(" \n ")
    assert refused.value.reason == "structure"


def test_a_report_key_that_cannot_be_an_id_is_refused() -> None:
    with pytest.raises(GuardViolationError) as refused:
        draft_of(key=ReportKey("north/FILL 8"))

    assert refused.value.reason == "structure"
    assert "FILL" not in str(refused.value)


IDENTIFIERS = st.none() | st.builds(
    Identifier,
    st.text(max_size=20),
    st.none() | st.text(max_size=20) | st.sampled_from(["1.2.3", "A&1.2.3&ISO", "urn:oid:1.2"]),
)
EXAM = Exam()
EXAMS = st.just(EXAM)
TIMES = st.none() | st.sampled_from(["2026", "2026-03-04", "2026-03-04T09:30:00+05:45", "x"])


@settings(max_examples=60)
@given(
    study=st.builds(
        StudyReport,
        standard=st.sampled_from(Standard),
        group=st.just(0),
        site=st.text(max_size=5),
        language=st.sampled_from(["en", "de-CH", "zh-Hans", "", "not a language", "en\n"]),
        message_control_id=st.text(max_size=20),
        message_type=st.just("ORU^R01"),
        sending_application=st.none() | st.text(max_size=5),
        sending_facility=st.none() | st.text(max_size=5),
        patient=IDENTIFIERS,
        accession_number=IDENTIFIERS,
        placer_order_number=IDENTIFIERS,
        filler_order_number=IDENTIFIERS,
        study_instance_uid=st.none() | st.text(max_size=20) | st.just("1.2.840.1"),
        exam=st.just(STUDY.exam),
        report_status=st.none(),
        observed_at=TIMES,
        reported_at=TIMES,
        sections=st.just(STUDY.sections),
        results_interpreter=IDENTIFIERS,
        linked_exams=st.tuples(st.builds(LinkedExam, st.just(1), IDENTIFIERS, IDENTIFIERS, EXAMS)),
    ),
    options=st.builds(
        FhirOptions,
        version=st.sampled_from(["R4", "R4B", "R5"]),
        device=st.sampled_from(["contained", "resource"]),
        has_task=st.booleans(),
        patient_reference=st.sampled_from(["logical", "literal"]),
    ),
    text=st.text(min_size=1).map(lambda text: "Clear. " + text),
)
def test_whatever_a_report_lacks_the_resources_stay_valid(
    study: StudyReport, options: FhirOptions, text: str
) -> None:
    draft = draft_of(text, study=study, options=options)

    audit = audit_event_of(draft, options=options)
    transaction = build_transaction(draft, version=options.version)
    companions = [each.body for each in (*draft.companions, audit)]
    for body in (draft.observation, draft.provenance, *companions, transaction):
        resource = json.loads(body)
        assert not refused_by_schema(resource, options.version)
        assert options.version == "R5" or not refused_by_fhirkit(resource)
