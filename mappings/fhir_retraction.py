"""A posted draft taken back: the Observation stays at the server, as entered in error, with why.

Rules: nothing of the draft is removed, so that a reader can see what stood there. The reason is a
stable word of ours, in ``event-statusReason``, and a sentence for people in a note. A draft taken
back only because its report had changed may be replaced by a draft of the report as it is now; any
other retraction is the end.

Standard: FHIR R4 Observation.status; extension event-statusReason (its context is Observation).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from mappings.fhir_elements import canonical_json
from mappings.reasons import RetractReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

ENTERED_IN_ERROR = "entered-in-error"
STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/event-statusReason"
RETRACTION_SYSTEM = "urn:prelim:retraction"
SENTENCES = {
    RetractReason.REPORT_CANCELLED: "Draft withdrawn: its report was cancelled.",
    RetractReason.REPORT_CHANGED: "Draft withdrawn: its report has changed since.",
    RetractReason.IMPRESSION_PRESENT: "Draft withdrawn: the report has an impression of its own.",
    RetractReason.FINAL_PRESENT: "Draft withdrawn: the report is final.",
}


def retracted(observation: bytes, *, reason: str, now: datetime) -> bytes:
    """Write an Observation as taken back.

    Args:
        observation: As the server holds it.
        reason: A ``RetractReason``.
        now: Aware; when it was taken back, kept to the second.

    Returns:
        The same Observation as canonical JSON, entered in error, with the reason.

    Raises:
        ValueError: Not a JSON object, or no such reason.
    """
    held = json.loads(observation)
    why = RetractReason(reason)
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    coding = {"system": RETRACTION_SYSTEM, "code": why.value, "display": SENTENCES[why]}
    said = {"url": STATUS_REASON, "valueCodeableConcept": {"coding": [coding]}}
    return canonical_json(
        {
            **held,
            "status": ENTERED_IN_ERROR,
            "extension": [*held.get("extension", ()), said],
            "note": [*held.get("note", ()), {"time": at, "text": SENTENCES[why]}],
        }
    )


def may_be_drafted_again(existing: Mapping[str, object]) -> bool:
    """Return whether a server's Observation is a draft that we took back for a changed report."""
    return existing.get("status") == ENTERED_IN_ERROR and any(
        coding.get("system") == RETRACTION_SYSTEM
        and coding.get("code") == RetractReason.REPORT_CHANGED
        for extension in _members(existing, "extension")
        if extension.get("url") == STATUS_REASON
        for coding in _members(extension.get("valueCodeableConcept"), "coding")
    )


def _members(element: object, name: str) -> Iterator[Mapping[str, object]]:
    found = element.get(name) if isinstance(element, Mapping) else None
    for member in found if isinstance(found, list) else ():
        if isinstance(member, Mapping):
            yield member
