"""The guard catches every variant of the table, also those that other validators let pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.errors import GuardViolationError
from mappings.fhir_elements import FhirVersion
from mappings.fhir_guard import check_fhir, check_r4, check_resource
from tests.unit.mappings.fhir_variants import (
    KINDS,
    R4_SCHEMA,
    VARIANTS,
    broken,
    refused_by_fhirkit,
    refused_by_guard,
    refused_by_schema,
    sample,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["R4_SCHEMA"]  # for the tests of the embedded store


@pytest.mark.parametrize("version", get_args(FhirVersion))
@pytest.mark.parametrize("kind", KINDS)
def test_our_own_resources_pass_the_guard_the_schema_and_fhirkit(
    kind: str, version: FhirVersion
) -> None:
    resource = sample(kind, version)

    assert refused_by_guard(resource, version) is None
    assert not refused_by_schema(resource, version)
    assert version == "R5" or not refused_by_fhirkit(resource)


@pytest.mark.parametrize(
    "variant", VARIANTS, ids=lambda row: f"{row['of']} {row.get('version', 'R4')}: {row['name']}"
)
def test_an_invalid_variant_is_caught_as_the_table_says(variant: dict[str, Any]) -> None:
    resource, version = broken(variant), variant.get("version", "R4")

    assert refused_by_guard(resource, version) == (variant["guard"], variant["where"])
    assert refused_by_schema(resource, version) is variant["schema"]
    if version != "R5":  # fhirkit-rs knows R4 alone
        assert refused_by_fhirkit(resource) is variant["fhirkit"]


def test_the_guard_is_needed_because_the_others_miss_most_variants() -> None:
    caught_by_others = [row for row in VARIANTS if row["schema"] or row["fhirkit"]]

    assert all(row["guard"] for row in VARIANTS)
    assert len(caught_by_others) < len(VARIANTS) * 0.6
    assert {row["of"] for row in VARIANTS} == set(KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("Observation", "Bundle")])
def test_a_resource_in_the_shape_of_the_other_version_is_refused(kind: str) -> None:
    assert refused_by_guard(sample(kind, "R4"), "R5") is not None
    assert refused_by_guard(sample(kind, "R5"), "R4") is not None


ODD_VALUES: list[Any] = [
    *(None, "", [], {}, 0, 1.5, True, "x", -1, "2026", "2026-01-01T00:00:00Z", "Observation/1"),
    *([1], ["x"], [[]], [{}], {"x": 1}, {"reference": "#a"}, {"reference": 5}, {"coding": "x"}),
    *({"resourceType": "Device"}, {"coding": [{"code": 5}]}, {"extension": [{"url": "a"}]}),
]


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Yield each place of a JSON value: its owner, and its name or index there."""
    if isinstance(value, dict | list):
        for name in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, name
            yield from places_in(value[name])


@settings(max_examples=400)
@given(kind=st.sampled_from(KINDS), version=st.sampled_from(["R4", "R5"]), data=st.data())
def test_whatever_another_validator_refuses_the_guard_refuses_with_a_reason(
    kind: str, version: FhirVersion, data: st.DataObject
) -> None:
    resource = sample(kind, version)
    owner, name = data.draw(st.sampled_from(list(places_in(resource))))
    if isinstance(owner, dict) and data.draw(st.booleans()):
        name = data.draw(st.sampled_from([f"_{name}", "extension", "resourceType", name]))
    owner[name] = data.draw(st.sampled_from(ODD_VALUES))

    said = refused_by_guard(resource, version)  # no other error comes out of it

    is_refused = refused_by_schema(resource, version)
    is_refused = is_refused or (version == "R4" and refused_by_fhirkit(resource))
    assert said is not None or not is_refused


def test_what_others_wrote_may_say_what_a_draft_may_not() -> None:
    """The embedded store takes a radiologist's Observation, as long as it is R4."""
    finals = {**sample("Observation"), "status": "final", "performer": [{"display": "a reader"}]}
    del finals["note"], finals["meta"]

    check_fhir(finals, "R4")


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
