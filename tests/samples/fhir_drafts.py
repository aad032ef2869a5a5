"""Synthetic reports and drafts for the FHIR tests; no real patient."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mappings.domain import (
    Companion,
    Draft,
    EngineIdentity,
    Exam,
    FinishReason,
    Identifier,
    Impression,
    ReportKey,
    ReportStatus,
    Sections,
    Standard,
    StudyReport,
)
from mappings.fhir_audit_event import Write, build_audit_event
from mappings.fhir_elements import FhirOptions
from mappings.fhir_observation import build_observation

if TYPE_CHECKING:
    from mappings.domain import DraftObservation

DRAFTED_AT = datetime(2026, 3, 4, 10, 11, 12, 345678, tzinfo=UTC)

ENGINE = EngineIdentity(
    engine="transformers",
    engine_version="5.23.0",
    base="SmolLM2-135M-Instruct",
    base_digest="sha256:0a1b",
    adapter="demo",
    adapter_digest="sha256:2c3d",
    template_version="impression/1",
    dtype="float32",
    is_demo=True,
)

STUDY = StudyReport(
    standard=Standard.HL7V2,
    group=0,
    site="north",
    language="en",
    message_control_id="MSG00042",
    message_type="ORU^R01",
    sending_application="RIS",
    sending_facility="NORTH",
    patient=Identifier("TEST-4711", "NORTH&1.2.826.0.1.3680043.9.1&ISO"),
    accession_number=Identifier("ACC-9", "RIS"),
    placer_order_number=Identifier("PLAC-7"),
    filler_order_number=Identifier("FILL-8", "urn:oid:1.2.3.4"),
    study_instance_uid="1.2.840.113619.2.1",
    exam=Exam(code="71046", display="XR CHEST 2 VIEWS"),
    report_status=ReportStatus.PRELIMINARY,
    observed_at="2026-03-04T09:30:00+01:00",
    reported_at="2026-03-04T09:45:00+01:00",
    sections=Sections(findings="The lungs are clear."),
)


def impression_of(text: str = "No acute disease.", engine: EngineIdentity = ENGINE) -> Impression:
    """A checked draft."""
    return Impression(Draft(text, FinishReason.STOP, 40, 6, engine), ())


def key_of(name: str = "north FILL-8") -> ReportKey:
    """A report key as the mapping makes one."""
    return ReportKey(hashlib.sha256(name.encode()).hexdigest())


def draft_of(
    text: str = "No acute disease.",
    *,
    study: StudyReport = STUDY,
    key: ReportKey | None = None,
    engine: EngineIdentity = ENGINE,
    options: FhirOptions | None = None,
    report_version: str = "preliminary/2026-03-04T09:45:00+01:00",
    drafted_at: datetime = DRAFTED_AT,
) -> DraftObservation:
    """A draft ready to post."""
    return build_observation(
        study,
        impression_of(text, engine),
        options or FhirOptions(),
        report_key=key or key_of(),
        report_version=report_version,
        drafted_at=drafted_at,
        software_version="0.1.0",
    )


def write_of(draft: DraftObservation, **changes: object) -> Write:
    """A create of a draft's Observation, as the server named it."""
    written = Write(
        interaction="create",
        reference="Observation/77",
        version_id="1",
        resource=draft.observation,
        base_url="https://fhir.example/r4",
        client_address="192.0.2.1",
        request_id="request-1",
    )
    return dataclasses.replace(written, **changes)  # type: ignore[arg-type]


def audit_event_of(
    draft: DraftObservation, *, options: FhirOptions | None = None, **changes: object
) -> Companion:
    """The AuditEvent of a create of a draft's Observation."""
    write = write_of(draft, **changes)
    return build_audit_event(write, options or FhirOptions(), now=DRAFTED_AT)


def study_without(*names: str) -> StudyReport:
    """STUDY with these optional fields missing."""
    return dataclasses.replace(STUDY, **dict.fromkeys(names))
