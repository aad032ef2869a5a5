"""The records of dry-run: an outside contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mappings.dry_run import Record, describe
from mappings.hl7_batch import split_messages
from mappings.sites import SiteSet

ROOT = Path(__file__).parents[3]
KEYS = {
    *("source", "index", "group", "ok", "error", "standard", "message_control_id"),
    *("message_type", "sending_application", "sending_facility", "patient_id"),
    *("accession_number", "placer_order_number", "filler_order_number", "exam"),
    *("report_status", "observed_at", "site", "language", "findings", "impression"),
    *("indication", "comparison", "technique", "recommendation", "spans"),
    *("decision", "reason", "linked_exams", "documents", "codec", "warnings"),
}
MSH = "MSH|^~\\&|RIS|HOSP|||20260101||{kind}|7|P|2.4\rPID|1||P1\r"


def records(payload: bytes, source: str = "a.hl7") -> list[Record]:
    found = list(describe(source, 3, payload, SiteSet()))
    for record in found:
        assert set(record) == KEYS
        json.dumps(record)
    return found


def test_a_report_to_draft_for_is_described_whole() -> None:
    (record,) = records((ROOT / "daemon/samples/04_xr_knee_right_effusion.hl7").read_bytes())

    assert record | {"findings": None} == {
        "source": "a.hl7",
        "index": 3,
        "group": 0,
        "ok": True,
        "error": None,
        "standard": "hl7v2",
        "message_control_id": "DEMO-0004",
        "message_type": "ORU^R01",
        "sending_application": "DEMORIS",
        "sending_facility": "DEMOHOSP",
        "patient_id": "DEMO00004",
        "accession_number": "8100000004",
        "placer_order_number": "D7004",
        "filler_order_number": "8100000004",
        "exam": {
            "code": "XRKN3R",
            "system": "DEMORIS",
            "display": "XR KNEE 3 VIEWS RIGHT",
            "modality": "DX",
            "region": "musculoskeletal",
            "laterality": "right",
        },
        "report_status": "preliminary",
        "observed_at": "2026-01-10T11:15:00+01:00",
        "site": "default",
        "language": "en",
        "findings": None,
        "impression": None,
        "indication": "Fall two days ago",
        "comparison": "None.",
        "technique": None,
        "recommendation": None,
        "spans": {"findings": ((1, 162, 377),), "comparison": ((1, 145, 150),)},
        "decision": "draft",
        "reason": None,
        "linked_exams": [],
        "documents": [],
        "codec": "utf-8",
        "warnings": [],
    }
    assert str(record["findings"]).startswith("There is a moderate joint effusion")


def test_each_group_is_a_record() -> None:
    payload = (ROOT / "tests/vectors/hl7/linked_exams.hl7").read_bytes()

    found = [(one["group"], one["decision"], one["reason"]) for one in records(payload)]

    assert found == [(0, "draft", None), (1, "skip", "impression_present")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ORU^R01", "no_report_group"),
        ("ADT^A08", "message_type_ignored"),
        ("ACK^R01", "message_type_ignored"),
    ],
)
def test_a_message_without_a_group_is_one_skip(kind: str, reason: str) -> None:
    (record,) = records(MSH.format(kind=kind).encode())

    assert (record["ok"], record["decision"], record["reason"]) == (True, "skip", reason)
    assert (record["group"], record["patient_id"], record["exam"]) == (0, "P1", None)


def test_an_ignored_type_is_skipped_group_by_group() -> None:
    payload = (MSH.format(kind="MDM^T02") + "OBR|1|2|3\rOBR|2|3|4\r").encode()

    assert [(one["group"], one["reason"]) for one in records(payload)] == [
        (0, "message_type_ignored"),
        (1, "message_type_ignored"),
    ]


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"", {"reason": "not_hl7", "where": "MSH"}),
        (b"hello", {"reason": "not_hl7", "where": "MSH"}),
        (
            MSH.format(kind="XYZ^Z").encode(),
            {"reason": "unsupported_message_type", "where": "MSH-9"},
        ),
        (
            MSH.format(kind="ORU^R01").encode().replace(b"2.4\r", b"2.4||||||ASCII\rNTE|\xff\r"),
            {"reason": "undecodable_content", "where": "NTE[1]-1"},
        ),
    ],
)
def test_what_cannot_be_read_is_rejected_with_what_is_known(
    payload: bytes, error: dict[str, str]
) -> None:
    (record,) = records(payload)

    assert (record["ok"], record["error"]) == (False, error)
    assert (record["decision"], record["reason"]) == ("reject", error["reason"])
    assert record["message_control_id"] == ("7" if payload.startswith(b"MSH") else None)


@pytest.mark.parametrize(
    ("source", "payload", "error"),
    [
        ("a.json", b"[]", {"reason": "not_a_resource", "where": "resourceType"}),
        (
            "-",
            b' {"resourceType": "Patient"}',
            {"reason": "resource_type_not_supported", "where": None},
        ),
        (
            "-",
            b'{"resourceType": "DiagnosticReport", "status": "final"}',
            {"reason": "resource_invalid", "where": "DiagnosticReport.code"},
        ),
    ],
)
def test_fhir_that_the_door_would_refuse_is_rejected(
    source: str, payload: bytes, error: dict[str, str]
) -> None:
    (record,) = records(payload, source)

    assert (record["ok"], record["standard"], record["decision"]) == (False, "fhir", "reject")
    assert record["error"] == error


def test_a_fhir_report_is_told_in_the_same_words_as_an_hl7_one() -> None:
    payload = (ROOT / "tests/vectors/fhir/reports/ihe_imr.json").read_bytes()

    (record,) = records(payload, "-")
    (over_mllp,) = records(b"MSH|^~\\&|A|B|C|D|20260304||ORU^R01|1|P|2.5.1\rOBR|1||F|X\r", "-")

    assert set(record) == set(over_mllp)
    assert (record["ok"], record["standard"], record["decision"]) == (True, "fhir", "draft")
    assert (record["accession_number"], record["sending_facility"]) == ("ACC-2", "DEMOHOSP")
    assert record["message_type"] == "Bundle/collection"


def test_a_doubt_in_the_reading_and_the_codec_are_said() -> None:
    payload = (ROOT / "tests/vectors/hl7/carriage_return_in_field.hl7").read_bytes()
    latin = (ROOT / "tests/vectors/hl7/latin1.hl7").read_bytes()

    (record,), (other,) = records(payload), records(latin)

    assert (record["codec"], record["warnings"]) == ("utf-8", ["stray_lines_attached"])
    assert (other["codec"], other["warnings"]) == ("iso8859-1", [])


def test_an_exam_without_text_of_its_own_is_linked_to_the_report_that_speaks_for_it() -> None:
    payload = MSH.format(kind="ORU^R01") + (
        "OBR|1|P1|F1|CTAB^CT ABDOMEN^L||||||||||||||A1\r"
        "OBR|2|P2|F2|CTPE^CT PELVIS^L||||||||||||||A2\r"
        "OBX|1|TX|&GDT||The liver and the bladder are normal.||||||P\r"
    )

    first, second = records(payload.encode())

    assert (first["decision"], first["reason"]) == ("skip", "no_observations")
    assert second["decision"] == "draft"
    (linked,) = second["linked_exams"]  # type: ignore[misc,attr-defined] - a record holds any JSON
    assert linked | {"exam": linked["exam"]["code"]} == {
        "group": 0,
        "accession_number": "A1",
        "filler_order_number": "F1",
        "exam": "CTAB",
    }


def test_a_batch_file_gives_its_messages() -> None:
    data = (ROOT / "tests/vectors/hl7/batch.hl7").read_bytes()

    found = [record for payload in split_messages(data) for record in records(payload)]

    assert [one["message_control_id"] for one in found] == ["V-8A", "V-8B"]
    assert {one["decision"] for one in found} == {"draft"}
