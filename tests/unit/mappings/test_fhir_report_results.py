"""Observations of a report: what each text means, whose it is, and what did not come along."""

from __future__ import annotations

import base64

import pytest

from mappings.fhir_context import Context
from mappings.fhir_json import Coding
from mappings.fhir_report_results import (
    MEMBERS_DEPTH_MAX,
    find_section,
    is_machine_draft,
    read_results,
    read_stray_impressions,
)
from mappings.sections import CodedText

AI = {
    "security": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "AIAST"}
    ]
}
OURS = [{"system": "urn:prelim:report-version", "value": "r-1"}]


def observation(code: str, **more: object) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        **more,
    }


def report(*results: dict[str, object], **more: object) -> dict[str, object]:
    contained = [one | {"id": f"o{index}"} for index, one in enumerate(results)]
    return {
        "resourceType": "DiagnosticReport",
        "code": {"coding": [{"code": "36643-5"}]},
        "contained": contained,
        "result": [{"reference": f"#{one['id']}"} for one in contained],
        **more,
    }


def texts(*results: dict[str, object], **more: object) -> list[tuple[str | None, str]]:
    root = report(*results, **more)
    return [one[:2] for one in read_results(root, Context(root), {}).texts]


@pytest.mark.parametrize(
    ("code", "section"),
    [
        ("59776-5", "findings"),
        ("18782-3", "findings"),
        ("36535-7", "findings"),
        ("121071", "findings"),
        ("19005-8", "impression"),
        ("121073", "impression"),
        ("18783-1", "recommendation"),
        ("11329-0", "indication"),
        ("GDT", "body"),
        ("36643-5", "body"),
    ],
)
def test_the_code_says_what_a_text_means(code: str, section: str) -> None:
    assert texts(observation(code, valueString="Clear.")) == [(section, "Clear.")]


def test_a_site_s_own_codes_win() -> None:
    assert find_section([Coding("", "59776-5", "")], {"59776-5": "impression"}) == "impression"
    assert find_section([Coding("", "x", "IMPRESSION")], {}) == "impression"
    assert find_section([Coding("", "x", "y")], {}) is None


def test_a_text_under_an_unknown_code_has_its_name_for_a_heading() -> None:
    named = observation("x", valueString="Normal.") | {"code": {"text": "Radiology \n impression"}}

    assert texts(named) == [(None, "Radiology impression:\nNormal.")]


def test_the_letters_of_a_text_are_kept() -> None:
    assert texts(observation("59776-5", valueString=" A\n\n  B ")) == [("findings", " A\n\n  B ")]


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": {"value": 7}},
        {"valueInteger": 7},
        {"valueCodeableConcept": {"coding": [{"code": "7", "display": "Absent"}]}},
        {"valueString": "  "},
        {"valueString": 7},
        {"dataAbsentReason": {"text": "asked-unknown"}},
    ],
)
def test_a_number_or_a_code_is_never_findings(value: dict[str, object]) -> None:
    assert texts(observation("59776-5", **value)) == []


def test_a_coded_impression_is_an_impression() -> None:
    concept = {"coding": [{"code": "7", "display": "Pneumonia"}]}

    assert texts(observation("19005-8", valueCodeableConcept=concept)) == [
        ("impression", "Pneumonia")
    ]
    assert texts(observation("59776-5", valueCodeableConcept={"text": "Clear."})) == [
        ("findings", "Clear.")
    ]


def test_a_value_that_is_a_document_is_read_or_named() -> None:
    plain = {"contentType": "text/plain", "data": base64.b64encode(b"Clear.").decode()}
    pdf = {"contentType": "application/pdf", "data": base64.b64encode(b"%PDF").decode()}
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
    backported = {"extension": [{"url": url, "valueAttachment": pdf}]}
    root = report(
        observation("59776-5", valueAttachment=plain), observation("19005-8", **backported)
    )

    read = read_results(root, Context(root), {})

    assert read.texts == [CodedText("findings", "Clear.", 0)]
    assert (read.documents, read.has_unread_impression) == (["pdf"], True)


def test_the_narrative_stands_in_for_a_value_that_is_not_there() -> None:
    text = {"status": "generated", "div": "<div><p>Clear.</p></div>"}

    assert texts(observation("59776-5", text=text)) == [("findings", "Clear.")]
    assert texts(observation("59776-5", text=text, valueString="Dense.")) == [
        ("findings", "Dense.")
    ]


def test_components_and_members_are_read_once_each_in_order() -> None:
    component = {"code": {"coding": [{"code": "19005-8"}]}, "valueString": "Normal."}
    panel = observation(
        "x", component=[component], hasMember=[{"reference": "#o1"}, {"reference": "#o0"}]
    )

    assert texts(panel, observation("59776-5", valueString="Clear.")) == [
        ("impression", "Normal."),
        ("findings", "Clear."),
    ]


def test_members_are_followed_to_a_depth() -> None:
    chain = [observation("x", hasMember=[{"reference": f"#o{n + 1}"}]) for n in range(20)]
    root = report(*chain, observation("59776-5", valueString="Clear."))
    root["result"], contained = [{"reference": "#o0"}], root["contained"]
    context = Context({"resourceType": "Bundle", "entry": [{"resource": root}]})

    assert isinstance(contained, list)
    assert len(contained) > MEMBERS_DEPTH_MAX
    assert read_results(root, context, {}).is_whole


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_a_withdrawn_observation_is_not_read(status: str) -> None:
    assert texts(observation("19005-8", valueString="Normal.", status=status)) == []


@pytest.mark.parametrize("mark", [{"meta": AI}, {"identifier": OURS}])
@pytest.mark.parametrize("status", ["preliminary", "registered"])
def test_a_machine_s_draft_is_no_person_s_impression(mark: dict[str, object], status: str) -> None:
    draft = observation("19005-8", valueString="Nodule.", **mark) | {"status": status}

    assert is_machine_draft(draft)
    assert texts(draft) == []


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "unknown"])
def test_a_draft_that_a_person_signed_is_a_person_s_impression(status: str) -> None:
    signed = observation("19005-8", valueString="Nodule.", meta=AI, identifier=OURS)

    assert texts(signed | {"status": status}) == [("impression", "Nodule.")]


def test_an_impression_without_a_machine_s_mark_is_a_person_s_even_preliminary() -> None:
    written = observation("19005-8", valueString="Nodule.", status="preliminary")

    assert texts(written) == [("impression", "Nodule.")]


@pytest.mark.parametrize(
    ("reference", "is_whole"),
    [
        ("Observation/7", False),
        ("http://x.example/Observation/7", False),
        ("#gone", False),
        ("Observation/prelim-" + "0" * 48, True),
        ("http://x.example/fhir/Observation/prelim-" + "a" * 48 + "/_history/2", True),
        ("Observation/prelim-7", False),
    ],
)
def test_a_result_that_did_not_come_along_is_told_unless_it_is_our_own_draft(
    reference: str,
    is_whole: bool,  # noqa: FBT001 - a column of the table
) -> None:
    root = report(result=[{"reference": reference}])

    assert read_results(root, Context(root), {}).is_whole is is_whole


def test_a_contained_observation_needs_no_reference() -> None:
    assert texts(observation("59776-5", valueString="Clear."), result=[]) == [
        ("findings", "Clear.")
    ]


def test_an_impression_of_the_bundle_is_heeded_without_a_reference() -> None:
    root = report()
    stray = [
        observation("19005-8", valueString="Normal."),
        observation("59776-5", valueString="Old."),
    ]
    entries = [{"resource": one} for one in (root, *stray)]
    one, two = (
        Context({"resourceType": "Bundle", "entry": each})
        for each in (entries, [*entries, {"resource": report()}])
    )

    assert [text.text for text in read_stray_impressions(root, one, {})] == ["Normal."]
    assert read_stray_impressions(root, two, {}) == []
