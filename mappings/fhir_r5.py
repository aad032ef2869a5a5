"""FHIR R5 from R4: the shape of each resource that we write, where R5 names things otherwise.

Every resource is built once, as R4, and turned here; R4B needs no turning. What we write is little
and known, so each element has its rule, and nothing else is ever given to these functions.

Standard: FHIR R5 (5.0.0) Device, Provenance, AuditEvent, Task; Observation and Bundle keep the
elements that we use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mappings.fhir_elements import FhirVersion

_OUTCOMES = "http://terminology.hl7.org/CodeSystem/audit-event-outcome"
_URI = "5"


def in_version(resource: Mapping[str, Any], version: FhirVersion) -> dict[str, Any]:
    """Return a resource of ours, built as R4, in the shape of a version.

    Args:
        resource: JSON types; what it contains, or a Bundle's entries hold, is turned with it.
        version: R4 and R4B leave it as it is.

    Returns:
        A new dictionary; the input stays as it was.
    """
    return dict(resource) if version != "R5" else _as_r5(resource)


def _as_r5(resource: Mapping[str, Any]) -> dict[str, Any]:
    turn = _TURNS.get(resource["resourceType"], dict)
    turned = turn(resource)
    if "contained" in turned:
        turned["contained"] = [_as_r5(each) for each in turned["contained"]]
    if resource["resourceType"] == "Bundle":
        turned["entry"] = [
            {**entry, "resource": _as_r5(entry["resource"])} for entry in turned["entry"]
        ]
    return turned


def _device(device: Mapping[str, Any]) -> dict[str, Any]:
    names = device["deviceName"]
    kept = {name: value for name, value in device.items() if name != "deviceName"}
    models = [each["name"] for each in names if each["type"] == "model-name"]
    return {
        **kept,
        "type": [device["type"]],
        "name": [
            {"value": each["name"], "type": each["type"]}
            for each in names
            if each["type"] != "model-name"  # no R5 name: it is the modelNumber there
        ],
        **({"modelNumber": models[0]} if models else {}),
    }


def _provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in provenance.items() if name != "reason"}
    return {**kept, "authorization": [{"concept": reason} for reason in provenance["reason"]]}


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in task.items() if name != "performerType"}
    performers = [{"concept": each} for each in task.get("performerType", [])]
    return {**kept, **({"requestedPerformer": performers} if performers else {})}


def _audit_event(event: Mapping[str, Any]) -> dict[str, Any]:
    gone = ("type", "subtype", "outcome", "agent", "entity", "source")
    kept = {name: value for name, value in event.items() if name not in gone}
    # BALP's profiles are R4's: an R5 resource cannot claim them.
    meta = {name: value for name, value in event["meta"].items() if name != "profile"}
    patients = [each["what"] for each in event["entity"] if each["type"]["code"] == "1"]
    return {
        **kept,
        "meta": meta,
        "category": [{"coding": [event["type"]]}],
        "code": {"coding": event["subtype"]},
        "outcome": {"code": {"system": _OUTCOMES, "code": event["outcome"]}},
        "agent": [_agent(agent) for agent in event["agent"]],
        "source": {
            "observer": event["source"]["observer"],
            "type": [{"coding": [kind]} for kind in event["source"]["type"]],
        },
        "entity": [_entity(entity) for entity in event["entity"]],
        **({"patient": patients[0]} if patients else {}),
    }


def _agent(agent: Mapping[str, Any]) -> dict[str, Any]:
    network = agent["network"]
    kept = {name: value for name, value in agent.items() if name != "network"}
    kind = "networkUri" if network["type"] == _URI else "networkString"
    return {**kept, kind: network["address"]}


def _entity(entity: Mapping[str, Any]) -> dict[str, Any]:
    """R5 has no entity.type: what has no role keeps its type as one."""
    labels = [{"coding": [label]} for label in entity.get("securityLabel", [])]
    return {
        "what": entity["what"],
        "role": {"coding": [entity.get("role", entity["type"])]},
        **({"securityLabel": labels} if labels else {}),
    }


_TURNS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "Device": _device,
    "Provenance": _provenance,
    "Task": _task,
    "AuditEvent": _audit_event,
}
