"""Signed reports of HL7 v2 and FHIR become rows; drafts, parts and our own words do not."""

from __future__ import annotations

import json

import pytest

from mappings.domain import Modality, Region, Standard
from mappings.sites import SiteSet
from model.corpora.messages import Passed, read_message_rows
from model.corpora.schema import Pseudonyms

KEYS = Pseudonyms(b"salt")
SITES = SiteSet()
ORU = (
    "MSH|^~\\&|RIS|RIVERSIDE|PACS|RIVERSIDE|20260304081500||ORU^R01|7|P|2.5\r"
    "PID|1||900123^^^RIVERSIDE^MR||DOE^JANE\r"
    "OBR|1|P1|F{number}|71260^CT CHEST W CONTRAST^C4|||20260304080000||||||||||||||20260304081000"
    "||CT|{status}\r"
    "OBX|1|TX|71260&GDT^FINDINGS||FINDINGS: A 9 mm nodule in the left lung.||||||{status}\r"
    "OBX|2|TX|71260&IMP^IMPRESSION||IMPRESSION: {impression}||||||{status}\r"
)
FHIR = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "final",
    "category": [{"coding": [{"system": "http://loinc.org", "code": "LP29684-5"}]}],
    "code": {"text": "CT chest"},
    "identifier": [{"type": {"coding": [{"code": "FILL"}]}, "value": "F1"}],
    "subject": {"identifier": {"value": "900123"}},
    "issued": "2026-03-04T08:10:00Z",
    "conclusion": "Left lung nodule.",
    "presentedForm": [
        {
            "contentType": "text/plain",
            "data": "RklORElOR1M6IE5pbmUgbW0gbm9kdWxlIGluIHRoZSBsZWZ0IGx1bmcu",
        }
    ],
}


def oru(status: str = "F", number: int = 1, impression: str = "Left lung nodule.") -> bytes:
    return ORU.format(status=status, number=number, impression=impression).encode()


def test_a_final_message_gives_a_row_without_anybodys_number() -> None:
    passed = Passed()

    (row,) = read_message_rows(oru(), SITES, KEYS, passed)

    assert "9 mm nodule" in row.findings
    assert row.impression == "Left lung nodule."
    assert (row.modality, row.region, row.date) == (Modality.CT, Region.CHEST, "2026-03-04")
    assert row.patient_key is not None
    assert "900123" not in row.patient_key + row.report_id
    assert not passed.reasons


def test_the_versions_of_a_report_have_one_id_and_other_reports_another() -> None:
    first, again, other = (
        next(iter(read_message_rows(payload, SITES, KEYS, Passed())))
        for payload in (oru(), oru("C", impression="Two nodules."), oru(number=2))
    )

    assert first.report_id == again.report_id != other.report_id
    assert first.patient_key == other.patient_key


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (oru("P"), "not_final"),
        (oru().replace(b"IMPRESSION: Left lung nodule.", b""), "no_impression"),
        (b"no message", "not_hl7"),
    ],
)
def test_what_is_no_signed_report_is_counted_with_its_reason(payload: bytes, reason: str) -> None:
    passed = Passed()

    assert list(read_message_rows(payload, SITES, KEYS, passed)) == []
    assert passed.reasons == {reason: 1}


def test_a_fhir_report_gives_a_row() -> None:
    payload = json.dumps(FHIR).encode()

    (row,) = read_message_rows(payload, SITES, KEYS, Passed(), Standard.FHIR)

    assert "Nine mm nodule" in row.findings
    assert row.impression == "Left lung nodule."
    assert row.date == "2026-03-04"
