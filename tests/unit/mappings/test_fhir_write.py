"""The decision table of a write: what the server holds and answers -> what is done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.fhir_write import (
    Create,
    LeaveAlone,
    Unchanged,
    Unsafe,
    Update,
    WritePlan,
    plan_retraction,
    plan_write,
)
from tests.samples.fhir_drafts import draft_of, key_of

OURS: dict[str, Any] = json.loads(draft_of().observation)
HELD = {**OURS, "id": "77", "meta": {**OURS["meta"], "versionId": "3", "lastUpdated": "x"}}


def test_nothing_held_is_created() -> None:
    assert plan_write(None, OURS) == Create()


def test_the_same_draft_is_left_as_it_is_whatever_the_server_added() -> None:
    rewritten = {
        **HELD,
        "issued": "2026-03-04T11:11:12.000+01:00",
        "text": {"status": "generated", "div": "<div/>"},
        "identifier": [{"system": "urn:server", "value": "1"}, *OURS["identifier"]],
    }

    assert plan_write(HELD, OURS) == Unchanged("77", "3")
    assert plan_write(rewritten, OURS) == Unchanged("77", "3")


@pytest.mark.parametrize(
    "older",
    [
        {"valueString": "Another text."},
        {"issued": "2026-03-04T09:00:00Z"},
        {"note": []},
        {"contained": [{**OURS["contained"][0], "version": []}]},
    ],
)
def test_an_older_draft_of_ours_is_updated_by_naming_its_version(older: dict[str, Any]) -> None:
    assert plan_write({**HELD, **older}, OURS) == Update("77", "3")


@pytest.mark.parametrize(
    "status",
    [
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "registered",
        "unknown",
        "draft",
        None,
    ],
)
def test_anything_but_a_preliminary_is_left_alone(status: str | None) -> None:
    assert plan_write({**HELD, "status": status}, OURS) == LeaveAlone("final_present")


def test_a_preliminary_that_a_person_signed_is_left_alone() -> None:
    signed = {**HELD, "performer": [{"display": "Dr Example"}]}

    assert plan_write(signed, OURS) == LeaveAlone("human_performer")


@pytest.mark.parametrize("identifier", [None, [], [{"system": "urn:x", "value": key_of()}]])
def test_what_does_not_carry_our_identity_is_left_alone(identifier: object) -> None:
    assert plan_write({**HELD, "identifier": identifier}, OURS) == LeaveAlone("not_our_draft")


def test_no_blind_update_where_the_server_names_no_version_or_id() -> None:
    older = {**HELD, "valueString": "Another text."}

    assert plan_write({**older, "meta": {}}, OURS) == Unsafe("server_without_versions")
    assert plan_write({**older, "meta": {"versionId": 'a"b'}}, OURS) == Unsafe(
        "server_without_versions"
    )
    assert plan_write({**older, "id": "../Patient"}, OURS) == Unsafe("server_without_ids")
    assert plan_write({**HELD, "meta": OURS["meta"]}, OURS) == Unchanged("77", None)


@pytest.mark.parametrize(
    ("existing", "plan"),
    [
        (None, LeaveAlone("gone")),
        (HELD, Update("77", "3")),
        ({**HELD, "status": "entered-in-error"}, Unchanged("77", "3")),
        ({**HELD, "status": "final"}, LeaveAlone("final_present")),
        ({**HELD, "performer": [{"display": "x"}]}, LeaveAlone("human_performer")),
        ({**HELD, "identifier": []}, LeaveAlone("not_our_draft")),
        (
            {**HELD, "status": "entered-in-error", "identifier": []},
            LeaveAlone("final_present"),
        ),
        ({**HELD, "meta": {}}, Unsafe("server_without_versions")),
    ],
)
def test_only_a_draft_of_ours_is_taken_back(
    existing: dict[str, object] | None, plan: WritePlan
) -> None:
    assert plan_retraction(existing, OURS) == plan
