"""A draft taken back is still FHIR, says why, and only some may ever be replaced."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mappings.fhir_guard import check_r4
from mappings.fhir_retraction import (
    RETRACTION_SYSTEM,
    SENTENCES,
    STATUS_REASON,
    may_be_drafted_again,
    retracted,
)
from mappings.fhir_write import LeaveAlone, Unchanged, Update, plan_retraction, plan_write
from mappings.reasons import RetractReason
from tests.samples.fhir_drafts import draft_of

NOW = datetime(2026, 3, 4, 11, 0, 30, 5, tzinfo=UTC)
DRAFT = draft_of()
HELD = {**json.loads(DRAFT.observation), "meta": {"versionId": "3"}}


def taken_back(reason: RetractReason = RetractReason.REPORT_CANCELLED) -> dict[str, object]:
    """The server's copy after a retraction."""
    found = json.loads(retracted(json.dumps(HELD).encode(), reason=reason, now=NOW))
    return {**found, "meta": {"versionId": "4"}}


@pytest.mark.parametrize("reason", list(RetractReason))
def test_a_draft_taken_back_is_entered_in_error_and_says_why_to_machines_and_to_people(
    reason: RetractReason,
) -> None:
    found = taken_back(reason)

    check_r4({**found, "meta": {}} if not found["meta"] else found)
    [extension] = [each for each in found["extension"] if each["url"] == STATUS_REASON]  # type: ignore[attr-defined]
    [coding] = extension["valueCodeableConcept"]["coding"]
    assert found["status"] == "entered-in-error"
    assert (coding["system"], coding["code"]) == (RETRACTION_SYSTEM, reason.value)
    assert found["note"][-1] == {"time": "2026-03-04T11:00:30Z", "text": SENTENCES[reason]}  # type: ignore[index]


def test_nothing_of_what_stood_there_is_lost() -> None:
    found = taken_back()

    changed = {name for name in found if found[name] != HELD.get(name)}
    assert changed == {"status", "note", "extension", "meta"}
    assert found["note"][:-1] == HELD["note"]  # type: ignore[index]


def test_the_same_is_written_each_time() -> None:
    held = json.dumps(HELD).encode()

    assert retracted(held, reason="report_changed", now=NOW) == retracted(
        held, reason="report_changed", now=NOW
    )


def test_a_reason_that_is_none_is_not_written() -> None:
    with pytest.raises(ValueError, match="no_such_reason"):
        retracted(b"{}", reason="no_such_reason", now=NOW)


def test_what_is_taken_back_is_not_taken_back_twice() -> None:
    assert isinstance(plan_retraction(HELD, json.loads(DRAFT.observation)), Update)
    assert isinstance(plan_retraction(taken_back(), json.loads(DRAFT.observation)), Unchanged)


@pytest.mark.parametrize("reason", list(RetractReason))
def test_only_a_draft_taken_back_for_a_changed_report_makes_room_for_another(
    reason: RetractReason,
) -> None:
    newer = json.loads(draft_of("Small effusion.").observation)

    plan = plan_write(taken_back(reason), newer)

    if reason is RetractReason.REPORT_CHANGED:
        assert plan == Update(DRAFT.observation_id, "4")
    else:
        assert plan == LeaveAlone("final_present")


@pytest.mark.parametrize(
    "existing",
    [
        {"status": "entered-in-error"},
        {"status": "entered-in-error", "extension": "no list"},
        {"status": "entered-in-error", "extension": [{"url": STATUS_REASON}, 7]},
        {**taken_back(RetractReason.REPORT_CHANGED), "status": "cancelled"},
    ],
)
def test_what_others_entered_in_error_is_theirs(existing: dict[str, object]) -> None:
    assert not may_be_drafted_again(existing)
