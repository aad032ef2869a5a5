"""The journal's file: who may read it, what it refuses, what its tables forbid."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.journal_schema import (
    SCHEMA,
    SCHEMA_VERSION,
    check_file,
    connect_reader,
    connect_writer,
    prepare_file,
)

if TYPE_CHECKING:
    from pathlib import Path

APPEND = """INSERT INTO audit
    VALUES (1, 'at', 'prelim', NULL, NULL, 'pause', NULL, NULL, '{}', 'p', 'h')"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def definitions_of(path: Path) -> list[tuple[object, ...]]:
    with closing(connect_reader(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def refusal_of(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        prepare_file(path)
    assert caught.value.where == "journal.url"
    return caught.value.reason


def test_folder_file_and_sidecars_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "journal.db"

    prepare_file(path)
    with closing(connect_writer(path)) as connection:
        connection.execute(APPEND)
        modes = {each.name: mode_of(each) for each in path.parent.iterdir()}

    assert mode_of(path.parent) == 0o700
    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch(0o644)

    prepare_file(path)

    assert mode_of(path) == 0o600


def test_the_writer_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    prepare_file(path)

    with closing(connect_writer(path)) as connection:
        settings = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "auto_vacuum",
                "wal_autocheckpoint",
            )
        }

    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "auto_vacuum": 2,  # INCREMENTAL
        "wal_autocheckpoint": 4000,
    }


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    prepare_file(path)
    with closing(connect_writer(path)) as connection:
        connection.execute(APPEND)

    prepare_file(path)

    with closing(connect_reader(path)) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1,)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    prepare_file(path)
    with closing(connect_writer(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    assert refusal_of(path) == "journal_of_newer_version"


def test_an_older_file_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path: Path) -> None:
    older, newer = tmp_path / "older.db", tmp_path / "newer.db"
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        for statement in (*SCHEMA, APPEND):
            connection.execute(statement)
    with pytest.raises(ConfigurationError) as caught:
        check_file(older)

    prepare_file(older)
    prepare_file(newer)

    check_file(older)
    assert caught.value.reason == "journal_of_older_version"
    assert definitions_of(older) == definitions_of(newer)
    with closing(connect_reader(older)) as connection:
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1,)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    assert refusal_of(path) == "journal_of_another_program"
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)

    assert refusal_of(path) == "journal_not_a_database"
    assert path.read_text() == "not a database, " * 100


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert refusal_of(tmp_path / "file" / "journal.db") == "journal_not_writable"


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_a_journal_that_is_not_there_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        check_file(path)

    reasons = {None: "journal_missing", b"": "journal_empty"}
    assert caught.value.reason == reasons.get(content, "journal_not_a_database")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET detail = '[]'",
        APPEND.replace("INSERT", "INSERT OR REPLACE"),
        APPEND.replace("(1", "(0"),
    ],
)
def test_the_audit_table_only_grows(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "journal.db"
    prepare_file(path)

    with closing(connect_writer(path)) as connection:
        connection.execute(APPEND)

        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)


def test_a_readers_connection_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    prepare_file(path)

    with (
        closing(connect_reader(path)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("INSERT INTO flag VALUES ('paused', 1)")


def test_a_folder_with_characters_of_a_uri_can_hold_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "50% a#b?c" / "journal.db"

    prepare_file(path)

    check_file(path)
