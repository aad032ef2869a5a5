"""DiagnosticReport to StudyReport: the shapes of the profiles that are met, letter by letter."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Findings, Identifier, ReportStatus, Skip, Standard, StudyReport
from mappings.errors import PrelimError
from mappings.fhir_in_header import judge_header, peek_resource
from mappings.fhir_judge import judge_resource
from mappings.fhir_report import blank_fhir_report, parse_fhir
from mappings.message_plan import plan_whole
from mappings.report_key import report_key
from mappings.sites import Site, SiteSet

SHAPES = Path(__file__).parents[2] / "vectors/fhir/reports"
V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
NODULE = "Nodule of 6 mm in the right upper lobe.\nNo effusion."
LINES = (
    "LINES AND TUBES: None.\n\n\nStreaky opacity at the left base.\nNo pneumothorax & no effusion."
)
KNOT = "右肺上葉に径8mmの結節を認める。\n胸水はない。"
FEET = "Linker Fuß:\n  Plantarfaszie verdickt.\nRechter Fuß:\n  Plantarfaszie regelrecht."
CLEAR = "The lungs are clear.\nSupport lines: none."
WRIST = "There is a displaced fracture of the distal radius. The carpal alignment is normal."

EXPECTED: dict[str, tuple[str | None, str | None, str | None]] = {
    # file: reason to be left alone, findings, impression
    "r4_specification": ("impression_present", None, "No bleed. No mass."),
    "ihe_imr": (None, NODULE, None),
    "ihe_imr_with_impression": ("impression_present", NODULE, "Solitary pulmonary nodule."),
    "us_core": (None, LINES, None),
    "us_core_with_impression": ("impression_present", LINES, "Left basal atelectasis."),
    "us_core_pdf_only": ("document_not_read", None, None),
    "jp_core": (None, KNOT, None),
    "jp_core_text_only": (None, KNOT.replace("\n", "\n\n"), None),
    "jp_core_with_conclusion": ("impression_present", KNOT, "肺癌の疑い。"),
    "eu_imaging": (None, FEET, None),
    "eu_imaging_with_conclusion": ("impression_present", FEET, "Plantarfasziitis links."),
    "ihe_idr": (None, CLEAR, None),
    "ihe_idr_with_conclusion": ("impression_present", CLEAR, "No active disease."),
    "uk_core": (None, WRIST, None),
    "mii_results_elsewhere": ("results_unresolved", None, None),
    "laboratory": ("not_radiology", None, None),
}


def shape(name: str) -> bytes:
    return (SHAPES / f"{name}.json").read_bytes()


def read(payload: bytes | dict[str, object], *sites: Site, door: str = "") -> StudyReport:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    [study] = parse_fhir(raw, SiteSet(sites), door).reports
    return study


def report(**elements: object) -> dict[str, object]:
    return {"resourceType": "DiagnosticReport", "code": {"text": "CT chest"}, **elements}


def identifier(kind: str, value: str) -> dict[str, object]:
    return {"type": {"coding": [{"system": V2, "code": kind}]}, "system": "urn:x", "value": value}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_profile_s_shape_gives_its_findings_letter_by_letter_or_the_right_reason(
    name: str,
) -> None:
    reason, findings, impression = EXPECTED[name]

    [(study, decision)] = plan_whole(shape(name), SiteSet(), "http", Standard.FHIR).reports

    assert study.sections.findings == findings
    assert study.sections.impression == impression
    assert (decision.reason if isinstance(decision, Skip) else None) == reason
    assert isinstance(decision, Skip) or decision.text == findings


def test_each_shape_has_its_expectation_and_is_valid() -> None:
    assert {path.stem for path in SHAPES.glob("*.json")} == set(EXPECTED)
    for name in EXPECTED:
        header = peek_resource(shape(name))
        judge_header(header)
        judge_resource(header)


def test_what_came_with_a_report_is_read_with_it() -> None:
    study = read(shape("ihe_imr"))

    assert study.patient == Identifier("MRN-2", "urn:oid:2.999.1")
    assert study.accession_number == Identifier("ACC-2", "urn:oid:2.999.3")
    assert study.placer_order_number == Identifier("ORD-2", "urn:oid:2.999.2")
    assert study.filler_order_number == Identifier("FIL-2", "urn:oid:2.999.4")
    assert study.study_instance_uid == "2.999.5.7"
    assert study.report_status is ReportStatus.PRELIMINARY
    assert study.observed_at == "2026-03-04T23:50:50-05:00"
    assert study.reported_at == "2026-03-04T23:55:50-05:00"
    assert (study.sending_application, study.sending_facility) == (None, "DEMOHOSP")
    assert (study.message_type, study.codec) == ("Bundle/collection", "utf-8")
    assert study.standard is Standard.FHIR


def test_several_reports_of_a_bundle_are_several_reports_of_one_message() -> None:
    first = report(identifier=[identifier("FILL", "1")], status="final")
    second = report(identifier=[identifier("FILL", "2")], status="preliminary")
    entries = [{"resource": first}, {"resource": {"resourceType": "Patient"}}, {"resource": second}]
    payload = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()

    plan = plan_whole(payload, SiteSet(), "http", Standard.FHIR)

    assert [one.study.group for one in plan.reports] == [0, 1]
    assert len({one.key for one in plan.reports}) == 2


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status.value, status) for status in ReportStatus),
        ("appended", ReportStatus.AMENDED),
        ("modified", ReportStatus.PRELIMINARY),
        ("unknown", None),
    ],
)
def test_the_status_is_read(status: str, expected: ReportStatus | None) -> None:
    assert read(report(status=status)).report_status is expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"effectiveDateTime": "2026-03-04"}, "2026-03-04"),
        ({"effectivePeriod": {"start": "2026-03-04T10:00:00Z"}}, "2026-03-04T10:00:00Z"),
        ({}, None),
    ],
)
def test_when_it_was_seen_is_the_moment_or_the_start(
    elements: dict[str, object], expected: str | None
) -> None:
    assert read(report(**elements)).observed_at == expected


@pytest.mark.parametrize(
    ("numbers", "filler"),
    [
        ([identifier("FILL", "F"), {"value": "own"}], "F"),
        ([{"value": "own"}], "own"),
        ([{"use": "old", "value": "past"}, {"value": "own"}], "own"),
        ([identifier("ACSN", "A"), {"value": "own"}], "own"),
        ([identifier("PLAC", "P")], None),
        ([{"system": "urn:x"}], None),
        ([], None),
    ],
)
def test_a_report_s_own_number_stands_in_for_the_filler_order_number(
    numbers: list[dict[str, object]], filler: str | None
) -> None:
    found = read(report(identifier=numbers)).filler_order_number

    assert (found.value if found else None) == filler


def test_an_accession_number_with_an_exam_code_needs_no_stand_in() -> None:
    coded = {"coding": [{"code": "CTCHEST"}]}

    study = read(report(identifier=[identifier("ACSN", "A"), {"value": "own"}], code=coded))

    assert (study.accession_number, study.filler_order_number) == (Identifier("A", "urn:x"), None)
    assert report_key(study) is not None


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ([{"reference": "#p"}], Identifier("R7", "urn:x")),
        (
            [{"display": "a reader"}, {"type": "Practitioner", "identifier": {"value": "R8"}}],
            Identifier("R8"),
        ),
        ([{"type": "Organization", "identifier": {"value": "O1"}}], None),
        ([{"display": "a reader"}], None),
        ([], None),
    ],
)
def test_who_reads_the_images_is_known_by_a_practitioners_number(
    references: list[dict[str, object]], expected: Identifier | None
) -> None:
    reader = {"resourceType": "Practitioner", "id": "p", "identifier": [identifier("PRN", "R7")]}

    study = read(report(resultsInterpreter=references, contained=[reader]))

    assert study.results_interpreter == expected


def test_the_accession_number_may_stand_at_the_order_or_the_images() -> None:
    logical = {"identifier": identifier("ACSN", "A-1")}

    assert read(report(basedOn=[logical])).accession_number == Identifier("A-1", "urn:x")
    assert read(report(imagingStudy=[logical])).accession_number == Identifier("A-1", "urn:x")


@pytest.mark.parametrize(
    ("subject", "patient"),
    [
        ({"identifier": {"system": "urn:x", "value": "7"}}, Identifier("7", "urn:x")),
        ({"reference": "Patient/7"}, Identifier("Patient/7")),
        ({"reference": "http://a.example/Patient/7"}, Identifier("http://a.example/Patient/7")),
        ({"reference": "#p"}, Identifier("M", "urn:x")),
        ({"reference": "urn:uuid:1"}, None),
        ({"reference": "Group/7"}, None),
        ({}, None),
    ],
)
def test_the_patient_is_a_number_else_the_reference_as_it_is(
    subject: dict[str, object], patient: Identifier | None
) -> None:
    numbers = [{"system": "urn:other", "value": "O"}, identifier("MR", "M")]
    contained = [{"resourceType": "Patient", "id": "p", "identifier": numbers}]

    assert read(report(subject=subject, contained=contained)).patient == patient


def test_a_site_may_name_the_system_of_its_patient_numbers() -> None:
    numbers = [identifier("MR", "M"), {"system": "urn:nat", "value": "N"}]
    contained = [{"resourceType": "Patient", "id": "p", "identifier": numbers}]
    payload = report(subject={"reference": "#p"}, contained=contained)

    site = Site("s", patient_authority="urn:nat")

    assert read(payload, site).patient == Identifier("N", "urn:nat")
    assert read(payload, replace(site, patient_authority="urn:none")).patient == Identifier(
        "M", "urn:x"
    )


@pytest.mark.parametrize(
    ("language", "expected"), [("de-DE", "de"), ("ja", "ja"), ("", "fr"), ("?", "fr")]
)
def test_the_report_s_own_language_comes_before_its_site_s(language: str, expected: str) -> None:
    assert read(report(language=language), Site("s", language="fr")).language == expected


def test_a_site_is_chosen_by_source_organization_and_door() -> None:
    payload = report(
        meta={"source": "http://ris.a.example"},
        performer=[{"type": "Organization", "display": "A"}],
    )
    wanted = Site(
        "a", applications=("http://ris.a.*",), facilities=("A",), listeners=("http",), order=1
    )

    assert read(payload, wanted, door="http").site == "a"
    assert read(payload, wanted, door="other").site == "default"
    assert read(report(), wanted, door="http").site == "default"


ORU = (
    "MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|X|20260304100000||ORU^R01|M-1|P|2.5.1\r"
    "PID|1||MRN-2\r"
    "OBR|1|ORD-2|FIL-2|CTCHEST^CT CHEST^L|||20260304093000||||||||||||||||||F\r"
    "OBX|1|TX|59776-5^Findings^LN||The lungs are clear. No effusion.||||||F\r"
)


@pytest.mark.parametrize("site", [Site("hospital", time_zone=ZoneInfo("UTC")), None])
def test_a_report_that_comes_by_both_doors_is_one_report(site: Site | None) -> None:
    sites = SiteSet((site,) if site else ())
    resource = report(
        identifier=[identifier("PLAC", "ORD-2"), identifier("FILL", "FIL-2")],
        code={"coding": [{"system": "urn:local", "code": "CTCHEST"}]},
        performer=[{"type": "Organization", "identifier": {"value": "DEMOHOSP"}}],
        status="final",
        presentedForm=[{"contentType": "text/plain", "data": "VGhlIGx1bmdzIGFyZSBjbGVhci4="}],
    )

    [over_mllp] = plan_whole(ORU.encode(), sites, "default").reports
    [over_http] = plan_whole(json.dumps(resource).encode(), sites, "http", Standard.FHIR).reports

    assert isinstance(over_http.decision, Findings)
    assert over_mllp.key is not None
    assert over_mllp.key == over_http.key


def test_without_a_filler_order_number_accession_and_exam_make_the_same_key() -> None:
    oru = ORU.replace("|FIL-2|", "||").replace(
        "|" * 18 + "F\r", "|" * 11 + "ACC-2" + "|" * 7 + "F\r", 1
    )
    resource = report(
        identifier=[identifier("ACSN", "ACC-2")],
        code={"coding": [{"code": "CTCHEST"}]},
        performer=[{"type": "Organization", "display": "DEMOHOSP"}],
    )

    [over_mllp] = plan_whole(oru.encode(), SiteSet()).reports

    assert over_mllp.study.accession_number == Identifier("ACC-2")
    assert over_mllp.key == report_key(read(resource))


JUNK = st.one_of(
    st.sampled_from([None, True, 7, "", " ", "#", "#fd", [], {}, [[]], [{}], [None], "<a <a"]),
    st.sampled_from([{"reference": "#"}, {"reference": "Observation/f-1"}, {"coding": "x"}]),
)


def places(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs: list[tuple[str | int, object]] = []
    if isinstance(node, dict):
        pairs = list(node.items())
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    return [found for key, one in pairs for found in ((*path, key), *places(one, (*path, key)))]


@given(st.data())
def test_any_json_is_read_or_refused_by_our_own_error(data: st.DataObject) -> None:
    resource = json.loads(shape(data.draw(st.sampled_from(sorted(EXPECTED)))))
    for _ in range(data.draw(st.integers(1, 4))):
        *outer, last = data.draw(st.sampled_from(places(resource) or [("x",)]))
        node = resource
        for key in outer:
            node = node[key]
        node[last] = deepcopy(data.draw(JUNK))

    with suppress(PrelimError):
        plan_whole(json.dumps(resource).encode(), SiteSet(), "http", Standard.FHIR)


def test_what_a_bundle_holds_costs_time_in_proportion_to_it() -> None:
    def seconds(count: int) -> float:
        text = [observation(n) for n in range(count)]
        results = [{"reference": f"Observation/o{n}"} for n in range(count)]
        entries = [{"resource": one} for one in (*text, report(result=results, contained=text))]
        payload = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
        started_s = time.process_time()
        plan_whole(payload, SiteSet(), "http", Standard.FHIR)
        return time.process_time() - started_s

    seconds(100)

    assert seconds(4000) < 20 * seconds(500)


def observation(number: int) -> dict[str, object]:
    code = {"coding": [{"code": "59776-5"}]}
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "code": code,
        "valueString": "Clear.",
        "hasMember": [{"identifier": {"value": str(number)}}],
    }


def test_a_resource_without_a_report_stands_as_one_that_is_ignored() -> None:
    payload = b'{"resourceType": "Patient", "meta": {"source": "urn:x"}}'
    result = parse_fhir(payload, SiteSet())

    [(study, decision)] = plan_whole(payload, SiteSet(), "t", Standard.FHIR).reports

    assert study == blank_fhir_report(result)
    assert study.sending_application == "urn:x"
    assert isinstance(decision, Skip)
    assert decision.reason == "message_type_ignored"


def test_our_own_draft_that_comes_back_as_a_result_is_no_human_impression() -> None:
    bundle = json.loads(shape("ihe_imr_with_impression"))
    draft = bundle["entry"][2]["resource"]
    draft["status"] = "preliminary"
    draft["identifier"] = [{"system": "urn:prelim:report-version", "value": "r-1"}]

    [(_, decision)] = plan_whole(json.dumps(bundle).encode(), SiteSet(), "", Standard.FHIR).reports
    draft["status"] = "final"
    [(_, signed)] = plan_whole(json.dumps(bundle).encode(), SiteSet(), "", Standard.FHIR).reports

    assert isinstance(decision, Findings)
    assert isinstance(signed, Skip)
    assert signed.reason == "impression_present"
