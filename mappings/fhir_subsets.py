"""Parts of a resource, for a client that wants no more: ``_summary`` and ``_elements``.

A part is marked SUBSETTED, so that nobody writes it back as if it were whole; what its type demands
is always in it.

Standard: FHIR R4 Search (_summary, _elements).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fhir.resources.R4B import get_fhir_model_class

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARIES = ("true", "text", "data", "count", "false")
_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS = frozenset({"resourceType", "id", "meta"})


def chosen_elements(kind: str, summary: str, elements: str | None) -> frozenset[str] | None:
    """Return the elements at the top that a client wants; None for all of them.

    Args:
        kind: Resource type.
        summary: One of ``SUMMARIES``.
        elements: Names with commas between, perhaps with their type before a dot; or None.
    """
    if elements is not None:
        named = frozenset(name.strip().rpartition(".")[2] for name in elements.split(","))
        return named | _demanded(kind) | _ALWAYS
    if summary == "true":
        return _flagged(kind, "summary_element_property") | _demanded(kind) | _ALWAYS
    if summary == "text":
        return frozenset({"text"}) | _demanded(kind) | _ALWAYS
    if summary == "data":
        return _all(kind) - {"text"}
    return None


def subset(resource: Mapping[str, object], elements: frozenset[str]) -> dict[str, object]:
    """Return these elements of a resource, marked as a part."""
    kept = {name: part for name, part in resource.items() if name.removeprefix("_") in elements}
    meta = kept.get("meta")
    known = meta if isinstance(meta, dict) else {}
    return {**kept, "meta": {**known, "tag": [*known.get("tag", []), _SUBSETTED]}}


@cache
def _all(kind: str) -> frozenset[str]:
    fields = get_fhir_model_class(kind).model_fields.items()
    return _ALWAYS | {info.alias or name for name, info in fields}


@cache
def _flagged(kind: str, flag: str) -> frozenset[str]:
    fields = get_fhir_model_class(kind).model_fields.items()
    return frozenset(
        info.alias or name
        for name, info in fields
        if isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get(flag)
    )


@cache
def _demanded(kind: str) -> frozenset[str]:
    fields = get_fhir_model_class(kind).model_fields.items()
    required = {info.alias or name for name, info in fields if info.is_required()}
    return _flagged(kind, "element_required") | required
