"""The embedded store's file: versions, conditions, durability, rights."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import FhirStore, read_body
from tests.unit.mappings.fhir_samples import draft_of, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[FhirStore]:
    opened = FhirStore(":memory:", now=lambda: NOON)
    yield opened
    opened.close()


def observation(name: str = "a") -> dict[str, Any]:
    return json.loads(draft_of(key=key_of(name)).observation)


def by_key(name: str = "a") -> list[tuple[str, str]]:
    return [("identifier", f"urn:prelim:report-key|{key_of(name)}")]


def test_an_update_makes_the_next_version_and_keeps_the_older(store: FhirStore) -> None:
    first, is_new = store.update(observation(), "x")
    second, is_newer = store.update({**observation(), "valueString": "Two."}, "x")

    assert (is_new, is_newer) == (True, False)
    assert (first.version, second.version) == (1, 2)
    assert store.read("Observation", "x") == second
    assert store.read("Observation", "x", 1) == first
    assert store.read("Observation", "x", 3) is None
    assert read_body(second)["meta"] == {
        **observation()["meta"],
        "versionId": "2",
        "lastUpdated": "2026-03-04T12:00:00.000Z",
    }


def test_a_conditional_create_finds_what_is_there(store: FhirStore) -> None:
    first, is_new = store.create(observation(), by_key())
    again, is_new_again = store.create({**observation(), "valueString": "Two."}, by_key())

    assert (is_new, is_new_again) == (True, False)
    assert again == first


def test_a_conditional_create_among_several_is_refused(store: FhirStore) -> None:
    store.create(observation())
    store.create(observation())

    with pytest.raises(RequestRefusedError) as refused:
        store.create(observation(), by_key())
    assert (refused.value.status, refused.value.code) == (412, "multiple-matches")
    assert store.search("Observation", []).total == 2


def test_conditional_creates_at_the_same_time_make_one(store: FhirStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: store.create(observation(), by_key()), range(32)))

    assert sum(is_new for _, is_new in answers) == 1
    assert store.search("Observation", []).total == 1


@pytest.mark.parametrize("criteria", [[], [("colour", "blue")]])
def test_a_condition_that_is_none_is_refused_and_stores_nothing(
    store: FhirStore, criteria: list[tuple[str, str]]
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        store.create(observation(), criteria)
    assert refused.value.status == 400
    assert store.search("Observation", []).total == 0


def test_conditions_of_an_update_are_held(store: FhirStore) -> None:
    with pytest.raises(RequestRefusedError):
        store.update(observation(), "x", if_match=1)
    store.update(observation(), "x", only_create=True)
    for condition in ({"if_match": 2}, {"only_create": True}):
        with pytest.raises(RequestRefusedError) as refused:
            store.update({**observation(), "valueString": "Lost."}, "x", **condition)
        assert (refused.value.status, refused.value.reason) == (412, "version_conflict")

    stored = store.read("Observation", "x")
    assert stored is not None
    assert stored.version == 1
    assert store.update(observation(), "x", if_match=1)[0].version == 2


def test_a_search_sees_current_versions_only(store: FhirStore) -> None:
    store.update(observation("a"), "x")
    store.update(observation("b"), "x")

    assert store.search("Observation", by_key("a")).total == 0
    assert [found.id for found in store.search("Observation", by_key("b")).matches] == ["x"]


def test_pages_follow_each_other_without_gap(store: FhirStore) -> None:
    for number in range(5):
        store.update(observation(str(number)), f"id-{number}")

    pages = [
        store.search("Observation", [("_count", "2"), ("_offset", str(offset))])
        for offset in (0, 2, 4)
    ]
    assert [found.id for page in pages for found in page.matches] == [f"id-{n}" for n in range(5)]
    assert {page.total for page in pages} == {5}


def test_the_file_is_its_owners_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "made" / "store.sqlite"
    FhirStore(path, now=lambda: NOON).close()
    path.chmod(0o644)
    first = FhirStore(path, now=lambda: NOON)
    first.update(observation(), "x")
    modes = {stat.S_IMODE(part.stat().st_mode) for part in path.parent.iterdir()}
    first.close()
    second = FhirStore(path, now=lambda: NOON)
    found = second.search("Observation", by_key())
    second.close()

    assert modes == {0o600}
    assert found.total == 1


def test_a_write_is_synced_to_the_disk(tmp_path: Path) -> None:
    store = FhirStore(tmp_path / "store.sqlite", now=lambda: NOON)
    (mode,) = store._database.execute("PRAGMA journal_mode").fetchone()
    (sync,) = store._database.execute("PRAGMA synchronous").fetchone()
    store.close()

    assert (mode, sync) == ("wal", 2)


def test_resources_are_not_shown_in_a_repr(store: FhirStore) -> None:
    stored, _ = store.update({**observation(), "valueString": "Secret words."}, "x")

    assert "Secret" not in repr(stored)
