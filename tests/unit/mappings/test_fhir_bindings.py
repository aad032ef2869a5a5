"""Required codes, where fhir.resources has no list or a cut one."""

from __future__ import annotations

import pytest

from mappings.fhir_bindings import is_bound


@pytest.mark.parametrize(
    ("kind", "element", "value"),
    [
        ("Observation", "status", "cancelled"),
        ("Task", "status", "on-hold"),
        ("AuditEvent", "action", "E"),
        ("AuditEvent", "outcome", "12"),
        ("AuditEventAgentNetwork", "type", "5"),
    ],
)
def test_every_code_of_a_whole_list_is_bound(kind: str, element: str, value: str) -> None:
    assert is_bound(kind, element, value, ["draft", "+"])
    assert not is_bound(kind, element, f"{value}x", ["draft", "+"])


def test_a_list_that_fhir_resources_has_is_used_as_it_is() -> None:
    assert is_bound("Device", "status", "active", ["active", "inactive"])
    assert not is_bound("Device", "status", "gone", ["active", "inactive"])


def test_a_cut_list_that_we_do_not_know_binds_nothing() -> None:
    assert is_bound("Composition", "status", "anything", ["preliminary", "+"])
    assert is_bound("Observation", "language", "en", None)


def test_an_outcome_that_is_a_structure_is_no_code() -> None:
    assert is_bound("AuditEvent", "outcome", object(), None)
