"""Whether a resource is what FHIR says it is; of the judge's words only a path is told."""

from __future__ import annotations

import json

import pytest

from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import FhirRelease, peek_resource
from mappings.fhir_judge import judge_resource, warm_judge

REPORT: dict[str, object] = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "CT"},
}


def judge(resource: dict[str, object], declared: FhirRelease | None = None) -> None:
    judge_resource(peek_resource(json.dumps(resource).encode(), declared))


def bundle(*resources: object) -> dict[str, object]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


@pytest.mark.parametrize(
    ("more", "release"),
    [
        ({}, None),
        ({"imagingStudy": [{"reference": "ImagingStudy/1"}]}, None),
        ({"imagingStudy": [{"reference": "ImagingStudy/1"}]}, FhirRelease.R4),
        ({"imagingStudy": [{"reference": "ImagingStudy/1"}]}, FhirRelease.R4B),
        ({"study": [{"reference": "ImagingStudy/1"}]}, None),
        ({"note": [{"text": "x"}]}, FhirRelease.R5),
        ({"status": "appended"}, None),
    ],
)
def test_a_report_of_its_release_is_taken(
    more: dict[str, object], release: FhirRelease | None
) -> None:
    judge(REPORT | more, release)
    judge(bundle(REPORT | more), release)


@pytest.mark.parametrize(
    ("resource", "release", "where"),
    [
        (REPORT | {"QUETZALCANARY": 1}, None, "DiagnosticReport"),
        (REPORT | {"result": [{"reference": 1}]}, None, "DiagnosticReport.result[0].reference"),
        (
            REPORT | {"effectiveDateTime": "QUETZALCANARY"},
            None,
            "DiagnosticReport.effectiveDateTime",
        ),
        (REPORT | {"contained": [{"resourceType": "QUETZALCANARY"}]}, None, "DiagnosticReport"),
        (REPORT | {"study": [{"reference": "x"}]}, FhirRelease.R4, "DiagnosticReport"),
        (REPORT | {"imagingStudy": [{"reference": "x"}]}, FhirRelease.R5, "DiagnosticReport"),
        ({"resourceType": "DiagnosticReport", "status": "final"}, None, "DiagnosticReport.code"),
        (
            bundle(REPORT, {"resourceType": "Patient", "QUETZALCANARY": 1}),
            None,
            "Bundle.entry[1].resource",
        ),
    ],
)
def test_what_its_release_does_not_know_is_refused_with_a_path_only(
    resource: dict[str, object], release: FhirRelease | None, where: str
) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        judge(resource, release)

    error = caught.value
    assert (error.status, error.code, error.reason) == (422, "structure", "resource_invalid")
    assert error.where == where
    assert error.__cause__ is None
    assert "QUETZALCANARY" not in str(error)


@pytest.mark.parametrize("status", ["QUETZALCANARY", "Final", ""])
def test_a_status_that_fhir_does_not_have_is_refused(status: str) -> None:
    with pytest.raises(ResourceRefusedError) as caught:
        judge(bundle(REPORT, REPORT | {"status": status} if status else {"resourceType": "Basic"}))

    assert caught.value.status == 422
    assert "QUETZALCANARY" not in str(caught.value)


def test_warming_up_judges_nothing() -> None:
    warm_judge()
