"""A Task that asks the reading radiologist to review a draft, where a site wants one.

One for each report, not for each draft: a corrected report changes what its focus holds, and what
people have made of the Task is theirs. It is requested, and only a person accepts it; where the
draft is taken back for good and nobody has taken the Task up, it is cancelled.

Standard: FHIR R4 Task, with a code of http://hl7.org/fhir/CodeSystem/task-code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.fhir_elements import codeable, companion_meta, logical_reference
from mappings.fhir_retraction import RETRACTION_SYSTEM, SENTENCES
from mappings.reasons import RetractReason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import ReportKey, StudyReport
    from mappings.fhir_elements import FhirOptions

TASK_SYSTEM = "urn:prelim:task"
_REQUESTER = {"type": "Device", "display": "prelim impression drafter"}
_DESCRIPTION = "Review the machine-drafted preliminary impression."


def build_task(
    study: StudyReport,
    observation: Mapping[str, object],
    options: FhirOptions,
    report_key: ReportKey,
) -> dict[str, object]:
    """Build the Task for one report's draft.

    Args:
        study: The report that was drafted for; its reader owns the Task where the report names one.
        observation: The draft (R4): the focus; its patient, orders and time are repeated.
        options: The site's choices.
        report_key: Makes the id.

    Returns:
        A Task of R4 as JSON types.
    """
    id_ = f"prelim-{report_key[:48]}"
    owner = logical_reference("Practitioner", study.results_interpreter, None, options)
    is_apart = options.device == "resource"
    repeated = {"for": "subject", "basedOn": "basedOn"}
    return {
        "resourceType": "Task",
        "id": id_,
        "meta": companion_meta(id_),
        "identifier": [{"system": TASK_SYSTEM, "value": id_}],
        "status": "requested",
        "intent": "proposal",
        "code": codeable(
            "http://hl7.org/fhir/CodeSystem/task-code",
            "approve",
            "Activate/approve the focal resource",
        ),
        "description": _DESCRIPTION,
        "focus": {"reference": f"Observation/{observation['id']}", "type": "Observation"},
        "authoredOn": observation["issued"],
        "lastModified": observation["issued"],
        "requester": observation["device"] if is_apart else _REQUESTER,
        **{name: observation[told] for name, told in repeated.items() if told in observation},
        **({"owner": owner} if owner else {"performerType": [{"text": "Radiologist"}]}),
    }


def cancelled(task: Mapping[str, Any], reason: str) -> dict[str, object] | None:
    """Return a Task whose draft was taken back as cancelled.

    Args:
        task: As the server holds it; of any version.
        reason: A ``RetractReason``.

    Returns:
        None where it stays: somebody has taken it up, or the report will be drafted for again.
    """
    why = RetractReason(reason)
    if task.get("status") != "requested" or why is RetractReason.REPORT_CHANGED:
        return None
    return {
        **task,
        "status": "cancelled",
        "businessStatus": codeable(RETRACTION_SYSTEM, why.value, SENTENCES[why]),
        "note": [*task.get("note", ()), {"text": SENTENCES[why]}],
    }
