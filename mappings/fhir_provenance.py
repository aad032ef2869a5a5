"""Where a draft came from: a Provenance that ties it to its report, its message and its machine.

Its id names one very draft (report key + the Observation's bytes), so posting it twice gives one.
R4 has no search by Provenance.identifier: the same id also stands in ``meta.tag``, which every R4
server can search (``_tag``).

Standard: FHIR R4 Provenance. Of an HL7 v2 message in the shape of the v2-to-FHIR guide: activity
v2-fhir-transformation, an assembler, the message as source. The machine is the author and the label
is the reason, as the AI Transparency guide has it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mappings.domain import Identifier, Standard
from mappings.fhir_elements import (
    REPORT_VERSION_SYSTEM,
    FhirOptions,
    codeable,
    logical_reference,
    printable,
)
from mappings.fhir_transparency import as_ai_provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import ReportKey, StudyReport

PROVENANCE_TAG_SYSTEM = "urn:prelim:provenance"
_ROLES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_CREATION = codeable("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CREATE", "create")
_TRANSFORMATION = codeable(
    "http://hl7.org/fhir/uv/v2mappings/CodeSystem/provenance-activity-type-v2-to-fhir",
    "v2-fhir-transformation",
    "V2 To FHIR Transformation",
)


def provenance_id(report_key: ReportKey, observation: bytes) -> str:
    """Name the Provenance of one draft: same report and same bytes, same id."""
    digest = hashlib.sha256(report_key.encode() + b"\n" + observation).hexdigest()
    return f"prelim-{digest[:48]}"


def build_provenance(
    study: StudyReport,
    observation: Mapping[str, object],
    options: FhirOptions,
    id_: str,
    report_version: str,
) -> dict[str, object]:
    """Build the Provenance of one draft.

    Args:
        study: The report that was drafted for.
        observation: The target; its issued time, its Device and its reference to it are repeated.
        options: The site's choices.
        id_: From ``provenance_id``.
        report_version: Which version of the report was read.

    Returns:
        A Provenance of R4 as JSON types.
    """
    is_transformed = study.standard is Standard.HL7V2
    provenance: dict[str, object] = {
        "resourceType": "Provenance",
        "id": id_,
        "meta": {"tag": [{"system": PROVENANCE_TAG_SYSTEM, "code": id_}]},
        **{name: observation[name] for name in ("contained",) if name in observation},
        "target": [{"reference": f"Observation/{observation['id']}", "type": "Observation"}],
        "recorded": observation["issued"],
        "activity": _TRANSFORMATION if is_transformed else _CREATION,
        "reason": [codeable(*options.security)],
        "agent": [
            {"type": codeable(_ROLES, code, display), "who": observation["device"]}
            for code, display in (("author", "Author"), ("assembler", "Assembler"))
        ],
        "entity": [
            {"role": "source", "what": source}
            for source in _sources(study, options, report_version)
        ],
    }
    return as_ai_provenance(provenance) if options.is_transparent else provenance


def _sources(
    study: StudyReport, options: FhirOptions, report_version: str
) -> list[dict[str, object]]:
    version: dict[str, object] = {
        "type": "DiagnosticReport",
        "identifier": {"system": REPORT_VERSION_SYSTEM, "value": report_version},
    }
    report = [
        logical_reference("DiagnosticReport", study.filler_order_number, "FILL", options),
        logical_reference("DiagnosticReport", study.accession_number, "ACSN", options),
    ]
    message = None
    if study.standard is Standard.HL7V2:
        sender = printable(study.sending_facility or "") or None
        control_id = Identifier(study.message_control_id, sender)
        message = logical_reference("MessageHeader", control_id, None, options)
    return [version, *(source for source in (*report, message) if source is not None)]
