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
from interfaces.fhir_store_search import date_rows, parse_query, token_rows
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


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource; ``body`` is JSON with its id and meta."""

    type: str
    id: str
    version: int
    updated_at: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the resources that a search matched, newest first."""

    total: int
    offset: int
    count: int
    matches: tuple[Stored, ...]


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

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._database.close()

    def read(self, kind: str, id_: str, version: int | None = None) -> Stored | None:
        """Return the current or the given version."""
        with self._lock:
            return self._read(kind, id_, version)

    def search(self, kind: str, query: Sequence[tuple[str, str]]) -> Page:
        """Find current versions.

        Raises:
            RequestRefusedError: 400, a parameter is not known.
        """
        with self._lock:
            return self._search(kind, query)

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

    def _search(self, kind: str, query: Sequence[tuple[str, str]]) -> Page:
        asked = parse_query(kind, query)
        from_where = f" FROM resource AS r WHERE {asked.where}"  # clauses of ours, values bound
        (total,) = self._database.execute("SELECT count(*)" + from_where, asked.values).fetchone()
        rows = self._database.execute(
            f"SELECT r.type, r.id, r.version, r.updated_at, r.body{from_where}"
            " ORDER BY r.updated_at DESC, r.id LIMIT ? OFFSET ?",
            (*asked.values, asked.count, asked.offset),
        )
        matches = tuple(Stored(*row) for row in rows)
        return Page(total, asked.offset, asked.count, matches)

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
        for table in ("token", "moment"):
            execute(f"DELETE FROM {table} WHERE type = ? AND id = ?", owner)  # noqa: S608 - ours
        self._database.executemany(
            "INSERT INTO token VALUES (?, ?, ?, ?, ?)",
            [(*owner, *row) for row in token_rows(whole)],
        )
        self._database.executemany(
            "INSERT INTO moment VALUES (?, ?, ?, ?, ?)",
            [(*owner, *row) for row in date_rows(whole)],
        )
        return Stored(kind, id_, version, updated_at, body)


def read_body(stored: Stored) -> dict[str, object]:
    """Return a stored resource as JSON types."""
    document: dict[str, object] = json.loads(stored.body)
    return document
