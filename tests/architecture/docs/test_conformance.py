"""docs/CONFORMANCE.md names each field that the code reads and writes, and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interfaces.fhir_draft_routes import SERVED
from interfaces.fhir_store_search import parameters, tokens_of
from mappings.domain import Identifier, Standard
from mappings.errors import MessageRefusedError
from mappings.fhir_elements import FhirOptions
from mappings.fhir_retraction import retracted
from mappings.hl7_ack import render_ack
from mappings.hl7_header import peek_header
from mappings.hl7_oru_out import OruOptions, render_oru
from mappings.message_plan import plan_whole
from mappings.reasons import RetractReason
from mappings.sites import SiteSet
from tests.architecture.docs.conformance import watch_fhir, watch_hl7, written_fields
from tests.samples.fhir_drafts import STUDY, audit_event_of, draft_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.architecture.source_tree import Tree

PAGE = "docs/CONFORMANCE.md"
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
NOBODY = SiteSet(())
HEADER_BYTES = {f"MSH-{n}" for n in (1, 2, 3, 4, 5, 6, 9, 11, 12, 15, 16, 18)}
"""Of MSH, cut as bytes before anything can be decoded; no reader of segments is asked for them."""
REPEATED = {"MessageHeader.event"}
"""By the door, in its answer; no reader of reports asks for it."""
EVERYTHING = (
    "MSH|^~\\&|RIS|NORTH|P|C|20260304||ORU^R01|M1|P|2.5.1\r"
    "PID|1|P2|\rORC|RE||\r"
    "OBR|1|||71046^XR CHEST^L|||||||||chest pain||RIGHT||||||XR|20260304|||P\r"
    "OBX|1|TX|&GDT||The lungs are clear.||||||P|||20260304\rNTE|1||Impression: none.\r"
    "ZDS|1.2.840.1^A^B^DICOM\rIPC|A1|P1|1.2.840.2|S1\r"
)
LOCAL = {"resourceType": "Practitioner", "id": "p", "identifier": [{"value": "7"}]}
MESSAGE = {
    "resourceType": "Bundle",
    "id": "b",
    "type": "message",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {
                "resourceType": "MessageHeader",
                "id": "h",
                "eventUri": "urn:x",
                "source": {"name": "RIS", "endpoint": "urn:x"},
            },
        },
        {
            "fullUrl": "urn:uuid:2",
            "resource": {
                "resourceType": "DiagnosticReport",
                "status": "preliminary",
                "code": {"text": "XR CHEST"},
                "contained": [LOCAL],
                "performer": [{"reference": "urn:uuid:3"}],
                "resultsInterpreter": [{"reference": "#p"}],
                "presentedForm": [{"contentType": "text/plain", "url": "urn:uuid:4"}],
                "result": [{"reference": "urn:uuid:6"}],
            },
        },
        {
            "fullUrl": "urn:uuid:3",
            "resource": {"resourceType": "Organization", "id": "o", "name": "North"},
        },
        {
            "fullUrl": "urn:uuid:4",
            "resource": {
                "resourceType": "Binary",
                "id": "x",
                "contentType": "text/plain",
                "data": "RmluZGluZ3M6IGNsZWFyLg==",
            },
        },
        {
            "fullUrl": "urn:uuid:6",
            "resource": {
                "resourceType": "Observation",
                "status": "preliminary",
                "code": {"coding": [{"system": "http://loinc.org", "code": "59776-5"}]},
                "device": {"display": "a machine"},
                "valueCodeableConcept": {"text": "Clear."},
            },
        },
    ],
}


def named(tree: Tree, table: str) -> set[str]:
    """Return the first column of a table."""
    return {row[0].strip("`") for row in tree.rows(PAGE, table)}


def test_each_hl7_field_that_is_read_is_named_and_no_other(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_hl7(monkeypatch)
    messages = [
        *(tree.root / "tests/vectors/hl7").glob("*.hl7"),
        *(tree.root / "daemon/samples").glob("*.hl7"),
    ]
    for path in messages:
        body = path.read_bytes()
        if body.startswith(b"MSH") and b"|ORU" in body[:200]:
            plan_whole(body, NOBODY)
    for body in (EVERYTHING, EVERYTHING.replace("P2", "").replace("||XR|", "|||")):
        plan_whole(body.encode(), NOBODY)

    assert seen | HEADER_BYTES == named(tree, "hl7-in")


def test_each_fhir_element_that_is_read_is_named_and_no_other(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_fhir(monkeypatch)
    for path in (tree.root / "tests/vectors/fhir/reports").glob("*.json"):
        plan_whole(path.read_bytes(), NOBODY, standard=Standard.FHIR)
    plan_whole(json.dumps(MESSAGE).encode(), NOBODY, standard=Standard.FHIR)

    assert seen | REPEATED == named(tree, "fhir-in")


def errors() -> Iterator[MessageRefusedError | None]:
    yield None
    yield MessageRefusedError("required_field_missing", "OBX[2]-5", "AE", 101)


def test_each_field_of_an_acknowledgment_is_named_and_no_other(tree: Tree) -> None:
    written = set[str]()
    for version in ("2.3", "2.5.1", "2.7"):
        head = f"MSH|^~\\&|A|B|C|D|20260304||ORU^R01^ORU_R01|M1|P|{version}||||||UNICODE UTF-8\r"
        header = peek_header(head.encode())
        for error in errors():
            answer = render_ack(
                header,
                code="AA" if error is None else "AE",
                control_id=b"M1",
                ack_control_id="X1",
                now=NOW,
                error=error,
            )
            written |= written_fields(answer)

    assert written == named(tree, "ack-out")


def test_each_field_of_a_sent_draft_is_named_and_no_other(tree: Tree) -> None:
    options = OruOptions(sending_facility="X", ack_mode="enhanced")
    study = STUDY
    written = set[str]()
    for reason in (None, RetractReason.REPORT_CANCELLED):
        message = render_oru(
            study, draft_of(), options, control_id="C", now=NOW, withdrawn_for=reason
        )
        written |= written_fields(message)

    # The sample's exam says no modality.
    assert written | {"OBR-24"} == named(tree, "oru-out")


def every_draft() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each resource that is written, with its version, over all that a site may choose."""
    choices = [
        FhirOptions(),
        FhirOptions(device="resource", has_task=True, is_transparent=True),
        FhirOptions(version="R5"),
        FhirOptions(version="R5", device="resource", has_task=True),
    ]
    for options in choices:
        for reader in (None, Identifier("7", "NORTH")):
            study = replace(STUDY, results_interpreter=reader)
            draft = draft_of(options=options, study=study)
            bodies = [draft.observation, draft.provenance, *(c.body for c in draft.companions)]
            bodies.append(retracted(draft.observation, reason="report_changed", now=NOW))
            bodies.append(audit_event_of(draft, options=options).body)
            for body in bodies:
                yield options.version, json.loads(body)


def test_each_element_of_each_resource_that_is_written_is_named_and_no_other(tree: Tree) -> None:
    written: set[tuple[str, str, str]] = set()
    for version, resource in every_draft():
        for each in (resource, *resource.get("contained", [])):
            written |= {(each["resourceType"], name, version) for name in each}

    rows = tree.rows(PAGE, "fhir-out")
    said = {
        (kind, name, version)
        for kind, name, versions, _ in rows
        for version in versions.split(", ")
    }
    assert written == said


def test_each_search_parameter_is_named_and_no_other(tree: Tree) -> None:
    said = {
        (kind, name.strip("` "), type_)
        for kind, names, type_ in tree.rows(PAGE, "search")
        for name in names.split(",")
    }

    plain = {(kind, *found) for kind in SERVED for found in parameters(kind)}
    ways = {
        (kind, name, "reference")
        for kind in SERVED
        for name in tokens_of(kind)
        if name.endswith("identifier") and name != "identifier"
    }
    assert said == plain | ways
