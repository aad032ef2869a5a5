"""What FHIR demands and fhir.resources lets pass; run on every resource before it leaves.

fhir.resources checks structure (unknown and missing elements, dates, one value[x]) but no required
binding, reference target, id length or invariant: it takes ``status: bogus``. It does carry those
tables, so this file walks what it parsed and enforces them. An error never quotes a value.

Standard: FHIR R4 Resource, DomainResource (dom-2 to dom-5), Reference (ref-1), Extension (ext-1),
Observation (obs-6, obs-7), Provenance, Device.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fhir.resources.R4B import get_fhir_model_class
from pydantic import BaseModel

from mappings.errors import GuardViolationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KNOWN_TYPES = frozenset({"Observation", "Provenance", "Device"})
STRING_BYTES_MAX = 1024 * 1024  # FHIR R4 data types: a string is at most 1 MB

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[^/]+)?")
_SPACE = re.compile(r"\s")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_OBSERVATION_STATUS = [
    "registered",
    "preliminary",
    "final",
    "amended",
    "corrected",
    "cancelled",
    "entered-in-error",
    "unknown",
]
_ABBREVIATED = "+"
"""Ends the list of codes in fhir.resources where the specification's short form is cut."""


def check_resource(resource: Mapping[str, object]) -> None:
    """Check a resource that we built: R4 and the house rules for a draft.

    Args:
        resource: JSON types; an Observation or a Provenance.

    Raises:
        GuardViolationError: ``where`` is a path such as ``Observation.basedOn[0]``.
    """
    parsed = check_r4(resource)
    for is_kept, reason, where in _house_rules(parsed):
        if not is_kept:
            raise GuardViolationError(reason, where)


def check_r4(resource: Mapping[str, object]) -> BaseModel:
    """Check any resource of a known type against R4, whoever wrote it.

    Returns:
        The parsed R4B model.

    Raises:
        GuardViolationError: ``where`` is a path without values or unknown names.
    """
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in KNOWN_TYPES:
        raise GuardViolationError("unknown_resource_type", "resourceType")
    try:
        parsed = get_fhir_model_class(kind).model_validate(resource)
    # A ValidationError's text prints its input and an unknown key stands in its loc; an unknown
    # contained type is a bare KeyError (fhir.resources 8.3).
    except (ValueError, KeyError, TypeError, AssertionError):
        raise GuardViolationError("structure", kind) from None
    _check_json(resource, kind)  # only now is every name in it one of FHIR's
    _check_model(parsed, kind, _contained_types(parsed))
    _check_contained(parsed, kind)
    _check_observation(parsed)
    return parsed


def _check_json(value: object, where: str) -> None:
    """R4 has no null, no empty element, and strings with something printable in them."""
    if value is None or value in ("", [], {}):
        raise GuardViolationError("empty_element", where)
    if isinstance(value, str):
        _check_string(value, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_json(item, f"{where}.{name}")


def _check_string(value: str, where: str) -> None:
    if not value.strip():
        raise GuardViolationError("empty_element", where)
    if _CONTROL.search(value):
        raise GuardViolationError("control_character", where)
    if where.endswith((".system", ".url")) and _SPACE.search(value):
        raise GuardViolationError("uri_with_space", where)
    if len(value.encode()) > STRING_BYTES_MAX:
        raise GuardViolationError("string_too_long", where)


def _elements(model: BaseModel) -> Iterator[tuple[str, object, Mapping[str, object]]]:
    """Yield what is set: path below the model, value, and what fhir.resources knows of it."""
    fields = type(model).model_fields
    for name in sorted(model.model_fields_set):
        info, value = fields[name], getattr(model, name)
        known = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        label = info.alias or name
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield f"{label}[{index}]", item, known
        elif value is not None:
            yield label, value, known


def _check_model(model: BaseModel, where: str, contained: Mapping[str, str]) -> None:
    kind = type(model).__name__
    _check_extension(model, where)
    for label, value, known in _elements(model):
        path = f"{where}.{label}"
        if label == "id" and not _ID.fullmatch(str(value)):
            raise GuardViolationError("id", path)
        if not _is_bound(kind, label, value, known.get("enum_values")):
            raise GuardViolationError("code_not_in_required_binding", path)
        if type(value).__name__ == "Reference":
            _check_reference(value, path, known.get("enum_reference_types"), contained)
        if isinstance(value, BaseModel):
            _check_model(value, path, contained)


def _is_bound(kind: str, label: str, value: object, codes: object) -> bool:
    if (kind, label) == ("Observation", "status"):
        return value in _OBSERVATION_STATUS
    return not isinstance(codes, list) or _ABBREVIATED in codes or value in codes


def _check_extension(model: BaseModel, where: str) -> None:
    if type(model).__name__ != "Extension":
        return
    has_value = any(name.startswith("value") for name in model.model_fields_set)
    if has_value == ("extension" in model.model_fields_set):
        raise GuardViolationError("ext-1", where)


def _check_reference(
    reference: object, where: str, targets: object, contained: Mapping[str, str]
) -> None:
    stated = getattr(reference, "type", None)
    found = _referred_type(reference, where, contained) or stated
    if stated is not None and stated != found:
        raise GuardViolationError("reference_type_differs", where)
    if not isinstance(targets, list) or "Resource" in targets or found is None:
        return
    if found not in targets:
        raise GuardViolationError("reference_target_type", where)


def _referred_type(reference: object, where: str, contained: Mapping[str, str]) -> str | None:
    url = getattr(reference, "reference", None)
    if not isinstance(url, str):
        if all(getattr(reference, name, None) is None for name in ("identifier", "display")):
            raise GuardViolationError("reference_to_nothing", where)
        return None
    if url.startswith("#"):
        if url[1:] not in contained:
            raise GuardViolationError("ref-1", where)
        return contained[url[1:]]
    match = _REFERENCE.fullmatch(url)
    if match is None and not url.startswith("urn:"):
        raise GuardViolationError("reference_format", where)
    return match[1] if match else None


def _contained_types(parsed: BaseModel) -> dict[str, str]:
    contained = getattr(parsed, "contained", None) or []
    return {resource.id: type(resource).__name__ for resource in contained if resource.id}


def _check_contained(parsed: BaseModel, kind: str) -> None:
    used = set(_local_references(parsed))
    for index, resource in enumerate(getattr(parsed, "contained", None) or []):
        where = f"{kind}.contained[{index}]"
        if getattr(resource, "contained", None):
            raise GuardViolationError("dom-2", where)
        if resource.id is None or f"#{resource.id}" not in used:
            raise GuardViolationError("dom-3", where)
        meta = resource.meta
        if meta is not None and (meta.versionId or meta.lastUpdated):
            raise GuardViolationError("dom-4", where)
        if meta is not None and meta.security:
            raise GuardViolationError("dom-5", where)


def _local_references(model: BaseModel) -> Iterator[str]:
    url = getattr(model, "reference", None)
    if isinstance(url, str) and url.startswith("#"):
        yield url
    for _, value, _ in _elements(model):
        if isinstance(value, BaseModel):
            yield from _local_references(value)


def _check_observation(parsed: BaseModel) -> None:
    if type(parsed).__name__ != "Observation":
        return
    has_value = any(name.startswith("value") for name in parsed.model_fields_set)
    if has_value and "dataAbsentReason" in parsed.model_fields_set:
        raise GuardViolationError("obs-6", "Observation.dataAbsentReason")
    if has_value and _codes(parsed) & {
        code for part in getattr(parsed, "component", None) or [] for code in _codes(part)
    }:
        raise GuardViolationError("obs-7", "Observation.component")


def _codes(owner: object) -> set[tuple[str | None, str | None]]:
    concept = getattr(owner, "code", None)
    return {(code.system, code.code) for code in getattr(concept, "coding", None) or []}


def _house_rules(parsed: object) -> Iterator[tuple[bool, str, str]]:
    def of(*names: str) -> object:
        found: object = parsed
        for name in names:
            found = getattr(found, name, None)
        return found

    if type(parsed).__name__ == "Provenance":
        yield bool(of("entity")), "source_missing", "Provenance.entity"
        return
    yield of("status") == "preliminary", "status_not_preliminary", "Observation.status"
    yield bool(of("valueString")), "text_missing", "Observation.valueString"
    yield bool(of("identifier")), "identity_missing", "Observation.identifier"
    yield bool(of("device")), "device_missing", "Observation.device"
    yield bool(of("note")), "review_note_missing", "Observation.note"
    yield bool(of("meta", "security")), "label_missing", "Observation.meta.security"
    # A machine is no performer, and focus would say that the patient is not what this is about.
    yield not of("performer"), "performer_present", "Observation.performer"
    yield not of("focus"), "focus_present", "Observation.focus"
    yield _is_imaging(of("category")), "category_not_imaging", "Observation.category"


def _is_imaging(categories: object) -> bool:
    items = categories if isinstance(categories, list) else []
    return any(code.code == "imaging" for item in items for code in item.coding or [])
