"""The guard catches every variant of the table, also those that two other validators let pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fhirkit
import jsonschema_rs
import pytest

from mappings.errors import GuardViolationError
from mappings.fhir_guard import check_r4, check_resource
from tests.unit.mappings.fhir_samples import draft_of

VECTORS = Path(__file__).parents[2] / "vectors/fhir"
R4_SCHEMA = jsonschema_rs.validator_for(json.loads((VECTORS / "r4-subset.schema.json").read_text()))
VARIANTS: list[dict[str, Any]] = json.loads((VECTORS / "invalid_variants.json").read_text())


def sample(kind: str) -> dict[str, Any]:
    draft = draft_of()
    return json.loads(draft.observation if kind == "Observation" else draft.provenance)


def broken(variant: dict[str, Any]) -> dict[str, Any]:
    resource = sample(variant["of"])
    owner: Any = resource
    *parents, last = variant["path"]
    for step in parents:
        owner = owner[step]
    if variant["value"] == "(absent)":
        del owner[last]
    else:
        is_long = variant["value"] == "(1048577 letters)"
        owner[last] = "x" * 1_048_577 if is_long else variant["value"]
    return resource


@pytest.mark.parametrize("kind", ["Observation", "Provenance"])
def test_our_own_resources_pass_the_guard_the_schema_and_fhirkit(kind: str) -> None:
    resource = sample(kind)

    check_resource(resource)
    assert R4_SCHEMA.is_valid(resource)
    assert fhirkit.validate(resource) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant["name"])
def test_an_invalid_variant_is_caught_as_the_table_says(variant: dict[str, Any]) -> None:
    resource = broken(variant)

    with pytest.raises(GuardViolationError) as caught:
        check_resource(resource)
    assert (caught.value.reason, caught.value.where) == (variant["guard"], variant["where"])
    assert R4_SCHEMA.is_valid(resource) is not variant["schema"]
    assert bool(fhirkit.validate(json.dumps(resource))) is variant["fhirkit"]


def test_the_guard_is_needed_because_the_others_miss_most_variants() -> None:
    caught_by_others = [row for row in VARIANTS if row["schema"] or row["fhirkit"]]

    assert all(row["guard"] for row in VARIANTS)
    assert len(caught_by_others) < len(VARIANTS) * 0.6


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "cancelled", "unknown"])
def test_a_humans_status_is_valid_r4_but_never_ours_to_send(status: str) -> None:
    resource = {**sample("Observation"), "status": status}

    check_r4(resource)
    with pytest.raises(GuardViolationError, match="status_not_preliminary"):
        check_resource(resource)


def test_neither_a_value_nor_an_unknown_name_stands_in_the_error(canary_name: str) -> None:
    for resource in (
        {**sample("Observation"), canary_name: "x"},
        {**sample("Observation"), canary_name: ""},
        {**sample("Observation"), "code": {"text": "x", canary_name: None}},
        {**sample("Observation"), "contained": [{"resourceType": "Device", canary_name: []}]},
        {**sample("Observation"), "effectiveDateTime": canary_name},
        {**sample("Observation"), "subject": {"reference": canary_name}},
        {**sample("Observation"), "id": canary_name * 9},
        {**sample("Observation"), "valueString": f"{canary_name}\x00"},
        {**sample("Observation"), "resourceType": canary_name},
    ):
        with pytest.raises(GuardViolationError) as caught:
            check_resource(resource)
        assert canary_name not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
