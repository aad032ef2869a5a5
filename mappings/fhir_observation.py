"""The draft as FHIR: a preliminary Observation that says a machine wrote it, with its Provenance.

Same input, same bytes: all times are arguments and the JSON is canonical, so a re-post after a
crash sends what was kept. The identity comes from the report key alone; what may change (the
report's version, the model's) stands inside. ``final`` is never set here.

Standard: FHIR R4 (4.0.1) Observation and Device. The R4B classes of fhir.resources have the same
elements for both; its top-level classes are R5 and must not be used.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from mappings.domain import DraftObservation
from mappings.fhir_elements import (
    REPORT_VERSION_SYSTEM,
    FhirOptions,
    canonical_json,
    codeable,
    coding,
    logical_reference,
    patient_reference,
    printable,
    study_reference,
)
from mappings.fhir_guard import check_resource
from mappings.fhir_provenance import build_provenance, provenance_id

if TYPE_CHECKING:
    from mappings.domain import EngineIdentity, Impression, ReportKey, StudyReport

DEVICE_ID = "drafter"
NOT_FOR_CLINICAL_USE = "Demonstration engine: not for clinical use."
_DEVICE_TYPES = {
    "transformers": "Artificial intelligence: language model",
    "openai": "Artificial intelligence: language model",
    "extractive": "Extractive engine: copies sentences of the findings, no model",
}
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def build_observation(
    study: StudyReport,
    impression: Impression,
    options: FhirOptions,
    *,
    report_key: ReportKey,
    report_version: str,
    drafted_at: datetime,
    software_version: str,
) -> DraftObservation:
    """Build the Observation and Provenance of a draft that passed every check.

    Args:
        study: The report drafted for; any field may be missing.
        impression: The draft's text and what wrote it.
        options: The site's choices.
        report_key: Its first 48 characters, of ``[A-Za-z0-9-.]``, make the id.
        report_version: Which version of the report; opaque, not blank.
        drafted_at: Aware; kept to the second.
        software_version: Of prelim itself.

    Returns:
        Both resources as canonical JSON bytes, with their deterministic ids.

    Raises:
        GuardViolationError: What was built would break FHIR or the house rules.
    """
    device = build_device(impression.draft.engine, software_version)
    observation = {
        **_who_wrote_what(impression, options, device),
        **_about(study, options),
        "id": f"prelim-{report_key[:48]}",
        "issued": drafted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "identifier": _identifiers(options, report_key, report_version),
    }
    body = _checked(observation)
    id_ = provenance_id(report_key, body)
    return DraftObservation(
        report_key=report_key,
        observation_id=str(observation["id"]),
        identifier_system=options.identifier_system,
        identifier_value=report_key,
        observation=body,
        provenance_id=id_,
        provenance=_checked(build_provenance(study, observation, options, id_, report_version)),
    )


def build_device(engine: EngineIdentity, software_version: str) -> dict[str, object]:
    """Describe what wrote the draft, exactly enough to repeat it, as a contained Device."""
    versions = {
        "prelim": software_version,
        "engine": engine.engine_version,
        "model": engine.base_digest,
        "adapter": engine.adapter_digest,
        "prompt template": engine.template_version,
        "number format": engine.dtype,
    }
    model_name = " + ".join(name for name in (engine.base, engine.adapter) if name)
    device: dict[str, object] = {
        "resourceType": "Device",
        "id": DEVICE_ID,
        "type": {"text": _DEVICE_TYPES[engine.engine]},
        "deviceName": [
            {"name": "prelim impression drafter", "type": "user-friendly-name"},
            {"name": printable(model_name) or engine.engine, "type": "model-name"},
        ],
        "version": [
            {"type": {"text": kind}, "value": value} for kind, value in versions.items() if value
        ],
    }
    if engine.is_demo:
        device["note"] = [{"text": NOT_FOR_CLINICAL_USE}]
    return device


def fhir_date_time(value: str | None) -> str | None:
    """Return an R4 dateTime of ISO 8601 text, or None when it is none.

    R4 wants seconds and an offset as soon as there is a time: without an offset the date alone is
    kept, because guessing the zone would move the exam.
    """
    text = (value or "").strip()
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text + "-01-01"[len(text) - 4 :])
            return text
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.utcoffset() is None:
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _checked(resource: dict[str, object]) -> bytes:
    check_resource(resource)
    return canonical_json(resource)


def _identifiers(
    options: FhirOptions, report_key: ReportKey, report_version: str
) -> list[dict[str, str]]:
    return [
        {"use": "official", "system": options.identifier_system, "value": report_key},
        {"use": "secondary", "system": REPORT_VERSION_SYSTEM, "value": report_version},
    ]


def _who_wrote_what(
    impression: Impression, options: FhirOptions, device: dict[str, object]
) -> dict[str, object]:
    return {
        "resourceType": "Observation",
        "meta": {"security": [coding(*options.security)]},
        "status": "preliminary",
        "category": [
            codeable(
                "http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging"
            )
        ],
        "code": codeable(
            "http://loinc.org", "19005-8", "Radiology Imaging study [Impression] (narrative)"
        ),
        "valueString": printable(impression.draft.text),
        "note": _notes(impression.draft.engine, options),
        "contained": [device],
        "device": {"reference": f"#{device['id']}", "type": "Device"},
    }


def _about(study: StudyReport, options: FhirOptions) -> dict[str, object]:
    orders = [
        logical_reference("ServiceRequest", study.placer_order_number, "PLAC", options),
        logical_reference("ServiceRequest", study.accession_number, "ACSN", options),
        logical_reference("ServiceRequest", study.filler_order_number, "FILL", options),
    ]
    images = study_reference(study.study_instance_uid)
    parts = {
        "language": study.language if _LANGUAGE.fullmatch(study.language) else None,
        "subject": patient_reference(study.patient, options),
        "basedOn": [order for order in orders if order is not None],
        "partOf": [images] if images else None,
        "effectiveDateTime": fhir_date_time(study.observed_at),
    }
    return {name: part for name, part in parts.items() if part}


def _notes(engine: EngineIdentity, options: FhirOptions) -> list[dict[str, str]]:
    warning = [{"text": NOT_FOR_CLINICAL_USE}] if engine.is_demo else []
    return [{"text": options.note}, *warning]
