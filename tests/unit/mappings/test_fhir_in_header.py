"""What arrived as FHIR: kind, release, identity, digest; what is refused before it is judged."""

from __future__ import annotations

import json

import pytest

from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import (
    DEPTH_MAX,
    REPORTS_MAX,
    FhirRelease,
    is_json,
    judge_header,
    peek_resource,
    read_condition,
    read_release,
    resource_digest,
)

REPORT: dict[str, object] = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "CT"},
}


def raw(resource: object) -> bytes:
    return json.dumps(resource).encode()


def bundle(kind: str, *resources: dict[str, object], **more: object) -> dict[str, object]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **more}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"[]", "not_a_resource"),
        (b'"x"', "not_a_resource"),
        (b"{}", "not_a_resource"),
        (b'{"resourceType": ["Bundle"]}', "not_a_resource"),
        (b'{"resourceType": "A", "x": NaN}', "not_json"),
        (b'{"resourceType": "A", "x": -Infinity}', "not_json"),
        (b'{"resourceType": "A", "x": ' + b"9" * 5000 + b"}", "not_json"),
        (
            b'{"resourceType": "DiagnosticReport", "status": "final", "status": "x"}',
            "name_repeated",
        ),
        (b'{"resourceType": "A", "x": {"QUETZALCANARY": 1, "QUETZALCANARY": 2}}', "name_repeated"),
        ('{"resourceType": "A", "x": "ü"}'.encode("latin-1"), "not_utf8"),
        ('{"resourceType": "A"}'.encode("utf-16"), "not_utf8"),
        (
            b'{"resourceType": "A", "x": ' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX + b"}",
            "nested_too_deep",
        ),
        (b'{"a":' * 100_000, "nested_too_deep"),
    ],
)
def test_what_is_no_resource_is_refused_without_its_words(payload: bytes, reason: str) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        peek_resource(payload)

    assert (caught.value.status, caught.value.code, caught.value.reason) == (
        400,
        "structure",
        reason,
    )
    assert "QUETZALCANARY" not in str(caught.value)


def test_nesting_up_to_the_limit_is_read() -> None:
    inner = b"[" * (DEPTH_MAX - 1) + b"]" * (DEPTH_MAX - 1)

    assert peek_resource(b'{"resourceType": "A", "x": ' + inner + b"}").control_id == ""


def test_a_byte_order_mark_is_passed_over() -> None:
    assert peek_resource(b"\xef\xbb\xbf" + raw(REPORT)).message_type == "DiagnosticReport"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b' {"a": 1}', True), (b"\xef\xbb\xbf\n{", True), (b"MSH|^~\\&|", False), (b"[1]", False)],
)
def test_json_is_told_from_hl7_by_its_first_letter(payload: bytes, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_json(payload) is expected


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("", None),
        ("4.0", FhirRelease.R4),
        ('"4.0.1"', FhirRelease.R4),
        ("4.3", FhirRelease.R4B),
        ("5.0", FhirRelease.R5),
    ],
)
def test_the_release_that_a_media_type_declares_is_read(
    text: str, release: FhirRelease | None
) -> None:
    assert read_release(text) is release


@pytest.mark.parametrize("text", ["3.0", "1.0", "4.1", "40", "5", "6.0", "x"])
def test_another_release_is_an_unsupported_media_type(text: str) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        read_release(text)

    assert (caught.value.status, caught.value.code) == (415, "not-supported")


@pytest.mark.parametrize(
    ("more", "release"),
    [
        ({}, None),
        ({"imagingStudy": []}, FhirRelease.R4),
        ({"study": []}, FhirRelease.R5),
        ({"composition": {}}, FhirRelease.R5),
    ],
)
def test_the_release_is_guessed_from_elements_that_only_it_has(
    more: dict[str, object], release: FhirRelease | None
) -> None:
    assert peek_resource(raw(REPORT | more)).release is release
    assert peek_resource(raw(REPORT | more), FhirRelease.R4B).release is FhirRelease.R4B


@pytest.mark.parametrize(
    "more",
    [
        {"context": {"reference": "Encounter/1"}},
        {"codedDiagnosis": [{"text": "x"}]},
        {"performer": [{"actor": {"reference": "Practitioner/1"}}]},
        {"contained": [{"resourceType": "Observation", "id": "o", "comment": "x"}]},
    ],
)
def test_stu3_is_refused_as_not_supported(more: dict[str, object]) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        judge_header(peek_resource(raw(REPORT | more)))

    error = caught.value
    assert (error.status, error.code) == (422, "not-supported")
    assert error.reason == "fhir_version_not_supported"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"resourceType": "Patient"}, "resource_type_not_supported"),
        (bundle("searchset", REPORT), "bundle_type_not_supported"),
        (bundle("history", REPORT), "bundle_type_not_supported"),
        ({"resourceType": "Bundle", "entry": []}, "bundle_type_not_supported"),
        (bundle("collection", {"resourceType": "Patient"}), "no_diagnostic_report"),
        (
            {
                "resourceType": "Bundle",
                "type": "transaction",
                "entry": [
                    {"resource": REPORT, "request": {"method": "POST"}},
                    {"request": {"method": "DELETE", "url": "DiagnosticReport/1"}},
                ],
            },
            "method_not_supported",
        ),
    ],
)
def test_what_is_no_message_of_ours_is_refused(resource: dict[str, object], reason: str) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        judge_header(peek_resource(raw(resource)))

    assert (caught.value.status, caught.value.reason) == (422, reason)


def test_a_bundle_with_more_reports_than_any_message_has_is_refused_whole() -> None:
    most = [REPORT] * REPORTS_MAX
    judge_header(peek_resource(raw(bundle("batch", *most))))

    with pytest.raises(ResourceRefusedError, match="too_many_reports"):
        judge_header(peek_resource(raw(bundle("batch", *most, REPORT))))


@pytest.mark.parametrize("kind", ["message", "transaction", "batch", "collection", "document"])
def test_a_bundle_with_reports_is_taken(kind: str) -> None:
    header = peek_resource(raw(bundle(kind, REPORT, REPORT)))
    judge_header(header)

    assert (header.message_type, len(header.reports)) == (f"Bundle/{kind}", 2)


@pytest.mark.parametrize(
    ("resource", "control_id"),
    [
        (REPORT, ""),
        (REPORT | {"id": "7"}, ""),
        (REPORT | {"id": "7", "meta": {"versionId": "2"}}, "DiagnosticReport/7/_history/2"),
        (bundle("collection", REPORT), ""),
        (
            bundle("collection", REPORT, identifier={"system": "s", "value": "v"}),
            "Bundle/s|v",
        ),
        (bundle("message", {"resourceType": "MessageHeader", "id": "m-1"}, REPORT), "Bundle/m-1"),
        (REPORT | {"id": "x" * 300, "meta": {"versionId": "2"}}, "DiagnosticReport/" + "x" * 233),
    ],
)
def test_the_control_id_names_a_version_or_nothing(
    resource: dict[str, object], control_id: str
) -> None:
    assert peek_resource(raw(resource)).control_id == control_id


def test_sender_is_the_source_and_the_organization_that_issued_the_report() -> None:
    organization = {
        "resourceType": "Organization",
        "id": "o",
        "identifier": [{"value": "DEMOHOSP"}],
        "name": "Demo",
    }
    report = REPORT | {
        "meta": {"source": "http://ris.demo.example#request-1"},
        "performer": [{"reference": "Practitioner/1"}, {"reference": "#o"}],
        "contained": [organization],
    }

    header = peek_resource(raw(report))

    assert (header.application, header.facility) == ("http://ris.demo.example", "DEMOHOSP")
    assert header.sender == "http://ris.demo.example|DEMOHOSP"


@pytest.mark.parametrize(
    ("performer", "facility"),
    [
        ({"type": "Organization", "display": "Demo"}, "Demo"),
        ({"type": "Organization", "identifier": {"value": "7"}, "display": "Demo"}, "7"),
        ({"reference": "Organization/9", "display": "Demo"}, "Demo"),
        ({"reference": "Practitioner/9", "display": "QUETZALCANARY"}, None),
    ],
)
def test_an_organization_that_did_not_come_along_is_named_by_its_reference(
    performer: dict[str, object], facility: str | None
) -> None:
    assert peek_resource(raw(REPORT | {"performer": [performer]})).facility == facility


def test_the_source_of_a_message_wins() -> None:
    header = {"resourceType": "MessageHeader", "source": {"name": "DEMORIS", "endpoint": "urn:x"}}
    report = REPORT | {"meta": {"source": "http://other.example"}}

    assert peek_resource(raw(bundle("message", header, report))).application == "DEMORIS"


def test_identifiers_are_those_of_the_reports() -> None:
    report = REPORT | {"identifier": [{"system": "s", "value": "1"}, {"value": "2"}, {"use": "x"}]}

    assert peek_resource(raw(bundle("collection", report))).identifiers == ("s|1", "|2")


def test_the_digest_heeds_content_and_neither_writing_nor_transport() -> None:
    entry = REPORT | {"meta": {"lastUpdated": "2026-03-04T10:00:00Z", "versionId": "1"}}
    first = bundle("collection", entry, timestamp="2026-03-04T10:00:00Z")
    again = bundle(
        "collection",
        dict(reversed(REPORT.items())) | {"meta": {"versionId": "1"}},
        timestamp="2026-03-05T10:00:00Z",
    )
    other = bundle("collection", entry | {"status": "amended"})

    assert resource_digest(first) == resource_digest(again)
    assert resource_digest(first) != resource_digest(other)


def test_the_digest_keeps_each_digit_of_a_number() -> None:
    digests = {
        resource_digest(peek_resource(b'{"resourceType": "A", "x": %s}' % number).resource)
        for number in (b"6.5", b"6.50", b"6.500000000000000000001", b"1e400")
    }

    assert len(digests) == 4


@pytest.mark.parametrize("text", ["identifier=urn:x%7C7", "DiagnosticReport?identifier=urn:x%7C7"])
def test_a_condition_is_read_with_or_without_its_type(text: str) -> None:
    assert read_condition(text) == (("identifier", "urn:x|7"),)


@pytest.mark.parametrize("text", ["", "?", "identifier=", "identifier=1&status="])
def test_a_condition_that_anything_would_meet_is_refused(text: str) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        read_condition(text, "x")

    assert (caught.value.reason, caught.value.where) == ("if_none_exist_invalid", "x")
