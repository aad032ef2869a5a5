"""What our FHIR door can do, said as a CapabilityStatement; a test tries each thing that it says.

Standard: FHIR R4 CapabilityStatement; Subscriptions R5 Backport (backport-subscription-server-r4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.fhir_elements import FHIR_JSON
from mappings.fhir_notification import backport_capability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READ = ("read", "vread", "search-type")
TAKE = ("create", "update")
SUBSCRIBE = ("create", "read", "update", "delete", "search-type")
SUBSCRIPTION_PARAMETERS = (("_id", "token"), ("status", "token"), ("url", "uri"))
INTAKE = "DiagnosticReport"
_CHANGED = "2026-11-21"
_PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_GUIDE = (
    "http://hl7.org/fhir/uv/subscriptions-backport"
    "/CapabilityStatement/backport-subscription-server-r4"
)


def build_capability_statement(
    base_url: str,
    parameters: Mapping[str, Sequence[tuple[str, str]]],
    *,
    fhir_version: str,
    software_version: str,
    is_intake_open: bool,
) -> dict[str, object]:
    """Build the statement.

    Args:
        base_url: Of the door.
        parameters: Name and type of each search parameter, by the types that are served.
        fhir_version: Of the drafts, such as ``4.0.1``.
        software_version: Of prelim.
        is_intake_open: Whether DiagnosticReports are taken in, alone or in a Bundle.

    Returns:
        The resource as JSON types.
    """
    resources = [_served(kind, found) for kind, found in parameters.items()]
    taken: dict[str, object] = {
        "type": INTAKE,
        "interaction": [{"code": code} for code in TAKE],
        "conditionalCreate": True,
    }
    subscription = _resource("Subscription", SUBSCRIBE, SUBSCRIPTION_PARAMETERS)
    bundle: dict[str, object] = {"type": "Bundle", "interaction": [{"code": "create"}]}
    resources += [taken, bundle] if is_intake_open else []
    resources.append({**subscription, **backport_capability()})
    rest: dict[str, object] = {"mode": "server", "resource": resources}
    if is_intake_open:
        rest["interaction"] = [{"code": "transaction"}, {"code": "batch"}]
        rest["operation"] = [{"name": "process-message", "definition": _PROCESS_MESSAGE}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _CHANGED,
        "kind": "instance",
        "instantiates": [_GUIDE],
        "fhirVersion": fhir_version,
        "format": [FHIR_JSON, "json"],
        "software": {"name": "prelim", "version": software_version},
        "implementation": {
            "description": "Machine-drafted impressions of radiology reports, unreviewed",
            "url": base_url,
        },
        "rest": [rest],
    }


def _served(kind: str, found: Sequence[tuple[str, str]]) -> dict[str, object]:
    return {
        **_resource(kind, READ, found),
        "versioning": "versioned",
        "readHistory": True,
        "conditionalRead": "full-support",
    }


def _resource(
    kind: str, interactions: Sequence[str], found: Sequence[tuple[str, str]]
) -> dict[str, object]:
    return {
        "type": kind,
        "interaction": [{"code": code} for code in interactions],
        "searchParam": [{"name": name, "type": type_} for name, type_ in found],
    }
