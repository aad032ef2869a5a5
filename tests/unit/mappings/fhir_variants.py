"""Resources of ours, valid and broken, and who notices: the table of docs/VALIDATION.md.

The table stands in ``tests/vectors/fhir/invalid_variants.json``; a test holds each row of it true.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fhir.resources
import fhir.resources.R4B
import fhirkit
import jsonschema_rs

from mappings.errors import GuardViolationError
from mappings.fhir_elements import FhirOptions, FhirVersion
from mappings.fhir_guard import check_resource
from mappings.fhir_transaction import Replaced, build_transaction
from tests.samples.fhir_drafts import audit_event_of, draft_of

VECTORS = Path(__file__).parents[2] / "vectors/fhir"
R4_SCHEMA = jsonschema_rs.validator_for(json.loads((VECTORS / "r4-subset.schema.json").read_text()))
R5_SCHEMA = jsonschema_rs.validator_for(json.loads((VECTORS / "r5-subset.schema.json").read_text()))
VARIANTS: list[dict[str, Any]] = json.loads((VECTORS / "invalid_variants.json").read_text())
KINDS = ("Observation", "Provenance", "Device", "Task", "AuditEvent", "Bundle")


def sample(kind: str, version: FhirVersion = "R4") -> dict[str, Any]:
    """Return a valid resource of ours; Device and Task apart, the rest with the Device inside."""
    return json.loads(_sample(kind, version))


@cache
def _sample(kind: str, version: FhirVersion) -> bytes:
    apart = kind in ("Device", "Task", "Bundle")
    options = FhirOptions(
        version=version, device="resource" if apart else "contained", has_task=apart
    )
    draft = draft_of(options=options)
    bodies = {each.resource_type: each.body for each in draft.companions}
    if kind == "Bundle":
        return build_transaction(draft, replaces=Replaced("77", "3"), version=version)
    if kind == "AuditEvent":
        return audit_event_of(draft, options=options).body
    return {**bodies, "Observation": draft.observation, "Provenance": draft.provenance}[kind]


def broken(variant: dict[str, Any]) -> dict[str, Any]:
    """Return the resource that a row of the table is about."""
    resource = sample(variant["of"], variant.get("version", "R4"))
    owner: Any = resource
    *parents, last = variant["path"]
    for step in parents:
        owner = owner[step]
    if variant["value"] == "(absent)":
        del owner[last]
    elif variant["value"] == "(1048577 letters)":
        owner[last] = "x" * 1_048_577
    else:
        owner[last] = variant["value"]
    return resource


def refused_by_schema(resource: dict[str, Any], version: FhirVersion = "R4") -> bool:
    """Tell whether the JSON schema refuses it: the official one of R4, ours of R5's definitions."""
    schema = R5_SCHEMA if version == "R5" else R4_SCHEMA
    return not schema.is_valid(resource)


def refused_by_fhirkit(resource: dict[str, Any]) -> bool:
    """Tell whether fhirkit-rs refuses it; it knows R4 alone."""
    return bool(fhirkit.validate(json.dumps(resource)))


def refused_by_classes(resource: dict[str, Any], version: FhirVersion = "R4") -> bool:
    """Tell whether fhir.resources refuses it, without our guard."""
    classes = fhir.resources if version == "R5" else fhir.resources.R4B
    try:
        classes.get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except (ValueError, KeyError):
        return True
    return False


def refused_by_guard(
    resource: dict[str, Any], version: FhirVersion = "R4"
) -> tuple[str, str | None] | None:
    """Return the guard's reason and place; None when it lets the resource pass."""
    try:
        check_resource(resource, version)
    except GuardViolationError as error:
        return error.reason, error.where
    return None
