"""What each resource of a draft must say beyond FHIR, so that nobody takes it for a person's word.

A draft is preliminary, labelled, signed by its machine and about a patient's images; a Task waits
for a person; an AuditEvent names both ends of what was done. No status of a human's is ever ours.

Standard: house rules; IHE BALP for AuditEvent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from mappings.fhir_elements import FhirVersion

Resource: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = tuple[bool, str, str]

_CLIENT, _SERVER = "110153", "110152"
_ACTIONS = {"create": "C", "update": "U"}


def house_rules(resource: Resource, version: FhirVersion) -> Iterator[Answer]:
    """Yield each rule of ours: whether it is kept, its name, and where it is broken if not."""
    # FHIR counts a required element as there that has an extension alone, and no value.
    yield not _has_extended_primitive(resource), "extended_primitive", resource["resourceType"]
    yield from _OF_TYPE[resource["resourceType"]](resource, version)


def _has_extended_primitive(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_extended_primitive, value))
    if isinstance(value, Mapping):
        names = any(name.startswith("_") for name in value)
        return names or any(map(_has_extended_primitive, value.values()))
    return False


def _observation(resource: Resource, _version: FhirVersion) -> Iterator[Answer]:
    security = resource.get("meta", {}).get("security")
    yield resource.get("status") == "preliminary", "status_not_preliminary", "Observation.status"
    yield bool(resource.get("valueString")), "text_missing", "Observation.valueString"
    yield bool(resource.get("identifier")), "identity_missing", "Observation.identifier"
    yield bool(resource.get("device")), "device_missing", "Observation.device"
    yield bool(resource.get("note")), "review_note_missing", "Observation.note"
    yield bool(security), "label_missing", "Observation.meta.security"
    # A machine is no performer, and focus would say that the patient is not what this is about.
    yield not resource.get("performer"), "performer_present", "Observation.performer"
    yield not resource.get("focus"), "focus_present", "Observation.focus"
    is_imaging = "imaging" in _codes(*resource.get("category", []))
    yield is_imaging, "category_not_imaging", "Observation.category"


def _provenance(resource: Resource, version: FhirVersion) -> Iterator[Answer]:
    sources = [each for each in resource.get("entity", []) if each["role"] == "source"]
    kinds = [_codes(agent.get("type", {})) for agent in resource["agent"]]
    why = "authorization" if version == "R5" else "reason"
    yield bool(sources), "source_missing", "Provenance.entity"
    yield {"author"} in kinds, "author_missing", "Provenance.agent"
    yield bool(resource.get(why)), "label_missing", f"Provenance.{why}"
    yield "recorded" in resource, "time_missing", "Provenance.recorded"


def _device(resource: Resource, version: FhirVersion) -> Iterator[Answer]:
    name = "name" if version == "R5" else "deviceName"
    yield bool(resource.get("type")), "type_missing", "Device.type"
    yield bool(resource.get(name)), "name_missing", f"Device.{name}"
    yield bool(resource.get("version")), "versions_missing", "Device.version"
    yield bool(resource.get("identifier")), "identity_missing", "Device.identifier"


def _task(resource: Resource, _version: FhirVersion) -> Iterator[Answer]:
    yield resource.get("status") == "requested", "status_not_requested", "Task.status"
    yield resource.get("intent") in ("proposal", "order"), "intent_not_asking", "Task.intent"
    yield "approve" in _codes(resource.get("code", {})), "code_not_review", "Task.code"
    yield "focus" in resource, "focus_missing", "Task.focus"
    yield bool(resource.get("identifier")), "identity_missing", "Task.identifier"


def _audit_event(resource: Resource, version: FhirVersion) -> Iterator[Answer]:
    is_r5 = version == "R5"
    done = {code.get("code") for code in _interactions(resource, is_r5=is_r5)}
    kinds = [_codes(agent.get("type", {})) for agent in resource["agent"]]
    outcome = resource.get("outcome", {})
    code = outcome.get("code", {}).get("code") if is_r5 else outcome
    where = "AuditEvent.code" if is_r5 else "AuditEvent.subtype"
    yield done <= set(_ACTIONS) and len(done) == 1, "interaction_not_a_write", where
    yield (
        resource.get("action") in [_ACTIONS.get(each or "") for each in done],
        "action_differs",
        "AuditEvent.action",
    )
    yield code == "0", "outcome_not_success", "AuditEvent.outcome"
    yield kinds.count({_CLIENT}) == 1, "client_missing", "AuditEvent.agent"
    yield kinds.count({_SERVER}) == 1, "server_missing", "AuditEvent.agent"
    data = [
        each["what"]["reference"] for each in _entities(resource) if "reference" in each["what"]
    ]
    request = [each for each in _entities(resource) if "XrequestId" in _kinds(each)]
    yield bool(data), "data_missing", "AuditEvent.entity"
    yield len(request) == 1, "request_id_missing", "AuditEvent.entity"


def _interactions(event: Resource, *, is_r5: bool) -> list[Resource]:
    found = event.get("code", {}).get("coding", []) if is_r5 else event.get("subtype", [])
    return list(found)


def _entities(event: Resource) -> list[Resource]:
    return [each for each in event.get("entity", []) if "what" in each]


def _kinds(entity: Resource) -> set[str]:
    """Return what an entity is: its type in R4, its role in R5."""
    return {entity.get("type", {}).get("code", ""), *_codes(entity.get("role", {}))}


def _bundle(resource: Resource, _version: FhirVersion) -> Iterator[Answer]:
    yield resource["type"] == "transaction", "bundle_not_transaction", "Bundle.type"
    yield bool(resource.get("entry")), "bundle_empty", "Bundle.entry"
    for index, entry in enumerate(resource.get("entry", [])):
        where = f"Bundle.entry[{index}]"
        request, held = entry["request"], entry.get("resource", {})
        named = f"{held.get('resourceType')}/{held.get('id')}"
        yield "fullUrl" in entry, "full_url_missing", where
        yield "resource" in entry, "resource_missing", where
        if request["method"] == "POST":
            yield bool(request.get("ifNoneExist")), "condition_missing", f"{where}.request"
            yield request["url"] == held.get("resourceType"), "url_differs", f"{where}.request.url"
        else:
            yield request["method"] == "PUT", "method_not_a_write", f"{where}.request.method"
            yield request["url"] == named, "url_differs", f"{where}.request.url"


def _codes(*concepts: Resource) -> set[str]:
    codings = [coding for each in concepts for coding in each.get("coding", [])]
    return {coding["code"] for coding in codings if "code" in coding}


_OF_TYPE: Mapping[str, Callable[[Resource, FhirVersion], Iterator[Answer]]] = {
    "AuditEvent": _audit_event,
    "Bundle": _bundle,
    "Device": _device,
    "Observation": _observation,
    "Provenance": _provenance,
    "Task": _task,
}
