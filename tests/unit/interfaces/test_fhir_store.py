"""The embedded store's file: versions, conditions, durability, rights."""

from __future__ import annotations

import json
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import FhirStore
from tests.samples.fhir_drafts import draft_of, key_of

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
    assert second.resource()["meta"] == {
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


def pages(store: FhirStore, *query: tuple[str, str]) -> Iterator[list[str]]:
    cursor: str | None = ""
    while cursor is not None:
        after = [("_cursor", cursor)] if cursor else []
        page = store.search("Observation", [("_count", "2"), *query, *after])
        assert page.total == len(store.search("Observation", []).matches)
        cursor = page.cursor
        yield [found.id for found in page.matches]


@pytest.mark.parametrize("sort", ["-_lastUpdated", "_lastUpdated", "date", "-date"])
def test_pages_follow_each_other_without_gap_whatever_is_written_between(sort: str) -> None:
    moments = [NOON + timedelta(seconds=number // 2) for number in range(8)]
    store = FhirStore(":memory:", now=lambda: moments.pop(0))
    for number in range(5):
        dated = {"effectiveDateTime": f"202{number // 2}"} if number else {}
        body = {name: part for name, part in observation().items() if name[:3] != "eff"}
        store.update({**body, **dated}, f"id-{number}")

    seen: list[str] = []
    for page in pages(store, ("_sort", sort)):
        if not seen:
            store.update({**observation(), "effectiveDateTime": "2019"}, "later")
        seen += page
    store.close()

    order = [f"id-{n}" for n in range(5)]
    expected = order[::-1] if sort.startswith("-") else order
    assert [id_ for id_ in seen if id_ != "later"] == expected


def test_a_page_of_nothing_is_the_number_alone(store: FhirStore) -> None:
    store.update(observation(), "x")

    page = store.search("Observation", [("_count", "0")])
    assert (page.total, page.matches, page.cursor) == (1, (), None)


def test_what_is_removed_leaves_nothing_behind(store: FhirStore) -> None:
    store.update(observation(), "x")
    store.update(observation(), "x")

    assert store.remove("Observation", "x") is True
    assert store.remove("Observation", "x") is False
    assert store.read("Observation", "x", 1) is None
    assert store.search("Observation", by_key()).total == 0


def test_what_an_older_prelim_has_stored_is_found_by_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    older = FhirStore(path, now=lambda: NOON)
    older.update(observation(), "x")
    older.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DELETE FROM token")
        database.execute("PRAGMA user_version = 0")

    newer = FhirStore(path, now=lambda: NOON)
    assert newer.search("Observation", by_key()).total == 1
    newer.close()


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
