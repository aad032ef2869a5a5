"""What a draft must say beyond FHIR; the table of broken variants has a row for most rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mappings.fhir_house import house_rules
from tests.unit.mappings.fhir_variants import KINDS, VARIANTS, sample

if TYPE_CHECKING:
    from mappings.fhir_elements import FhirVersion


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_build_keeps_every_rule(kind: str, version: FhirVersion) -> None:
    answers = list(house_rules(sample(kind, version), version))

    assert len(answers) > 4
    assert all(is_kept for is_kept, _, _ in answers)


def test_every_rule_has_a_variant_that_breaks_it() -> None:
    rules = {
        reason
        for kind in KINDS
        for version in ("R4", "R5")
        for _, reason, _ in house_rules(sample(kind, version), version)
    }

    # fhir.resources says so first, or another rule does.
    said_by_others = {"time_missing", "client_missing", "resource_missing"}
    assert rules - {row["guard"] for row in VARIANTS} <= said_by_others


def test_two_clients_are_as_wrong_as_none() -> None:
    event = sample("AuditEvent")
    event["agent"] += [event["agent"][0]]

    broken = [reason for is_kept, reason, _ in house_rules(event, "R4") if not is_kept]

    assert broken == ["client_missing"]


def test_an_entry_that_holds_nothing_is_told() -> None:
    bundle = sample("Bundle")
    del bundle["entry"][3]["resource"]

    broken = [reason for is_kept, reason, _ in house_rules(bundle, "R4") if not is_kept]

    assert "resource_missing" in broken
