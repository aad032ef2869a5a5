"""What an operation on the journal may do: statements, and entries of the audit chain.

Rule: an operation is a function of an open ``Transaction`` and of arguments that can be pickled,
and so can its result and what it raises: it may be run by another process (journal_process.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from daemon.audit import Head, link_entry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from daemon.audit import Change

T = TypeVar("T")

ROWS_MAX = 32
"""Rows in one INSERT: each statement gives the interpreter away several times, and where a thread
writes (commands, tests), to get it back from a busy loop costs more than the row.
"""


class Transaction:
    """What an operation may do inside the open write transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        now: datetime,
        head: Head | None,
        new_id: Callable[[], str],
    ) -> None:
        """Take the chain's head; None reads it. ``new_id`` names what is born here."""
        self._connection = connection
        self.now = now
        self.new_id = new_id
        self.head = self._read_head() if head is None else head

    def _read_head(self) -> Head:
        row = self.find("SELECT sequence, entry_hash FROM audit ORDER BY sequence DESC LIMIT 1")
        return Head(*row) if row else Head()

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(statement, values)

    def find(self, statement: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        return row

    def insert(self, into: str, rows: Sequence[Sequence[object]]) -> int:
        """Insert rows of one width, in their order.

        Args:
            into: A table, with its columns where not all are given.
            rows: At least one.

        Returns:
            The last row's ROWID; those before it precede it without a gap.
        """
        row = f"({', '.join('?' * len(rows[0]))})"
        for part in in_powers_of_two(rows, ROWS_MAX):
            statement = f"INSERT INTO {into} VALUES {', '.join([row] * len(part))}"  # noqa: S608 - names of ours and question marks
            last = self.execute(statement, [value for each in part for value in each]).lastrowid
        return last or 0

    def audit(self, *changes: Change) -> None:
        """Append entries to the chain, at least one."""
        entries = []
        for change in changes:
            entry = link_entry(self.head, self.now, change)
            self.head = Head(entry[0], entry[-1])
            entries.append(entry)
        self.insert("audit", entries)


def in_powers_of_two(rows: Sequence[T], size_max: int) -> Iterator[Sequence[T]]:
    """Cut rows into parts of 1, 2, 4 ... ``size_max``: so many statements, not one per length."""
    start, size = 0, size_max
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size
