"""The draft as FHIR: a preliminary Observation that says a machine wrote it, and what goes with it.

Same input, same bytes: all times are arguments and the JSON is canonical, so a re-post after a
crash sends what was kept. The identity comes from the report key alone; what may change (the
report's version, the model's) stands inside. ``final`` is never set here.

Standard: FHIR R4 (4.0.1) Observation, of which R4B has the same elements; ``fhir_r5`` turns what
was built into R5. Category, code, subject and orders as US Core, JP Core and IHE IMR have them; a
draft refers to the images' study by partOf: derivedFrom would say that the machine has seen it.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from mappings.domain import Companion, DraftObservation
from mappings.fhir_device import NOT_FOR_CLINICAL_USE, build_device, device_reference
from mappings.fhir_elements import (
    REPORT_VERSION_SYSTEM,
    FhirOptions,
    canonical_json,
    codeable,
    coding,
    instant,
    logical_reference,
    patient_reference,
    printable,
    study_reference,
)
from mappings.fhir_guard import check_resource
from mappings.fhir_provenance import build_provenance, provenance_id
from mappings.fhir_r5 import in_version
from mappings.fhir_task import build_task

if TYPE_CHECKING:
    from mappings.domain import EngineIdentity, Impression, ReportKey, StudyReport

REDRAFTED = (
    "The draft checks refused the first draft of this report; this is a later one. Review it with"
    " particular care."
)
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
    """Build the resources of a draft that passed every check.

    Args:
        study: The report drafted for; any field may be missing.
        impression: The draft's text and what wrote it.
        options: The site's choices.
        report_key: Its first 48 characters, of ``[A-Za-z0-9-.]``, make the id.
        report_version: Which version of the report; opaque, not blank.
        drafted_at: Aware; kept to the second.
        software_version: Of prelim itself.

    Returns:
        All that is posted, as canonical JSON in the site's version; same input, same ids.

    Raises:
        GuardViolationError: What was built would break FHIR or the house rules.
    """
    device = build_device(impression.draft.engine, software_version, options)
    observation = {
        **_who_wrote_what(impression, options, device),
        **_about(study, options),
        "id": f"prelim-{report_key[:48]}",
        "issued": instant(drafted_at),
        "identifier": _identifiers(options, report_key, report_version),
    }
    body = _rendered(observation, options)
    id_ = provenance_id(report_key, body)
    provenance = build_provenance(study, observation, options, id_, report_version)
    apart = [device] if options.device == "resource" else []
    tasks = [build_task(study, observation, options, report_key)] if options.has_task else []
    return DraftObservation(
        report_key=report_key,
        observation_id=str(observation["id"]),
        identifier_system=options.identifier_system,
        identifier_value=report_key,
        observation=body,
        provenance_id=id_,
        provenance=_rendered(provenance, options),
        companions=tuple(_companion(each, options) for each in (*apart, *tasks)),
    )


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


def _companion(resource: dict[str, Any], options: FhirOptions) -> Companion:
    return Companion(resource["resourceType"], resource["id"], _rendered(resource, options))


def _rendered(resource: dict[str, Any], options: FhirOptions) -> bytes:
    turned = in_version(resource, options.version)
    check_resource(turned, options.version)
    return canonical_json(turned)


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
        "device": device_reference(device, options),
        **({"contained": [device]} if options.device == "contained" else {}),
    }


def _about(study: StudyReport, options: FhirOptions) -> dict[str, object]:
    linked = study.linked_exams  # further exams that the same report speaks for
    numbers = [
        (study.placer_order_number, "PLAC"),
        (study.accession_number, "ACSN"),
        *((each.accession_number, "ACSN") for each in linked),
        (study.filler_order_number, "FILL"),
        *((each.filler_order_number, "FILL") for each in linked),
    ]
    orders: list[object] = []
    for number, kind in numbers:
        order = logical_reference("ServiceRequest", number, kind, options)
        if order is not None and order not in orders:
            orders.append(order)
    images = study_reference(study.study_instance_uid)
    parts = {
        "language": study.language if _LANGUAGE.fullmatch(study.language) else None,
        "subject": patient_reference(study.patient, options),
        "basedOn": orders,
        "partOf": [images] if images else None,
        "effectiveDateTime": fhir_date_time(study.observed_at),
    }
    return {name: part for name, part in parts.items() if part}


def _notes(engine: EngineIdentity, options: FhirOptions) -> list[dict[str, str]]:
    texts = [
        options.note,
        *([NOT_FOR_CLINICAL_USE] if engine.is_demo else []),
        *([REDRAFTED] if engine.redraft else []),
    ]
    return [{"text": text} for text in texts]
