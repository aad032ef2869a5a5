"""Search parameters of the embedded store, each against resources that do and do not match."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import FhirStore
from interfaces.fhir_store_search import matches, parameters
from tests.samples.fhir_drafts import draft_of, key_of, study_without

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = key_of("a")
OLD, NEW = "2026-03-04T12:00:00", "2026-03-05T12:00:00"


@pytest.fixture(scope="module")
def store() -> Iterator[FhirStore]:
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (OLD, OLD, NEW)]
    opened = FhirStore(":memory:", now=lambda: moments.pop(0))
    draft, other = draft_of(key=KEY), draft_of(key=key_of("b"), study=study_without("patient"))
    opened.update(json.loads(draft.observation), "old")
    opened.update(json.loads(draft.provenance), "prov")
    final = {**json.loads(other.observation), "status": "final", "effectiveDateTime": "2025-12"}
    opened.update({**final, "subject": {"reference": "Patient/7"}}, "new")
    yield opened
    opened.close()


def ids(store: FhirStore, kind: str, **query: str) -> list[str]:
    asked = [(name.replace("__", ":"), value) for name, value in query.items()]
    return sorted(found.id for found in store.search(kind, asked).matches)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"identifier": f"urn:prelim:report-key|{KEY}"}, ["old"]),
        ({"identifier": KEY}, ["old"]),
        ({"identifier": "urn:prelim:report-key|"}, ["new", "old"]),
        ({"identifier": f"|{KEY}"}, []),
        ({"identifier": f"urn:other|{KEY}"}, []),
        ({"identifier": f"urn:other|{KEY},{KEY}"}, ["old"]),
        ({"status": "preliminary"}, ["old"]),
        ({"status": "preliminary,final"}, ["new", "old"]),
        ({"code": "http://loinc.org|19005-8", "status": "final"}, ["new"]),
        ({"category": "imaging"}, ["new", "old"]),
        ({"_id": "new"}, ["new"]),
        ({"_security": "AIAST"}, ["new", "old"]),
        ({"subject": "Patient/7"}, ["new"]),
        ({"patient": "Patient/7"}, ["new"]),
        ({"patient": "7"}, ["new"]),
        ({"patient": "Patient/8"}, []),
        ({"patient.identifier": "TEST-4711"}, ["old"]),
        ({"based-on__identifier": "ACC-9"}, ["new", "old"]),
        ({"based-on.identifier": "ACC-0"}, []),
        ({"part-of__identifier": "urn:dicom:uid|urn:oid:1.2.840.113619.2.1"}, ["new", "old"]),
        ({"identifier": f"a\\,b,{KEY}"}, ["old"]),
        ({"patient__identifier": "TEST-4711"}, ["old"]),
        ({"subject__identifier": "urn:oid:1.2.826.0.1.3680043.9.1|TEST-4711"}, ["old"]),
        ({"_lastUpdated": "2026-03-04"}, ["old"]),
        ({"_lastUpdated": "ge2026-03-05"}, ["new"]),
        ({"_lastUpdated": "gt2026-03-04"}, ["new"]),
        ({"_lastUpdated": "le2026-03-04T12:00:00Z"}, ["old"]),
        ({"_lastUpdated": "lt2026-03-04T12:00:00Z"}, []),
        ({"date": "2025"}, ["new"]),
        ({"date": "2025-12"}, ["new"]),
        ({"date": "2026-03-04T08:30:00Z"}, ["old"]),
        ({"date": "2026-03-04T09:30:00+01:00"}, ["old"]),
        ({"date": "ge2026-01"}, ["old"]),
        ({"date": "9999"}, []),
        ({"date": "lt9999-12-31"}, ["new", "old"]),
        ({"_lastUpdated": "ge9999-12-31T23:59:59Z"}, []),
        ({"_format": "json", "_pretty": "true"}, ["new", "old"]),
        ({"status": "x' OR 1=1 --"}, []),
    ],
)
def test_an_observation_is_found_by(
    store: FhirStore, query: dict[str, str], expected: list[str]
) -> None:
    assert ids(store, "Observation", **query) == expected


def test_a_provenance_is_found_by_target_tag_and_moment(store: FhirStore) -> None:
    draft = draft_of(key=KEY)

    assert ids(store, "Provenance", target=f"Observation/{draft.observation_id}") == ["prov"]
    assert ids(store, "Provenance", _tag=f"urn:prelim:provenance|{draft.provenance_id}") == ["prov"]
    assert ids(store, "Provenance", recorded="2026-03-04T10:11:12Z") == ["prov"]
    assert ids(store, "Provenance", recorded="lt2026-03-04T10:11:12Z") == []
    assert ids(store, "Provenance", target="Observation/other") == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"colour": "blue"}, "search_parameter_unknown"),
        ({"identifier__exact": "x"}, "search_parameter_unknown"),
        ({"_has": "x"}, "search_parameter_unknown"),
        ({"identifier": ""}, "search_value_empty"),
        ({"identifier": "|"}, None),
        ({"date": "yesterday"}, "search_date_invalid"),
        ({"date": "2026-13"}, "search_date_invalid"),
        ({"date": "2026-03-04Tnoon"}, "search_date_invalid"),
        ({"_count": "-1"}, "search_value_invalid"),
        ({"_count": "many"}, "search_value_invalid"),
        ({"_sort": "status"}, "search_sort_unknown"),
        ({"_sort": "date,-_lastUpdated"}, "search_sort_unknown"),
        ({"_cursor": "%"}, "search_value_invalid"),
        ({"_cursor": "W10="}, "search_value_invalid"),
        ({"_cursor": "W1tdLCAieCJd"}, "search_value_invalid"),
        ({"_cursor": "WyJcdWQ4MDAiLCAiYSJd"}, "search_value_invalid"),  # half a surrogate pair
        ({"_id": "x," * 1000 + "x"}, "too_many_values"),
    ],
)
def test_a_question_that_is_not_understood_is_refused_not_widened(
    store: FhirStore, query: dict[str, str], reason: str | None
) -> None:
    if reason is None:
        assert ids(store, "Observation", **query) == []
        return
    with pytest.raises(RequestRefusedError) as refused:
        ids(store, "Observation", **query)
    assert (refused.value.status, refused.value.reason) == (400, reason)


def test_parameters_are_told_without_their_modifiers() -> None:
    assert ("identifier", "token") in parameters("Observation")
    assert ("recorded", "date") in parameters("Provenance")
    assert ("patient", "reference") in parameters("Observation")
    assert not any(":" in name or "." in name for name, _ in parameters("Observation"))


def test_a_lenient_search_names_what_it_has_ignored(store: FhirStore) -> None:
    query = [("colour", "blue"), ("status", "final"), ("identifier:exact", "x")]

    page = store.search("Observation", query, is_lenient=True)
    assert [found.id for found in page.matches] == ["new"]
    assert page.ignored == ("colour", "identifier:exact")


@pytest.mark.parametrize(
    ("query", "is_match"),
    [
        ([], True),
        ([("status", "preliminary")], True),
        ([("status", "final,preliminary")], True),
        ([("status", "final")], False),
        ([("category", "imaging"), ("patient.identifier", "TEST-4711")], True),
        ([("category", "imaging"), ("patient.identifier", "TEST-4712")], False),
        ([("identifier", "urn:prelim:report-key|")], True),
        ([("identifier", f"|{KEY}")], False),
    ],
)
def test_a_resource_is_matched_as_a_search_would_find_it(
    query: list[tuple[str, str]], *, is_match: bool
) -> None:
    draft = json.loads(draft_of(key=KEY).observation)
    store = FhirStore(":memory:", now=lambda: datetime(2026, 3, 4, tzinfo=UTC))
    store.update(draft, "x")

    assert matches(draft, query) is is_match
    assert bool(store.search("Observation", query).total) is is_match
    store.close()
