"""What prelim wrote to a FHIR server, as the server's own audit trail wants to read it.

Made at the moment of a successful write. Its id names that very change (the resource, its version,
its bytes), so that a repeat makes none. The patient stands in it as in the draft: by identifier.

Standard: IHE BALP 1.1 (Basic Audit Log Patterns) PatientCreate and PatientUpdate on FHIR R4
AuditEvent; Create and Update where the report names no patient. The profiles are of success alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from mappings.domain import Companion
from mappings.fhir_elements import canonical_json, codeable, coding, companion_meta, instant
from mappings.fhir_guard import check_resource
from mappings.fhir_r5 import in_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mappings.fhir_elements import FhirOptions

BALP = "https://profiles.ihe.net/ITI/BALP"
REQUEST_ID = coding(
    f"{BALP}/CodeSystem/BasicAuditEntityType",
    "XrequestId",
    "transport specific unique identifier where http X-Request-Id is used",
)
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_IP_ADDRESS, _URI = "2", "5"
_INTERACTIONS = {"create": ("C", "Create"), "update": ("U", "Update")}


@dataclass(frozen=True, slots=True)
class Write:
    """One successful write: which resource of which version, over which connection.

    ``reference`` is ``Observation/ID`` as the server names it, ``resource`` the bytes it took;
    ``client_address`` our IP address there, ``request_id`` the X-Request-Id that was sent.
    """

    interaction: Literal["create", "update"]
    reference: str
    version_id: str | None
    resource: bytes = field(repr=False)
    base_url: str
    client_address: str
    request_id: str


def build_audit_event(write: Write, options: FhirOptions, *, now: datetime) -> Companion:
    """Build the AuditEvent of one write.

    Args:
        write: What was written, where and as which request.
        options: Its version.
        now: When; aware.

    Returns:
        The AuditEvent; the same write gives the same id, whenever it is asked for.

    Raises:
        GuardViolationError: What was built would break FHIR.
    """
    document: dict[str, Any] = json.loads(write.resource)
    version = "" if write.version_id is None else f"/_history/{write.version_id}"
    named = f"{write.reference}{version}\n".encode()
    id_ = f"prelim-{hashlib.sha256(named + write.resource).hexdigest()[:48]}"
    action, profile = _INTERACTIONS[write.interaction]
    patient = document.get("subject")
    profile = f"{BALP}/StructureDefinition/IHE.BasicAudit.{'Patient' if patient else ''}{profile}"
    event = {
        "resourceType": "AuditEvent",
        "id": id_,
        "meta": {**companion_meta(id_), "profile": [profile]},
        "type": coding(f"{_TERMINOLOGY}/audit-event-type", "rest", "Restful Operation"),
        "subtype": [
            coding("http://hl7.org/fhir/restful-interaction", write.interaction, write.interaction)
        ],
        "action": action,
        "recorded": instant(now),
        "outcome": "0",
        "agent": _agents(write),
        "source": {
            "observer": {"type": "Device", "display": "prelim"},
            "type": [coding(f"{_TERMINOLOGY}/security-source-type", "4", "Application Server")],
        },
        "entity": _entities(write, document, f"{write.reference}{version}"),
    }
    written = in_version(event, options.version)
    check_resource(written, options.version)
    return Companion("AuditEvent", id_, canonical_json(written))


def _agents(write: Write) -> list[dict[str, object]]:
    return [
        {
            "type": codeable(_DICOM, "110153", "Source Role ID"),
            "who": {"type": "Device", "display": "prelim"},
            "requestor": True,
            "network": {"address": write.client_address, "type": _IP_ADDRESS},
        },
        {
            "type": codeable(_DICOM, "110152", "Destination Role ID"),
            "who": {"display": urlsplit(write.base_url).hostname or "FHIR server"},
            "requestor": False,
            "network": {"address": _without_user(write.base_url), "type": _URI},
        },
    ]


def _entities(write: Write, document: Mapping[str, Any], versioned: str) -> list[dict[str, object]]:
    data = {
        "what": {"reference": versioned, "type": document["resourceType"]},
        "type": coding(f"{_TERMINOLOGY}/audit-entity-type", "2", "System Object"),
        "role": coding(f"{_TERMINOLOGY}/object-role", "4", "Domain Resource"),
    }
    labels = document.get("meta", {}).get("security")
    patient = {
        "what": document.get("subject"),
        "type": coding(f"{_TERMINOLOGY}/audit-entity-type", "1", "Person"),
        "role": coding(f"{_TERMINOLOGY}/object-role", "1", "Patient"),
    }
    request = {"what": {"identifier": {"value": write.request_id}}, "type": REQUEST_ID}
    return [
        {**data, **({"securityLabel": labels} if labels else {})},
        *([patient] if patient["what"] else []),
        request,
    ]


def _without_user(url: str) -> str:
    """Leave out user and password: a URL of the settings may hold them."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
