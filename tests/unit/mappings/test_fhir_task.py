"""The Task: one for each report, requested of the reader, and nothing more."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mappings.domain import Identifier
from mappings.fhir_elements import FhirOptions
from mappings.fhir_r5 import in_version
from mappings.fhir_task import cancelled
from mappings.reasons import RetractReason
from tests.samples.fhir_drafts import STUDY, draft_of, key_of, study_without
from tests.unit.mappings.fhir_variants import refused_by_classes, refused_by_schema

if TYPE_CHECKING:
    from mappings.domain import StudyReport


def task_of(
    text: str = "No acute disease.",
    study: StudyReport = STUDY,
    device: Literal["contained", "resource"] = "contained",
) -> dict[str, Any]:
    draft = draft_of(text, study=study, options=FhirOptions(has_task=True, device=device))
    return json.loads(draft.companions[-1].body)


def test_a_task_is_made_only_where_the_site_wants_one() -> None:
    assert draft_of().companions == ()


def test_it_asks_for_a_review_of_the_draft() -> None:
    task = task_of()

    assert (task["status"], task["intent"]) == ("requested", "proposal")
    assert task["code"]["coding"][0]["code"] == "approve"
    assert task["focus"]["reference"] == f"Observation/prelim-{key_of()[:48]}"
    assert task["for"]["identifier"]["value"] == "TEST-4711"
    assert len(task["basedOn"]) == 3
    assert task["authoredOn"] == task["lastModified"] == "2026-03-04T10:11:12Z"


def test_it_is_the_readers_where_the_report_names_one_and_any_radiologists_if_not() -> None:
    known = dataclasses.replace(STUDY, results_interpreter=Identifier("R7", "1.2.3"))

    assert task_of(study=known)["owner"] == {
        "type": "Practitioner",
        "identifier": {"system": "urn:oid:1.2.3", "value": "R7"},
    }
    assert "performerType" not in task_of(study=known)
    assert task_of()["performerType"] == [{"text": "Radiologist"}]


@pytest.mark.parametrize(
    ("device", "requester"), [("contained", "display"), ("resource", "reference")]
)
def test_the_machine_asks(device: Literal["contained", "resource"], requester: str) -> None:
    assert requester in task_of(device=device)["requester"]


def test_a_redrafted_report_has_the_same_task() -> None:
    assert task_of("One.") == task_of("Two.")


def test_a_report_without_patient_and_orders_still_has_a_task() -> None:
    bare = study_without(
        "patient", "placer_order_number", "accession_number", "filler_order_number"
    )

    assert not {"for", "basedOn"} & set(task_of(study=bare))


@pytest.mark.parametrize("reason", list(RetractReason))
def test_a_task_of_a_draft_that_is_gone_for_good_is_cancelled(reason: RetractReason) -> None:
    done = cancelled(task_of(), reason)

    if reason is RetractReason.REPORT_CHANGED:
        assert done is None
    else:
        assert done is not None
        assert done["status"] == "cancelled"
        assert done["focus"] == task_of()["focus"]
        for version in ("R4", "R5"):
            shaped = in_version(done, version)  # type: ignore[arg-type]
            assert not refused_by_schema(shaped, version)  # type: ignore[arg-type]
            assert not refused_by_classes(shaped, version)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["accepted", "in-progress", "completed", "cancelled"])
def test_a_task_that_somebody_has_taken_up_stays_theirs(status: str) -> None:
    assert cancelled({**task_of(), "status": status}, RetractReason.FINAL_PRESENT) is None
