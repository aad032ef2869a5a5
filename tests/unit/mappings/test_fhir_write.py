"""The decision table of a write: what the server holds and answers -> what is done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.fhir_json import read_object
from mappings.fhir_write import (
    Create,
    Fate,
    LeaveAlone,
    Unchanged,
    Unsafe,
    Update,
    WritePlan,
    criteria_of,
    issue_codes,
    judge_status,
    parse_retry_after_s,
    plan_retraction,
    plan_write,
    read_etag,
    read_location,
    read_matches,
    rename,
    with_names,
)
from tests.unit.mappings.fhir_samples import draft_of, key_of

OURS: dict[str, Any] = json.loads(draft_of().observation)
HELD = {**OURS, "id": "77", "meta": {**OURS["meta"], "versionId": "3", "lastUpdated": "x"}}
DATE = "Wed, 04 Mar 2026 10:00:00 GMT"


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
    ("statuses", "fate"),
    [
        ((200, 201, 204), Fate.DONE),
        ((408, 409, 425, 429, 500, 502, 503, 504, 507, 520, 599), Fate.RETRY),
        ((401,), Fate.UNAUTHORISED),
        ((301, 302, 307, 400, 403, 404, 405, 410, 412, 413, 415, 422, 501, 505), Fate.REFUSED),
    ],
)
def test_a_status_has_one_fate(statuses: tuple[int, ...], fate: Fate) -> None:
    assert {judge_status(status) for status in statuses} == {fate}


@pytest.mark.parametrize(
    ("retry_after", "date", "expected"),
    [
        ("0", None, 0.0),
        ("120", None, 120.0),
        (" 7 ", None, 7.0),
        ("999999999999999999", None, 86_400.0),
        ("Wed, 04 Mar 2026 10:00:30 GMT", DATE, 30.0),
        ("Wed, 04 Mar 2026 09:00:00 GMT", DATE, 0.0),
        ("Wed, 04 Mar 2026 10:00:30 GMT", None, None),
        ("Wed, 04 Mar 2026 10:00:30 GMT", "Wed, 04 Mar 2026 10:00:00", None),
        ("-3", DATE, None),
        ("1.5", DATE, None),
        ("nan", DATE, None),
        ("٣", DATE, None),
        ("", DATE, None),
        (None, None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(
    retry_after: str | None, date: str | None, expected: float | None
) -> None:
    assert parse_retry_after_s(retry_after, date) == expected


def test_only_codes_are_read_from_an_outcome(canary_name: str) -> None:
    outcome = {
        "issue": [
            {"code": "invariant", "diagnostics": canary_name},
            {"code": canary_name},
            {"code": f"a {canary_name}".lower()},
            {"code": canary_name.lower()},
            {"code": 7},
            "junk",
            {"code": "required"},
        ]
    }

    assert issue_codes(outcome) == ("invariant",)
    assert issue_codes({"issue": [{"code": "code-invalid"}, {"code": "required"}]}) == (
        "code-invalid",
        "required",
    )
    for junk in (None, [], {"issue": {}}, {"issue": 3}, "x"):
        assert issue_codes(junk) == ()


def test_id_and_references_are_changed_and_nothing_else() -> None:
    draft = draft_of()
    names = {f"Observation/{draft.observation_id}": "Observation/77"}
    moved = read_object(with_names(draft.observation, "77", names))
    unnamed = read_object(with_names(draft.observation, None, {}))
    pointed = read_object(with_names(draft.provenance, draft.provenance_id, names))

    assert moved == {**OURS, "id": "77"}
    assert unnamed == {name: part for name, part in OURS.items() if name != "id"}
    assert pointed == {
        **read_object(draft.provenance),
        "target": [{"reference": "Observation/77", "type": "Observation"}],
    }
    assert with_names(draft.observation, draft.observation_id, {}) == draft.observation


def test_only_references_are_renamed() -> None:
    resource = {"reference": "Device/a", "note": "Device/a", "x": [{"reference": "Device/b"}]}

    assert rename(resource, {"Device/a": "Device/1"}) == {
        "reference": "Device/1",
        "note": "Device/a",
        "x": [{"reference": "Device/b"}],
    }


def test_a_resource_is_found_by_its_tag_or_else_by_its_identifier() -> None:
    tag, identifier = {"system": "urn:t", "code": "1"}, {"system": "urn:i", "value": "2"}

    both = {"meta": {"tag": [tag]}, "identifier": [identifier]}
    assert criteria_of(both) == {"_tag": "urn:t|1"}
    assert criteria_of({"identifier": [identifier]}) == {"identifier": "urn:i|2"}
    for anyone in ({}, {"identifier": [{"value": "2"}]}, {"meta": {"tag": []}}):
        with pytest.raises(ValueError, match="neither"):
            criteria_of(anyone)


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


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://h/fhir/Observation/77/_history/2", ("77", "2")),
        ("Observation/77", ("77", None)),
        ("/fhir/Observation/77", ("77", None)),
        ("http://h/fhir/Patient/77", None),
        ("http://h/fhir/Observation/7 7", None),
        ("http://h/fhir/Observation/77?x=1", None),
        (None, None),
    ],
)
def test_a_location_gives_id_and_version(
    location: str | None, expected: tuple[str, str | None] | None
) -> None:
    assert read_location(location, "Observation") == expected


@pytest.mark.parametrize(
    ("etag", "expected"),
    [('W/"3"', "3"), ('"3"', "3"), ("3", "3"), ('W/"a b"', None), ("", None), (None, None)],
)
def test_an_etag_gives_the_version(etag: str | None, expected: str | None) -> None:
    assert read_etag(etag) == expected


def test_a_search_answers_with_its_matches_only() -> None:
    bundle = {
        "entry": [
            {"resource": HELD, "search": {"mode": "match"}},
            {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
            {"resource": {**HELD, "id": "78"}, "search": {"mode": "include"}},
            {"resource": {**HELD, "id": "79"}},
            "junk",
        ]
    }

    assert [resource["id"] for resource in read_matches(bundle, "Observation")] == ["77", "79"]
    assert read_matches({}, "Observation") == []
