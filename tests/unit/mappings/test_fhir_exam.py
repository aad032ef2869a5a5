"""Which exam a report is about, and whether it is radiology at all."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Laterality, Modality, Region
from mappings.exam_codes import ExamEntry
from mappings.fhir_context import Context
from mappings.fhir_exam import is_radiology, read_exam_context, read_fhir_exam
from mappings.sites import DEFAULT_SITE, Site

V2 = "http://terminology.hl7.org/CodeSystem/v2-0074"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
DCM = "http://dicom.nema.org/resources/ontology/DCM"


def concept(system: str, code: str, display: str = "") -> dict[str, object]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def judge(
    *others: dict[str, object], site: Site = DEFAULT_SITE, **elements: object
) -> tuple[bool, Exam]:
    report = {"resourceType": "DiagnosticReport", **elements}
    entries = [{"resource": one} for one in (report, *others)]
    found = read_exam_context(report, Context({"resourceType": "Bundle", "entry": entries}))
    exam = read_fhir_exam(report, found, None, site)
    return is_radiology(report, found, exam), exam


@pytest.mark.parametrize(
    "category",
    [
        *(
            concept(V2, code)
            for code in [
                "RAD",
                "RX",
                "CT",
                "NMR",
                "NMS",
                "RUS",
                "CUS",
                "OUS",
                "VUS",
                "XRC",
                "CTH",
                "RT",
            ]
        ),
        concept("http://hl7.org/fhir/v2/0074", "RAD"),
        concept("", "RAD"),
        concept(LOINC, "LP29684-5"),
        concept(SNOMED, "394914008"),
        concept(SNOMED, "4201000179104"),
        concept(SNOMED, "722124004"),
        concept(DCM, "CT"),
        concept(DCM, "XA"),
        {"coding": [{"system": "urn:x", "code": "1"}, {"system": V2, "code": "RAD"}]},
    ],
)
def test_radiology_is_known_by_its_category(category: dict[str, object]) -> None:
    assert judge(category=[category], code={"text": "x"})[0]


@pytest.mark.parametrize(
    "category",
    [
        concept(V2, "LAB"),
        concept(V2, "HM"),
        concept(LOINC, "LP29693-6"),
        concept(SNOMED, "15220000"),
    ],
)
def test_another_department_s_report_is_none_whatever_its_exam(category: dict[str, object]) -> None:
    assert not judge(category=[category], code={"text": "CT guided biopsy"})[0]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"code": {"text": "CT of chest"}}, True),
        ({"code": {"text": "Blood count"}}, False),
        ({"code": concept(LOINC, "18748-4")}, True),
        ({"imagingStudy": [{"reference": "ImagingStudy/9"}]}, True),
        ({"study": [{"reference": "ImagingStudy/9"}]}, True),
        ({"category": [concept("urn:x", "RAD")], "code": {"text": "Blood count"}}, False),
        ({"category": [concept(DCM, "SR")], "code": {"text": "x"}}, False),
        ({}, False),
    ],
)
def test_without_a_known_category_the_exam_decides(
    elements: dict[str, object],
    expected: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert judge(**elements)[0] is expected


def test_the_exam_is_the_report_s_code_with_its_second_coding() -> None:
    codings = [
        {"system": "urn:ris", "code": "CTTHX", "display": "CT Thorax"},
        {"system": LOINC, "code": "24627-2", "display": "CT Chest"},
    ]

    _, exam = judge(code={"coding": codings})

    assert (exam.code, exam.system, exam.display) == ("CTTHX", "urn:ris", "CT Thorax")
    assert (exam.alternate_code, exam.alternate_system) == ("24627-2", LOINC)
    assert (exam.modality, exam.region) == (Modality.CT, Region.CHEST)


def test_a_code_that_only_says_report_leaves_the_exam_to_the_order_then_the_images() -> None:
    order = {
        "resourceType": "ServiceRequest",
        "id": "s",
        "code": concept("urn:ris", "MRKNEE", "MR Knee"),
    }
    study = {
        "resourceType": "ImagingStudy",
        "procedureCode": [concept("urn:pacs", "KNEE", "MR Knee left")],
        "basedOn": [{"reference": "ServiceRequest/s"}],
    }
    code = concept(LOINC, "68604-8", "Radiology Diagnostic study note")

    assert judge(order, code=code, basedOn=[{"reference": "ServiceRequest/s"}])[1].code == "MRKNEE"
    assert judge(order, study, code=code)[1].code == "MRKNEE"
    assert judge(study, code=code)[1].code == "KNEE"
    assert judge(code=code)[1].code == "68604-8"


def test_a_site_s_table_of_exams_wins() -> None:
    site = Site("s", exams={"X1": ExamEntry(modality=Modality.US)})

    assert judge(site=site, code=concept("urn:ris", "X1", "CT"))[1].modality is Modality.US


@pytest.mark.parametrize(
    ("study", "category", "modality"),
    [
        ({"modality": [{"system": DCM, "code": "MR"}]}, [], Modality.MR),
        ({"modality": [concept(DCM, "MR")]}, [], Modality.MR),
        ({"series": [{"modality": {"system": DCM, "code": "US"}}]}, [], Modality.US),
        ({}, [concept(LOINC, "LP29684-5"), concept(DCM, "CT")], Modality.CT),
        ({}, [concept(V2, "NMR")], Modality.MR),
        ({}, [concept(V2, "RAD")], None),
    ],
)
def test_the_modality_is_that_of_the_images_then_of_the_category(
    study: dict[str, object], category: list[dict[str, object]], modality: Modality | None
) -> None:
    _, exam = judge(
        {"resourceType": "ImagingStudy", **study}, category=category, code={"text": "x"}
    )

    assert exam.modality is modality


@pytest.mark.parametrize(
    ("series", "region", "laterality"),
    [
        (
            {"bodySite": {"display": "Knee"}, "laterality": {"code": "7771000"}},
            "musculoskeletal",
            "left",
        ),
        ({"bodySite": {"code": "1", "display": "Right knee"}}, "musculoskeletal", "right"),
        ({"bodySite": {"concept": {"text": "Chest"}}}, "chest", None),
    ],
)
def test_region_and_side_are_read_from_the_images(
    series: dict[str, object], region: str, laterality: str | None
) -> None:
    _, exam = judge({"resourceType": "ImagingStudy", "series": [series]}, code={"text": "MR"})

    assert exam.region == Region(region)
    assert exam.laterality == (Laterality(laterality) if laterality else None)


def test_the_images_of_another_report_are_not_taken() -> None:
    other = {"resourceType": "DiagnosticReport"}
    study = {"resourceType": "ImagingStudy", "id": "i", "modality": [{"code": "CT"}]}

    assert judge(study, other, code={"text": "x"})[1].modality is None
    assert (
        judge(study, other, code={"text": "x"}, imagingStudy=[{"reference": "ImagingStudy/i"}])[
            1
        ].modality
        is Modality.CT
    )
