"""The AuditEvent of a write: both ends, the patient, the data and the request, by IHE BALP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mappings.errors import GuardViolationError
from mappings.fhir_audit_event import BALP, build_audit_event
from mappings.fhir_elements import FhirOptions
from tests.samples.fhir_drafts import (
    DRAFTED_AT,
    audit_event_of,
    draft_of,
    study_without,
    write_of,
)

if TYPE_CHECKING:
    from mappings.domain import Companion


def event_of(companion: Companion) -> dict[str, Any]:
    return json.loads(companion.body)


def entity(event: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = (each for each in event["entity"] if each["type"]["code"] == code)
    return found


def test_a_create_is_told_as_patient_create() -> None:
    event = event_of(audit_event_of(draft_of()))

    assert event["meta"]["profile"] == [f"{BALP}/StructureDefinition/IHE.BasicAudit.PatientCreate"]
    assert (event["type"]["code"], event["subtype"][0]["code"]) == ("rest", "create")
    assert (event["action"], event["outcome"]) == ("C", "0")
    assert event["recorded"] == "2026-03-04T10:11:12Z"
    assert event["source"]["observer"]["display"] == "prelim"


def test_both_ends_of_the_connection_are_named() -> None:
    client, server = event_of(audit_event_of(draft_of()))["agent"]

    assert client["type"]["coding"][0]["code"] == "110153"
    assert client["network"] == {"address": "192.0.2.1", "type": "2"}
    assert (client["requestor"], server["requestor"]) == (True, False)
    assert server["type"]["coding"][0]["code"] == "110152"
    assert server["who"]["display"] == "fhir.example"
    assert server["network"] == {"address": "https://fhir.example/r4", "type": "5"}


def test_the_patient_the_data_with_its_version_and_label_and_the_request_are_named() -> None:
    event = event_of(audit_event_of(draft_of()))

    assert entity(event, "1")["what"]["identifier"]["value"] == "TEST-4711"
    assert entity(event, "2")["what"]["reference"] == "Observation/77/_history/1"
    assert entity(event, "2")["securityLabel"][0]["code"] == "AIAST"
    assert entity(event, "XrequestId")["what"]["identifier"]["value"] == "request-1"


def test_an_update_is_told_as_patient_update() -> None:
    event = event_of(audit_event_of(draft_of(), interaction="update", version_id=None))

    assert event["meta"]["profile"][0].endswith("IHE.BasicAudit.PatientUpdate")
    assert (event["action"], event["subtype"][0]["code"]) == ("U", "update")
    assert entity(event, "2")["what"]["reference"] == "Observation/77"


def test_without_a_patient_no_profile_of_a_patient_is_claimed() -> None:
    event = event_of(audit_event_of(draft_of(study=study_without("patient"))))

    assert event["meta"]["profile"][0].endswith("IHE.BasicAudit.Create")
    assert [each["type"]["code"] for each in event["entity"]] == ["2", "XrequestId"]


def test_the_same_write_has_the_same_id_and_another_has_another() -> None:
    draft = draft_of()
    first = audit_event_of(draft)
    later = build_audit_event(
        write_of(draft, request_id="request-2"),
        FhirOptions(),
        now=DRAFTED_AT + timedelta(minutes=5),
    )
    others = [
        audit_event_of(draft, version_id="2"),
        audit_event_of(draft, reference="Observation/78"),
        audit_event_of(draft_of("Another text.")),
    ]

    assert later.id == first.id == event_of(first)["meta"]["tag"][0]["code"]
    assert len({first.id, *(each.id for each in others)}) == 4


def test_a_secret_in_the_servers_url_is_left_out() -> None:
    body = audit_event_of(draft_of(), base_url="https://me:hush@fhir.example:8443/r4?key=hush").body

    assert b"hush" not in body
    assert b"https://fhir.example:8443/r4" in body


def test_in_r5_the_profile_of_r4_is_not_claimed_and_the_patient_has_a_place() -> None:
    options = FhirOptions(version="R5")
    event = event_of(audit_event_of(draft_of(options=options), options=options))

    assert "profile" not in event["meta"]
    assert event["patient"]["identifier"]["value"] == "TEST-4711"
    assert event["agent"][0]["networkString"] == "192.0.2.1"
    assert event["agent"][1]["networkUri"] == "https://fhir.example/r4"
    assert event["entity"][2]["role"]["coding"][0]["code"] == "XrequestId"


def test_a_write_that_cannot_be_told_in_fhir_is_refused() -> None:
    with pytest.raises(GuardViolationError):
        audit_event_of(draft_of(), client_address=" ")


def test_neither_the_drafts_text_nor_the_write_shows_in_what_is_printed(canary_name: str) -> None:
    write = write_of(draft_of(f"{canary_name} has no acute disease."))

    assert canary_name not in repr(write)
    assert canary_name.encode() not in build_audit_event(write, FhirOptions(), now=DRAFTED_AT).body
