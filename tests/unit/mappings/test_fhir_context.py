"""References within what was sent: contained, by fullUrl, relative, logical; nothing is fetched."""

from __future__ import annotations

import pytest

from mappings.fhir_context import Context

REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r",
    "contained": [
        {"resourceType": "Observation", "id": "o"},
        {"resourceType": "Observation", "id": "#marked"},
    ],
}


def bundle(*entries: tuple[str, dict[str, object]]) -> dict[str, object]:
    listed = [{"fullUrl": url, "resource": resource} for url, resource in entries]
    return {"resourceType": "Bundle", "entry": listed}


def test_a_contained_resource_is_found_by_its_id() -> None:
    context = Context(REPORT)

    found = context.follow({"reference": "#o"}, REPORT)

    assert found is not None
    assert (found.resource["id"], found.container) == ("o", REPORT)
    assert context.follow({"reference": "#marked"}, REPORT) is not None
    assert context.follow({"reference": "#"}, REPORT) is not None
    assert context.follow({"reference": "#other"}, REPORT) is None


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("urn:uuid:1", "urn:uuid:1"),
        ("http://a.example/fhir/Observation/1", "Observation/1"),
        ("http://a.example/fhir/Observation/1", "http://a.example/fhir/Observation/1"),
        ("http://a.example/fhir/Observation/1", "Observation/1/_history/3"),
        ("", "Observation/1"),
    ],
)
def test_a_resource_of_the_bundle_is_found(url: str, reference: str) -> None:
    observation = {"resourceType": "Observation", "id": "1"}
    context = Context(
        bundle(("http://a.example/fhir/DiagnosticReport/r", REPORT), (url, observation))
    )

    found = context.follow({"reference": reference}, REPORT)

    assert found is not None
    assert found.resource is observation


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Observation/2"},
        {"reference": "http://b.example/fhir/Observation/1"},
        {"reference": "urn:uuid:9"},
        {"reference": 7},
        {"display": "Findings"},
        {},
    ],
)
def test_what_did_not_come_along_is_not_found(reference: dict[str, object]) -> None:
    context = Context(
        bundle(("http://a.example/fhir/Observation/1", {"resourceType": "Observation", "id": "1"}))
    )

    assert context.follow(reference, REPORT) is None


def test_the_base_of_the_entry_that_refers_decides_between_two_servers() -> None:
    ours, theirs = ({"resourceType": "Observation", "id": "1", "n": n} for n in (1, 2))
    context = Context(
        bundle(
            ("http://b.example/Observation/1", theirs),
            ("http://a.example/Observation/1", ours),
            ("http://a.example/DiagnosticReport/r", REPORT),
        )
    )

    found = context.follow({"reference": "Observation/1"}, REPORT)

    assert found is not None
    assert found.resource is ours


def test_a_logical_reference_is_found_by_its_identifier_and_type() -> None:
    numbers = [{"system": "s", "value": "7"}]
    order = {"resourceType": "ServiceRequest", "identifier": numbers}
    context = Context(bundle(("", {"resourceType": "Patient", "identifier": numbers}), ("", order)))

    found = context.follow({"type": "ServiceRequest", "identifier": numbers[0]}, REPORT)

    assert found is not None
    assert found.resource is order
    assert context.follow({"identifier": {"system": "other", "value": "7"}}, REPORT) is None


def test_the_reference_of_a_codeable_reference_is_followed() -> None:
    assert Context(REPORT).follow({"reference": {"reference": "#o"}}, REPORT) is not None


def test_a_resource_that_stands_alone_is_its_only_one() -> None:
    context = Context(REPORT)

    assert context.of_kind("DiagnosticReport") == [REPORT]
    assert context.follow_all([{"reference": "#o"}, {"reference": "#no"}], REPORT) == [
        REPORT["contained"][0]  # type: ignore[index]
    ]
