"""Small FHIR R4 data types from ours: codings, identifiers, logical references, canonical JSON.

A missing part is left out, never written as an empty string: R4 has no empty values.

Standard: FHIR R4 data types; identifier types from HL7 v2 table 0203.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mappings.domain import Identifier

FhirVersion: TypeAlias = Literal["R4", "R4B", "R5"]
"""R4 and R4B are one shape here: what we write has the same elements in both."""

FHIR_JSON = "application/fhir+json"
COMPANION_TAG_SYSTEM = "urn:prelim:companion"
REPORT_VERSION_SYSTEM = "urn:prelim:report-version"
V2_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"

_OBSERVATION_VALUES = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_ASSERTED_BY = {"AIAST": "Artificial Intelligence asserted", "DEVAST": "device asserted"}
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_URI = re.compile(r"(urn|https?):[^\s]+")
_RESOURCE_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_PATIENT = re.compile(r"(https?://[^\s?#]+/)?Patient/[A-Za-z0-9\-.]{1,64}")
# R4's string is ``[ \r\n\t\S]+``: other white space (a no-break space, U+3000) is outside it, and
# control characters and halves of surrogates are no text.
_OTHER_SPACE = re.compile(r"[^\S \r\n\t]")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FhirOptions:
    """What a site may choose about its Observations.

    ``identifier_systems`` turns an assigning authority into a FHIR system (a uri); an authority
    that is not in it, and is no OID or uri itself, is kept as the assigner's name. AIAST is younger
    than R4, so a strict terminology server may want DEVAST. ``patient_reference`` literal means
    ``Patient/<PID-3 value>``. ``version`` is the shape of all that is written. ``device`` resource
    makes the machine a Device of its own, which needs the right to write one; ``has_task`` adds a
    Task for the reading radiologist; ``is_transparent`` follows the AI Transparency guide (R4).
    """

    version: FhirVersion = "R4"
    device: Literal["contained", "resource"] = "contained"
    has_task: bool = False
    is_transparent: bool = False
    identifier_system: str = "urn:prelim:report-key"
    identifier_systems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ai_security_code: Literal["AIAST", "DEVAST"] = "AIAST"
    patient_reference: Literal["logical", "literal"] = "logical"
    note: str = (
        "Machine-drafted impression, not reviewed. "
        "A radiologist must review it against the findings and the images before any use."
    )

    @property
    def security(self) -> tuple[str, str, str]:
        """System, code and display of the label that says who asserts it."""
        code = self.ai_security_code
        return _OBSERVATION_VALUES, code, _ASSERTED_BY[code]


def canonical_json(resource: Mapping[str, object]) -> bytes:
    """Render a resource as UTF-8 JSON with sorted keys and no white space."""
    return json.dumps(
        resource, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def coding(system: str, code: str, display: str) -> dict[str, object]:
    """Return a Coding."""
    return {"system": system, "code": code, "display": display}


def companion_meta(id_: str) -> dict[str, object]:
    """Return a meta by which a resource can be found again; R4 can search each type by tag."""
    return {"tag": [{"system": COMPANION_TAG_SYSTEM, "code": id_}]}


def instant(moment: datetime) -> str:
    """Write an aware time as an R4 instant in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def codeable(system: str, code: str, display: str) -> dict[str, object]:
    """Return a CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def printable(text: str) -> str:
    """Keep what an R4 string may hold; other white space becomes a space, none stands around."""
    return _UNPRINTABLE.sub("", _OTHER_SPACE.sub(" ", text)).strip()


def logical_reference(
    target: str, identifier: Identifier | None, type_code: str | None, options: FhirOptions
) -> dict[str, object] | None:
    """Refer to a resource by its business identifier.

    Args:
        target: Resource type, such as ``ServiceRequest``.
        identifier: Ours; None or blank gives None.
        type_code: Code of table 0203, such as ``PLAC``.
        options: For the authority's system.

    Returns:
        A Reference, or None when there is nothing to refer by.
    """
    value = "" if identifier is None else printable(identifier.value)
    if identifier is None or not value:
        return None
    kind = {"type": {"coding": [{"system": V2_IDENTIFIER_TYPE, "code": type_code}]}}
    return {
        "type": target,
        "identifier": {
            **(kind if type_code else {}),
            **_assigned_by(identifier.authority, options),
            "value": value,
        },
    }


def patient_reference(identifier: Identifier | None, options: FhirOptions) -> object | None:
    """Refer to the patient, in the way that the site chose; None without one.

    A number (PID-3) or, of a FHIR report that gave none, the sender's own reference.
    """
    if identifier is not None and options.patient_reference == "literal":
        value = printable(identifier.value)
        if _PATIENT.fullmatch(value):
            return {"reference": value, "type": "Patient"}
        if _RESOURCE_ID.fullmatch(value):
            return {"reference": f"Patient/{value}", "type": "Patient"}
    return logical_reference("Patient", identifier, "MR", options)


def study_reference(study_instance_uid: str | None) -> dict[str, object] | None:
    """Refer to the ImagingStudy by its DICOM UID; None when it is no UID."""
    if study_instance_uid is None or not _OID.fullmatch(study_instance_uid):
        return None
    return {
        "type": "ImagingStudy",
        "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{study_instance_uid}"},
    }


def _assigned_by(authority: str | None, options: FhirOptions) -> dict[str, object]:
    name = printable(authority or "")
    if not name:
        return {}
    if name in options.identifier_systems:
        return {"system": options.identifier_systems[name]}
    if _URI.fullmatch(name):
        return {"system": name}
    for part in re.split(r"[&^]", name):  # an HL7 HD: namespace & universal id & its type
        if _OID.fullmatch(part):
            return {"system": f"urn:oid:{part}"}
    return {"assigner": {"display": name}}
