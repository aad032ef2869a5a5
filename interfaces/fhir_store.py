"""The embedded FHIR store: versioned resources in one SQLite file, for a run without a server.

A write is durable (fsync) when its call returns, and a condition (If-None-Exist, If-Match) is
judged in the same transaction as the write, so it is free of races. Calls block: run them off the
event loop.

Standard: FHIR R4 RESTful API (versioned-update).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store_search import date_rows, make_cursor, parse_query, token_rows
from mappings.fhir_elements import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    type TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, is_current INTEGER NOT NULL,
    updated_at TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (type, id, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS resource_current ON resource (type, updated_at, id) WHERE is_current;
CREATE TABLE IF NOT EXISTS token (
    type TEXT NOT NULL, id TEXT NOT NULL, param TEXT NOT NULL, system TEXT, code TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS token_code ON token (type, param, code, system);
CREATE INDEX IF NOT EXISTS token_owner ON token (type, id, param);
CREATE TABLE IF NOT EXISTS moment (
    type TEXT NOT NULL, id TEXT NOT NULL, param TEXT NOT NULL, start_s REAL, end_s REAL
);
CREATE INDEX IF NOT EXISTS moment_owner ON moment (type, id, param);
"""
_INDEX_VERSION = 1
"""Goes up when fhir_store_search.py makes other rows of the same resource."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource; ``body`` is JSON with its id and meta."""

    type: str
    id: str
    version: int
    updated_at: str
    body: bytes = field(repr=False)

    def resource(self) -> dict[str, object]:
        """Return it as JSON types."""
        document: dict[str, object] = json.loads(self.body)
        return document


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the resources that a search matched.

    ``cursor`` is where it ends, when more come; ``ignored`` the names that a lenient search did not
    know.
    """

    total: int
    matches: tuple[Stored, ...]
    cursor: str | None
    ignored: tuple[str, ...]


class FhirStore:
    """Reads and writes resources that were checked already (``mappings.fhir_guard.check_r4``)."""

    def __init__(
        self,
        path: Path | Literal[":memory:"],
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        """Open or make the file, readable by its owner only.

        Args:
            path: The file, or ``:memory:`` for a test.
            now: The time of a write, aware, UTC.
            new_id: Ids of created resources.
        """
        if path != ":memory:":
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)  # -wal and -shm follow its mode
        self._now = now
        self._new_id = new_id
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;"
            + _SCHEMA
        )
        self._renew_index()

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()

    def read(self, kind: str, id_: str, version: int | None = None) -> Stored | None:
        """Return the current or the given version."""
        with self._lock:
            return self._read(kind, id_, version)

    def search(
        self, kind: str, query: Sequence[tuple[str, str]], *, is_lenient: bool = False
    ) -> Page:
        """Find current versions, newest first when ``_sort`` says nothing.

        A page begins after the last resource of the one before, so that what is written meanwhile
        neither repeats a resource nor hides one.

        Raises:
            RequestRefusedError: 400, a parameter is not known.
        """
        with self._lock:
            return self._search(kind, query, is_lenient=is_lenient)

    def create(
        self, resource: Mapping[str, object], if_none_exist: Sequence[tuple[str, str]] | None = None
    ) -> tuple[Stored, bool]:
        """Store under a new id, unless ``if_none_exist`` finds one.

        Returns:
            What is held, and whether it is new.

        Raises:
            RequestRefusedError: 412, several match; 400, the condition is empty or not known.
        """
        kind = str(resource["resourceType"])
        with self._transaction():
            if if_none_exist is not None:
                if not if_none_exist:
                    raise RequestRefusedError(400, "invalid", "if_none_exist_empty")
                page = self._search(kind, [*if_none_exist, ("_count", "2")])
                if page.total > 1:
                    raise RequestRefusedError(412, "multiple-matches", "several_matches")
                if page.matches:
                    return page.matches[0], False
            return self._write(resource, self._new_id(), 1), True

    def update(
        self,
        resource: Mapping[str, object],
        id_: str,
        *,
        if_match: int | None = None,
        only_create: bool = False,
    ) -> tuple[Stored, bool]:
        """Store as the next version, or as the first one.

        Args:
            resource: With this id.
            id_: The client's.
            if_match: The version that must be current.
            only_create: There must be none (If-None-Match: *).

        Returns:
            What is held, and whether it is new.

        Raises:
            RequestRefusedError: 412, the condition does not hold.
        """
        kind = str(resource["resourceType"])
        with self._transaction():
            held = self._read(kind, id_, None)
            is_stale = if_match is not None and (held is None or held.version != if_match)
            if is_stale or (only_create and held is not None):
                raise RequestRefusedError(412, "conflict", "version_conflict")
            version = 1 if held is None else held.version + 1
            return self._write(resource, id_, version), held is None

    def remove(self, kind: str, id_: str) -> bool:
        """Forget every version of a resource; return whether there was one."""
        with self._transaction():
            is_there = self._read(kind, id_, None) is not None
            for table in ("resource", "token", "moment"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE type = ? AND id = ?",  # noqa: S608 - ours
                    (kind, id_),
                )
            return is_there

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _read(self, kind: str, id_: str, version: int | None) -> Stored | None:
        row = self._database.execute(
            "SELECT type, id, version, updated_at, body FROM resource WHERE type = ? AND id = ?"
            " AND CASE WHEN ? IS NULL THEN is_current ELSE version = ? END",
            (kind, id_, version, version),
        ).fetchone()
        return None if row is None else Stored(*row)

    def _search(
        self, kind: str, query: Sequence[tuple[str, str]], *, is_lenient: bool = False
    ) -> Page:
        asked = parse_query(kind, query, is_lenient=is_lenient)
        from_where = f" FROM resource AS r WHERE {asked.where}"  # clauses of ours, values bound
        (total,) = self._database.execute("SELECT count(*)" + from_where, asked.values).fetchone()
        following = "" if asked.after is None else f" AND {asked.following}"
        rows = self._database.execute(
            f"SELECT r.type, r.id, r.version, r.updated_at, r.body, {asked.order}"
            f"{from_where}{following}"
            f" ORDER BY {asked.order} {asked.direction}, r.id {asked.direction} LIMIT ?",
            (*asked.values, *(asked.after or ()), asked.count + 1),
        ).fetchall()
        shown = rows[: asked.count]
        has_more = bool(shown) and len(rows) > len(shown)
        return Page(
            total=total,
            matches=tuple(Stored(*row[:5]) for row in shown),
            cursor=make_cursor(shown[-1][5], shown[-1][1]) if has_more else None,
            ignored=asked.ignored,
        )

    def _write(self, resource: Mapping[str, object], id_: str, version: int) -> Stored:
        kind = str(resource["resourceType"])
        updated_at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        meta = resource.get("meta")
        whole = {
            **resource,
            "id": id_,
            "meta": {
                **(meta if isinstance(meta, dict) else {}),
                "versionId": str(version),
                "lastUpdated": updated_at,
            },
        }
        body = canonical_json(whole)
        owner = (kind, id_)
        execute = self._database.execute
        execute("UPDATE resource SET is_current = 0 WHERE type = ? AND id = ?", owner)
        execute(
            "INSERT INTO resource VALUES (?, ?, ?, 1, ?, ?)", (*owner, version, updated_at, body)
        )
        self._index(owner, whole)
        return Stored(kind, id_, version, updated_at, body)

    def _renew_index(self) -> None:
        """Index afresh what an older prelim has indexed for fewer parameters."""
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version >= _INDEX_VERSION:
            return
        with self._transaction():
            current = "SELECT type, id, body FROM resource WHERE is_current"
            for kind, id_, body in self._database.execute(current).fetchall():
                self._index((kind, id_), json.loads(body))
            self._database.execute(f"PRAGMA user_version = {_INDEX_VERSION}")

    def _index(self, owner: tuple[str, str], whole: Mapping[str, object]) -> None:
        for table in ("token", "moment"):
            self._database.execute(
                f"DELETE FROM {table} WHERE type = ? AND id = ?",  # noqa: S608 - ours
                owner,
            )
        self._database.executemany(
            "INSERT INTO token VALUES (?, ?, ?, ?, ?)",
            [(*owner, *row) for row in token_rows(whole)],
        )
        self._database.executemany(
            "INSERT INTO moment VALUES (?, ?, ?, ?, ?)",
            [(*owner, *row) for row in date_rows(whole)],
        )
