"""The CapabilityStatement is valid and says what it is given; the tests of its door try it."""

from __future__ import annotations

import fhirkit
import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from mappings.fhir_capability_statement import build_capability_statement
from mappings.fhir_subscription import TOPIC


@pytest.mark.parametrize("is_intake_open", [True, False])
def test_it_is_valid_and_tells_of_the_topic_and_of_what_is_open(*, is_intake_open: bool) -> None:
    statement = build_capability_statement(
        "https://prelim.example/fhir",
        {"Observation": [("patient", "reference")]},
        fhir_version="4.0.1",
        software_version="1.0",
        is_intake_open=is_intake_open,
    )

    CapabilityStatement.model_validate(statement)
    assert fhirkit.validate(statement) == []
    rest = statement["rest"][0]  # type: ignore[index]
    resources = {each["type"]: each for each in rest["resource"]}
    assert ("DiagnosticReport" in resources) is is_intake_open
    assert ("interaction" in rest) is is_intake_open
    assert resources["Observation"]["searchParam"] == [{"name": "patient", "type": "reference"}]
    assert resources["Subscription"]["extension"][0]["valueCanonical"] == TOPIC
