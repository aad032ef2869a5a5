"""Where the texts of a report are looked for, in which order, and what is never findings."""

from __future__ import annotations

import base64

import pytest

from mappings.fhir_context import Context
from mappings.fhir_report_texts import FhirNarrative, read_report_texts
from mappings.sites import DEFAULT_SITE

BACKPORT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport."
COMPOSITION = {
    "resourceType": "Composition",
    "id": "c",
    "section": [
        {
            "title": "Report",
            "section": [
                {"code": {"coding": [{"code": "59776-5"}]}, "text": {"div": "<div>Dense.</div>"}},
                {"title": "Beurteilung", "text": {"div": "<div>Tumor.</div>"}},
            ],
        }
    ],
}


def form(media: str, text: str) -> dict[str, object]:
    return {"contentType": media, "data": base64.b64encode(text.encode()).decode()}


def div(text: str, status: str = "additional") -> dict[str, object]:
    return {"status": status, "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def observation(code: str, text: str) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"code": code}]},
        "valueString": text,
    }


def read(*others: dict[str, object], **elements: object) -> FhirNarrative:
    report = {"resourceType": "DiagnosticReport", **elements}
    entries = [{"resource": one} for one in (report, *others)]
    return read_report_texts(
        report, Context({"resourceType": "Bundle", "entry": entries}), DEFAULT_SITE
    )


def test_findings_come_from_the_first_place_that_has_them() -> None:
    places: dict[str, object] = {
        "contained": [observation("18782-3", "In a result.")],
        "extension": [
            {"url": f"{BACKPORT}composition", "valueReference": {"reference": "Composition/c"}}
        ],
        "note": [
            {
                "extension": [
                    {"url": "x/annotationType", "valueCodeableConcept": {"text": "FINDINGS"}}
                ],
                "text": "In a note.",
            }
        ],
        "presentedForm": [
            form("text/html", "<p>In the HTML.</p>"),
            form("text/plain", "In the text."),
        ],
        "text": div("In the narrative."),
    }
    expected = ["In a result.", "Dense.", "In a note.", "In the text.", "In the narrative."]

    found = []
    for name in list(places):
        composed = [COMPOSITION] if "extension" in places else []
        found.append(read(*composed, **places).sections.findings)
        del places[name]

    assert found == expected


def test_an_impression_is_heeded_wherever_it_stands() -> None:
    findings = {"contained": [observation("18782-3", "Clear.")]}
    places: list[dict[str, object]] = [
        {"contained": [observation("18782-3", "Clear."), observation("19005-8", "Normal.")]},
        {"presentedForm": [form("text/plain", "Impression:\nNormal.")]},
        {"text": div("<h2>Impression</h2>Normal.")},
        {"text": div("<h2>Impression</h2>Normal.", "generated")},
        {"note": [{"text": "Impression: Normal."}]},
        {"conclusion": "Normal."},
        {"conclusionCode": [{"text": "Normal."}]},
        {"conclusionCode": [{"coding": [{"code": "1", "display": "Normal."}]}]},
        {
            "extension": [
                {"url": "x/impression", "valueReference": {"reference": "Observation/i"}},
            ]
        },
    ]
    impression = observation("x", "Normal.") | {"id": "i"}

    for place in places:
        narrative = read(impression, **(findings | place))
        assert (narrative.sections.findings, narrative.sections.impression) == ("Clear.", "Normal.")


def test_a_conclusion_is_never_findings() -> None:
    long = "The lungs are clear. There is no effusion. The heart is normal."

    assert read(conclusion=long).sections.findings is None


def test_a_blank_conclusion_is_none() -> None:
    assert read(conclusion="  ", conclusionCode=[{}]).sections.impression is None


def test_an_impression_by_reference_that_is_not_here_is_unread() -> None:
    extension = [{"url": "x/Impression", "valueReference": {"reference": "Condition/9"}}]

    narrative = read(extension=extension, text=div("The lungs are clear. No effusion."))

    assert narrative.has_unread_impression


def test_a_note_without_a_type_is_never_findings() -> None:
    assert read(note=[{"text": "Findings: Dense."}]).sections.findings is None


@pytest.mark.parametrize(
    ("status", "text", "findings"),
    [
        ("additional", "The lungs are clear. No effusion.", "The lungs are clear. No effusion."),
        ("generated", "Report of Demo Anna, issued on 4 March 2026 by the department.", None),
        ("extensions", "Report of Demo Anna, issued on 4 March 2026 by the department.", None),
        ("generated", "<h3>Findings</h3>The lungs are clear.", "The lungs are clear."),
        ("empty", "<h3>Findings</h3>The lungs are clear.", None),
    ],
)
def test_a_generated_narrative_is_believed_under_headings_only(
    status: str, text: str, findings: str | None
) -> None:
    assert read(text=div(text, status)).sections.findings == findings


def test_a_rendition_that_is_read_speaks_for_those_that_are_not() -> None:
    pdf = form("application/pdf", "%PDF")

    both = read(presentedForm=[pdf, form("text/plain", "The lungs are clear. No effusion.")])
    alone = read(presentedForm=[pdf])
    beside = read(presentedForm=[pdf], contained=[observation("18782-3", "Clear.")])

    assert (both.documents, both.has_unread_impression) == ((), False)
    assert (alone.documents, alone.has_unread_impression) == (("pdf",), True)
    assert (beside.documents, beside.has_unread_impression) == (("pdf",), False)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"text": div("The lungs are clear. No effusion.")}, True),
        ({"presentedForm": [form("application/pdf", "%PDF")]}, True),
        ({"presentedForm": [form("text/plain", "The lungs are clear.")]}, False),
    ],
)
def test_a_result_that_is_elsewhere_matters_unless_the_whole_report_is_here(
    more: dict[str, object],
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    narrative = read(result=[{"reference": "Observation/9"}], **more)

    assert narrative.has_unresolved_results is expected


def test_a_composition_s_sections_are_read_by_code_or_title() -> None:
    sections = read(COMPOSITION).sections

    assert (sections.findings, sections.impression) == ("Dense.", "Tumor.")


def test_a_composition_of_two_reports_is_read_for_the_one_that_names_it() -> None:
    other = {"resourceType": "DiagnosticReport"}

    assert read(COMPOSITION, other).sections.findings is None
    assert (
        read(COMPOSITION, other, composition={"reference": "Composition/c"}).sections.findings
        == "Dense."
    )


def test_sections_within_themselves_end() -> None:
    section: dict[str, object] = {"code": {"coding": [{"code": "59776-5"}]}, "text": {"div": "A."}}
    for _ in range(50):
        section = {"section": [section]}
    composition = {"resourceType": "Composition", "section": [section]}

    assert read(composition).sections.findings is None
