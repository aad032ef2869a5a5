"""What an operation may do in a transaction."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daemon.audit import Change
from daemon.journal_reads import verify_chain
from daemon.journal_schema import connect_writer, prepare_file
from daemon.journal_transaction import Transaction, in_powers_of_two
from tests.unit.daemon.journal_samples import START

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    prepare_file(tmp_path / "journal.db")
    with closing(connect_writer(tmp_path / "journal.db")) as connection:
        yield connection


def begin(connection: sqlite3.Connection) -> Transaction:
    return Transaction(connection, now=START, head=None, new_id=lambda: "id")


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 100])
def test_many_rows_are_inserted_in_their_order(connection: sqlite3.Connection, count: int) -> None:
    transaction = begin(connection)
    transaction.execute("CREATE TABLE line (number INTEGER)")

    placed = transaction.insert("line", [(number,) for number in range(count)])

    found = transaction.execute("SELECT rowid, number FROM line").fetchall()
    assert placed == count
    assert found == [(number + 1, number) for number in range(count)]


def test_entries_follow_the_head_that_is_there(connection: sqlite3.Connection) -> None:
    begin(connection).audit(Change("first"), Change("second"))

    later = begin(connection)
    later.audit(Change("third"))

    verdict = verify_chain(connection, None)
    assert (verdict.is_whole, verdict.entries, verdict.head) == (True, 3, later.head.entry_hash)


def test_parts_are_powers_of_two_and_keep_the_order() -> None:
    parts = list(in_powers_of_two(range(77), 32))

    assert [len(part) for part in parts] == [32, 32, 8, 4, 1]
    assert [row for part in parts for row in part] == list(range(77))
