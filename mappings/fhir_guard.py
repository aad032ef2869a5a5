"""What FHIR demands and fhir.resources lets pass; run on every resource before it leaves.

fhir.resources checks structure (unknown and missing elements, dates, one value[x]) but no required
binding, reference target, id length or invariant: it takes ``status: bogus`` and base64 of ``@@@``.
It does carry most of those tables, so this file walks what it parsed and enforces them. An error
never quotes a value.

Standard: FHIR R4, R4B and R5: data types, Resource, Reference (ref-1), Extension (ext-1), required
bindings. Invariants of single types: ``fhir_invariants``; what drafts must say: ``fhir_house``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import fhir.resources
import fhir.resources.R4B
from pydantic import BaseModel

from mappings.errors import GuardViolationError
from mappings.fhir_bindings import is_bound
from mappings.fhir_house import house_rules
from mappings.fhir_invariants import broken_invariant
from mappings.fhir_xhtml import check_narrative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.fhir_elements import FhirVersion

KNOWN_TYPES = frozenset({"AuditEvent", "Device", "Observation", "Provenance", "Task"})
"""What we write, and so what the embedded store takes."""
STRING_BYTES_MAX = 1024 * 1024  # FHIR R4 data types: a string is at most 1 MB

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[^/]+)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_SPACE = re.compile(r"\s")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a reference may mean where it stands: types by local id, and by fullUrl of a Bundle."""

    contained: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    entries: Mapping[str, str] | None = None


def check_resource(resource: Mapping[str, Any], version: FhirVersion = "R4") -> None:
    """Check a resource that we built: its version's rules and ours.

    Args:
        resource: JSON types; of ``KNOWN_TYPES``, or a transaction Bundle of those.
        version: R4 and R4B are the same here.

    Raises:
        GuardViolationError: ``where`` is a path such as ``Observation.basedOn[0]``.
    """
    check_fhir(resource, version)
    inside = [
        (f"Bundle.entry[{index}].resource", entry["resource"])
        for index, entry in enumerate(resource.get("entry", []))
        if "resource" in entry
    ]
    for place, each in [(str(resource["resourceType"]), resource), *inside]:
        for is_kept, reason, where in house_rules(each, version):
            if not is_kept:
                raise GuardViolationError(reason, where.replace(each["resourceType"], place, 1))


def check_r4(resource: Mapping[str, Any]) -> BaseModel:
    """Check any resource of a known type against R4, whoever wrote it; see ``check_fhir``."""
    return check_fhir(resource, "R4")


def check_fhir(resource: Mapping[str, Any], version: FhirVersion) -> BaseModel:
    """Check any resource of a known type, whoever wrote it.

    Returns:
        The parsed model.

    Raises:
        GuardViolationError: ``where`` is a path without values or unknown names.
    """
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in KNOWN_TYPES | {"Bundle"}:
        raise GuardViolationError("unknown_resource_type", "resourceType")
    classes = fhir.resources if version == "R5" else fhir.resources.R4B
    try:
        parsed: BaseModel = classes.get_fhir_model_class(kind).model_validate(resource)
    # A ValidationError's text prints its input and an unknown key stands in its loc; an unknown
    # contained type is a bare KeyError, an extension that is no object an AttributeError
    # (fhir.resources 8.3).
    except (ValueError, KeyError, TypeError, AssertionError, AttributeError):
        raise GuardViolationError("structure", kind) from None
    _check_json(resource, kind)  # only now is every name in it one of FHIR's
    _check_whole(parsed, resource, kind, _Scope(entries=_entries(parsed)))
    return parsed


def _check_whole(parsed: BaseModel, resource: Mapping[str, Any], where: str, outer: _Scope) -> None:
    """Check one resource with what it contains: references are looked up within it."""
    contained = getattr(parsed, "contained", None) or []
    known = {each.id: type(each).__name__ for each in contained if each.id}
    _check_model(parsed, resource, where, _Scope(known, outer.entries))
    found = broken_invariant(resource)
    if found is not None:
        reason, place = found
        raise GuardViolationError(reason, place.replace(resource["resourceType"], where, 1))


def _check_json(value: object, where: str) -> None:
    """FHIR has no null, no empty element, and strings with something printable in them."""
    if value is None or value in ("", [], {}):
        raise GuardViolationError("empty_element", where)
    if isinstance(value, str):
        _check_string(value, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{where}[{index}]")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_json(item, f"{where}.{name}")


def _check_string(value: str, where: str) -> None:
    if not value.strip():
        raise GuardViolationError("empty_element", where)
    if _CONTROL.search(value):
        raise GuardViolationError("control_character", where)
    if where.endswith((".system", ".url", ".fullUrl")) and _SPACE.search(value):
        raise GuardViolationError("uri_with_space", where)
    if len(value.encode()) > STRING_BYTES_MAX:
        raise GuardViolationError("string_too_long", where)


def _elements(
    model: BaseModel, raw: Mapping[str, Any]
) -> Iterator[tuple[str, object, Any, Mapping[str, Any]]]:
    """Yield what is set: path below the model, parsed, as sent, what fhir.resources knows of it."""
    fields = type(model).model_fields
    for name in sorted(model.model_fields_set):
        info, value = fields[name], getattr(model, name)
        known = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        label = info.alias or name
        sent = raw.get(label)
        if isinstance(value, list) and isinstance(sent, list):
            for index, item in enumerate(value):
                yield f"{label}[{index}]", item, sent[index], known
        elif value is not None:
            yield label, value, sent, known


def _check_model(model: BaseModel, raw: Mapping[str, Any], where: str, scope: _Scope) -> None:
    kind = type(model).__name__
    _check_extension(model, where)
    for label, value, sent, known in _elements(model, raw):
        path = f"{where}.{label}"
        if isinstance(value, BaseModel):
            _check_part(value, sent, path, scope, known)
        else:
            _check_primitive(value, sent, path)
        if not is_bound(kind, label, value, known.get("enum_values")):
            raise GuardViolationError("code_not_in_required_binding", path)


def _check_part(
    part: BaseModel, sent: Mapping[str, Any], path: str, scope: _Scope, known: Mapping[str, Any]
) -> None:
    kind, targets = type(part).__name__, known.get("enum_reference_types")
    referred = getattr(part, "reference", None) if kind == "CodeableReference" else part
    if kind in ("Reference", "CodeableReference") and referred is not None:
        _check_reference(referred, path, targets, scope)
    if "resourceType" in sent and scope.entries is not None and ".entry[" in path:
        _check_whole(part, sent, path, scope)
    else:
        _check_model(part, sent, path, scope)


def _check_primitive(value: object, sent: object, path: str) -> None:
    """What JSON says must be of the element's own type: pydantic takes ``"5"`` for a number."""
    name = path.rsplit(".", 1)[-1]
    if name == "id" and not _ID.fullmatch(str(value)):
        raise GuardViolationError("id", path)
    if name == "language" and not _LANGUAGE.fullmatch(str(value)):
        raise GuardViolationError("language", path)
    if isinstance(value, bytes):
        _check_base64(sent, path)
    elif name == "div":
        check_narrative(str(sent), path)
    elif isinstance(sent, str) != (isinstance(value, str) or hasattr(value, "isoformat")):
        raise GuardViolationError("json_type", path)


def _check_base64(sent: object, path: str) -> None:
    try:
        base64.b64decode(_SPACE.sub("", str(sent)), validate=True)
    except binascii.Error:
        raise GuardViolationError("base64", path) from None


def _check_extension(model: BaseModel, where: str) -> None:
    if type(model).__name__ != "Extension":
        return
    has_value = any(name.startswith("value") for name in model.model_fields_set)
    if has_value == ("extension" in model.model_fields_set):
        raise GuardViolationError("ext-1", where)


def _check_reference(reference: object, where: str, targets: object, scope: _Scope) -> None:
    stated = getattr(reference, "type", None)
    found = _referred_type(reference, where, scope) or stated
    if stated is not None and stated != found:
        raise GuardViolationError("reference_type_differs", where)
    if not isinstance(targets, list) or "Resource" in targets or found is None:
        return
    if found not in targets:
        raise GuardViolationError("reference_target_type", where)


def _referred_type(reference: object, where: str, scope: _Scope) -> str | None:
    url = getattr(reference, "reference", None)
    if not isinstance(url, str):
        if all(getattr(reference, name, None) is None for name in ("identifier", "display")):
            raise GuardViolationError("reference_to_nothing", where)
        return None
    if url.startswith("#"):
        if url[1:] not in scope.contained:
            raise GuardViolationError("ref-1", where)
        return scope.contained[url[1:]]
    if url.startswith("urn:"):
        return _named_type(url, where, scope)
    match = _REFERENCE.fullmatch(url)
    if match is None:
        raise GuardViolationError("reference_format", where)
    return match[1]


def _named_type(url: str, where: str, scope: _Scope) -> str | None:
    """A urn: reference names an entry of the same Bundle, or nothing that a server could find."""
    if scope.entries is None:
        raise GuardViolationError("reference_format", where)
    if url not in scope.entries:
        raise GuardViolationError("reference_to_no_entry", where)
    return scope.entries[url]


def _entries(parsed: BaseModel) -> dict[str, str] | None:
    if type(parsed).__name__ != "Bundle":
        return None
    entries = getattr(parsed, "entry", None) or []
    return {
        entry.fullUrl: type(entry.resource).__name__
        for entry in entries
        if entry.fullUrl and entry.resource
    }
