"""What stands in a server's answers, and our resources as it names things."""

from __future__ import annotations

import pytest

from mappings.fhir_json import read_object
from mappings.fhir_wire import (
    Fate,
    criteria_of,
    issue_codes,
    judge_status,
    parse_retry_after_s,
    read_etag,
    read_location,
    read_matches,
    rename,
    with_names,
)
from tests.samples.fhir_drafts import draft_of

OURS = read_object(draft_of().observation)
DATE = "Wed, 04 Mar 2026 10:00:00 GMT"


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
            {"resource": {**OURS, "id": "77"}, "search": {"mode": "match"}},
            {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}},
            {"resource": {**OURS, "id": "78"}, "search": {"mode": "include"}},
            {"resource": {**OURS, "id": "79"}},
            "junk",
        ]
    }

    assert [resource["id"] for resource in read_matches(bundle, "Observation")] == ["77", "79"]
    assert read_matches({}, "Observation") == []
