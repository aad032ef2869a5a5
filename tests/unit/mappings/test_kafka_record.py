"""A record as messages: whatever a producer sends is kept or passed with a word, never raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Standard
from mappings.hl7_header import HeaderPolicy
from mappings.kafka_record import Fault, KafkaRecord, TopicRules, door_of, read_record

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01|M-1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO||QUETZALCANARY^ANNA\rOBR|1|O1|F1|CTCHEST^CT CHEST^L|\r"
)
REPORT = json.dumps(
    {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "meta": {"versionId": "2"},
        "status": "preliminary",
        "code": {"text": "CT chest"},
    }
).encode()
BY_HEADER = TopicRules("by-header")


def record(value: bytes | None, *headers: tuple[str, bytes | None]) -> KafkaRecord:
    return KafkaRecord("reports", 3, 17, b"key", value, headers)


def only(value: bytes | None, rules: TopicRules, *headers: tuple[str, bytes | None]) -> object:
    (message,) = read_record(record(value, *headers), rules, NOW).messages
    return message.fault


def test_an_hl7_record_is_read_as_at_an_mllp_door() -> None:
    ((raw, fault),) = read_record(record(ORU), TopicRules(), NOW).messages

    assert fault is None
    assert (raw.sender, raw.message_control_id) == ("DEMORIS|DEMOHOSP", "M-1")
    assert (raw.message_type, raw.standard, raw.payload) == ("ORU^R01", Standard.HL7V2, ORU)
    assert (raw.door, raw.origin) == (door_of("reports"), "kafka:reports/3/17")
    assert "QUETZALCANARY" not in repr((raw, record(ORU)))


def test_a_fhir_record_has_the_identity_that_it_would_have_over_http() -> None:
    ((raw, fault),) = read_record(record(REPORT), TopicRules("fhir"), NOW).messages

    assert fault is None
    assert raw.standard is Standard.FHIR
    assert raw.message_control_id == "DiagnosticReport/r1/_history/2"
    assert raw.message_type == "DiagnosticReport"


@pytest.mark.parametrize(
    ("said", "standard"),
    [
        (b"application/hl7-v2", Standard.HL7V2),
        (b"HL7v2", Standard.HL7V2),
        (b"x-application/hl7-v2+er7; charset=utf-8", Standard.HL7V2),
        (b"application/fhir+json;fhirVersion=4.0", Standard.FHIR),
    ],
)
def test_a_header_says_what_a_record_is(said: bytes, standard: Standard) -> None:
    value = REPORT if standard is Standard.FHIR else ORU
    read = read_record(record(value, ("Content-Type", said)), BY_HEADER, NOW)

    assert [message.raw.standard for message in read.messages] == [standard]
    assert [message.fault for message in read.messages] == [None]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((), "standard_missing"),
        ((("content-type", None),), "standard_missing"),
        ((("content-type", b"text/csv"),), "standard_unknown"),
        ((("content-type", b"\xff\xfe"),), "standard_unknown"),
    ],
)
def test_a_record_that_does_not_say_what_it_is_is_refused(
    headers: tuple[tuple[str, bytes | None], ...], reason: str
) -> None:
    assert only(ORU, BY_HEADER, *headers) == Fault(reason, "header")


@pytest.mark.parametrize(
    ("value", "rules", "reason"),
    [
        (b"", TopicRules(), "not_hl7"),
        (b"not hl7 at all", TopicRules(), "not_hl7"),
        (ORU.replace(b"M-1", b""), TopicRules(), "control_id_missing"),
        (ORU, TopicRules(policy=HeaderPolicy(frozenset("T"))), "unsupported_processing_id"),
        (b"{", TopicRules("fhir"), "not_json"),
        (b'{"resourceType":"Patient"}', TopicRules("fhir"), "resource_type_not_supported"),
        (ORU, TopicRules("fhir"), "not_json"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_bytes(
    value: bytes, rules: TopicRules, reason: str
) -> None:
    (message,) = read_record(record(value), rules, NOW).messages

    assert message.fault is not None
    assert message.fault.reason == reason
    assert message.raw.payload == value


def test_of_a_record_that_is_too_large_the_head_is_kept_and_never_read_as_a_report() -> None:
    (message,) = read_record(record(ORU * 100), TopicRules(record_bytes_max=5000), NOW).messages

    assert message.fault == Fault("frame_too_large")
    assert message.raw.payload == (ORU * 100)[:4096]


def test_a_record_that_cannot_be_decoded_is_told_with_its_place() -> None:
    lost = [KafkaRecord("reports", 3, offset, is_readable=False) for offset in (17, 18)]
    messages = [read_record(each, TopicRules(), NOW).messages[0] for each in lost]

    assert [message.fault for message in messages] == [Fault("frame_undecodable")] * 2
    assert len({message.raw.digest for message in messages}) == 2


def test_a_tombstone_and_an_acknowledgment_are_passed() -> None:
    ack = ORU.replace(b"ORU^R01", b"ACK^R01")

    assert read_record(record(None), TopicRules(), NOW).skipped == "tombstone"
    assert read_record(record(ack), TopicRules(), NOW) == ((), "acknowledgment")


def test_each_message_of_a_batch_in_a_record_is_judged_by_itself() -> None:
    batch = b"FHS|^~\\&\rBHS|^~\\&\r" + ORU + ORU.replace(b"M-1", b"") + b"BTS|2\rFTS|1\r"
    good, bad = read_record(record(batch), TopicRules(), NOW).messages

    assert (good.fault, bad.fault) == (None, Fault("control_id_missing", "MSH-10"))
    assert [each.raw.origin[-2:] for each in (good, bad)] == ["#1", "#2"]


@given(st.binary(max_size=300), st.sampled_from(["hl7v2", "fhir", "by-header"]))
def test_no_bytes_of_any_kind_make_it_raise(value: bytes, standard: str) -> None:
    rules = TopicRules(standard)  # type: ignore[arg-type]
    read = read_record(record(value, ("content-type", value[:9])), rules, NOW)

    assert read.skipped or read.messages
