"""Invariants of single resource types, as questions to their JSON.

Standard: FHIR R4 (4.0.1), with the same ones in R5: DomainResource dom-2 to dom-5, Observation
obs-6 and obs-7, AuditEvent sev-1, Task inv-1, Bundle bdl-1 to bdl-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

Resource: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = tuple[bool, str, str]
"""Whether it is kept, the invariant's name, and where it is broken when it is not."""

_WITH_SEARCH = ("searchset",)
_WITH_TOTAL = ("searchset", "history")
_WITH_REQUEST = ("batch", "transaction", "history")
_WITH_RESPONSE = ("batch-response", "transaction-response", "history")


def broken_invariant(resource: Resource) -> tuple[str, str] | None:
    """Return name and place of the first invariant that a resource breaks; None for none."""
    kind = resource["resourceType"]
    answers = [_contained(resource), _OF_TYPE.get(kind, _none)(resource)]
    return next(
        ((name, where) for each in answers for is_kept, name, where in each if not is_kept), None
    )


def _none(_resource: Resource) -> Iterator[Answer]:
    yield from ()


def _contained(resource: Resource) -> Iterator[Answer]:
    kind, used = resource["resourceType"], set(_local_references(resource))
    for index, each in enumerate(resource.get("contained", [])):
        where = f"{kind}.contained[{index}]"
        meta = each.get("meta", {})
        yield "contained" not in each, "dom-2", where
        yield f"#{each.get('id')}" in used, "dom-3", where
        yield not ({"versionId", "lastUpdated"} & set(meta)), "dom-4", where
        yield "security" not in meta, "dom-5", where


def _local_references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _local_references(item)
    elif isinstance(value, Mapping):
        url = value.get("reference")
        if isinstance(url, str) and url.startswith("#"):
            yield url
        for item in value.values():
            yield from _local_references(item)


def _observation(resource: Resource) -> Iterator[Answer]:
    has_value = any(name.startswith("value") for name in resource)
    has_both = has_value and "dataAbsentReason" in resource
    repeated = _codes(resource) & {
        code for part in resource.get("component", []) for code in _codes(part)
    }
    yield not has_both, "obs-6", "Observation.dataAbsentReason"
    yield not (has_value and repeated), "obs-7", "Observation.component"


def _codes(owner: Resource) -> set[tuple[str | None, str | None]]:
    codings = owner.get("code", {}).get("coding", [])
    return {(coding.get("system"), coding.get("code")) for coding in codings}


def _audit_event(resource: Resource) -> Iterator[Answer]:
    for index, entity in enumerate(resource.get("entity", [])):
        yield not {"name", "query"} <= set(entity), "sev-1", f"AuditEvent.entity[{index}]"


def _task(resource: Resource) -> Iterator[Answer]:
    first, last = resource.get("authoredOn"), resource.get("lastModified")
    is_kept = first is None or last is None or _moment(first) <= _moment(last)
    yield is_kept, "inv-1", "Task.lastModified"


def _moment(value: str) -> datetime:
    """Return a dateTime in its own order; a partial date begins with its first day."""
    text = value if "T" in value else f"{value}{'-01-01'[len(value) - 4 :]}T00:00:00Z"
    return datetime.fromisoformat(text)


def _bundle(resource: Resource) -> Iterator[Answer]:
    kind, entries = resource["type"], resource.get("entry", [])
    yield "total" not in resource or kind in _WITH_TOTAL, "bdl-1", "Bundle.total"
    for index, entry in enumerate(entries):
        yield from _entry(entry, kind, f"Bundle.entry[{index}]")
    names = [
        (entry["fullUrl"], entry.get("resource", {}).get("meta", {}).get("versionId"))
        for entry in entries
        if "fullUrl" in entry
    ]
    yield kind == "history" or len(names) == len(set(names)), "bdl-7", "Bundle.entry"
    yield from _document_or_message(resource)


def _entry(entry: Resource, kind: str, where: str) -> Iterator[Answer]:
    has_request, has_response = "request" in entry, "response" in entry
    yield "search" not in entry or kind in _WITH_SEARCH, "bdl-2", f"{where}.search"
    yield has_request == (kind in _WITH_REQUEST), "bdl-3", f"{where}.request"
    yield has_response == (kind in _WITH_RESPONSE), "bdl-4", f"{where}.response"
    yield "resource" in entry or has_request or has_response, "bdl-5", where
    yield "/_history/" not in entry.get("fullUrl", ""), "bdl-8", f"{where}.fullUrl"


def _document_or_message(resource: Resource) -> Iterator[Answer]:
    kind = resource["type"]
    identifier = resource.get("identifier", {})
    kinds = [entry.get("resource", {}).get("resourceType") for entry in resource.get("entry", [])]
    first = kinds[0] if kinds else None
    if kind == "document":
        yield {"system", "value"} <= set(identifier), "bdl-9", "Bundle.identifier"
        yield "timestamp" in resource, "bdl-10", "Bundle.timestamp"
        yield first == "Composition", "bdl-11", "Bundle.entry[0]"
    if kind == "message":
        yield first == "MessageHeader", "bdl-12", "Bundle.entry[0]"


_OF_TYPE: Mapping[str, Callable[[Resource], Iterator[Answer]]] = {
    "AuditEvent": _audit_event,
    "Bundle": _bundle,
    "Observation": _observation,
    "Task": _task,
}
