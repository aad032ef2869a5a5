"""The one writer thread: everything that waits goes to disk in one transaction (group commit).

Rules: a caller hears back only after COMMIT, so after fsync; one operation that fails is undone
alone, chain included; a commit that fails is told to every caller of the batch, and the thread goes
on. Another process may have appended to the chain: the table refuses an entry that does not follow
its head, and then the head is read inside the write transaction.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from daemon.audit import Head, link_entry
from daemon.errors import JournalUnavailableError
from mappings.errors import PrelimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from daemon.audit import Change
    from daemon.clock import Clock

T = TypeVar("T")
Item = TypeVar("Item")

log = structlog.get_logger()

ANCHOR_EVERY = 1_000
"""Entries between two anchors of the chain's head."""
REASONS = {"SQLITE_FULL": "disk_full", "SQLITE_BUSY": "journal_busy"}
ROWS_MAX = 32
"""Rows in one INSERT: each statement gives the interpreter away several times, and to get it back
from a busy loop costs more than the row.
"""
STATEMENT_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)
"""Faults of one statement; any other sqlite3.Error is the disk's and ends the whole batch."""


class Transaction:
    """What an operation may do inside the open write transaction."""

    def __init__(self, connection: sqlite3.Connection, now: datetime, head: Head | None) -> None:
        """Take the chain's head; None reads it."""
        self._connection = connection
        self.now = now
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


@dataclass(frozen=True, slots=True)
class _Job:
    operation: Callable[[Transaction, Sequence[Any]], Sequence[Any]]
    item: Any
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class JournalWriter:
    """Owns the only connection of this process that writes.

    Args:
        connection: In autocommit mode; from here on the thread's alone.
        clock: The time of the audit entries.
        on_head: Called on the caller's loop with sequence and hash of the chain's head, every
            ``anchor_every`` entries and at close.
        anchor_every: Entries between two anchors.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Clock,
        on_head: Callable[[int, str], None] | None = None,
        *,
        anchor_every: int = ANCHOR_EVERY,
    ) -> None:
        self.transactions = 0
        self.has_failed = False
        self._connection = connection
        self._clock = clock
        self._on_head = on_head
        self._anchor_every = anchor_every
        self._head: Head | None = None
        self._anchored = 0
        self._is_closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    async def submit(self, operation: Callable[[Transaction], T]) -> T:
        """Run ``operation`` in the next transaction and wait for its commit.

        A caller that is cancelled stops waiting; the operation is done all the same.

        Raises:
            JournalUnavailableError: Nothing was written.
            PrelimError: The operation's own; nothing of it was written.
        """
        return await self.submit_with_others(lambda transaction, _: (operation(transaction),), None)

    async def submit_with_others(
        self, operation: Callable[[Transaction, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """As ``submit``; neighbours in the queue with the same operation are run in one call.

        Args:
            operation: Gets the items of all of them, oldest first, and returns as many results;
                each item alone when it raised.
            item: What this call is about.
        """
        if self._is_closed:
            raise JournalUnavailableError("journal_closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(operation, item, future))
        return await future

    async def close(self) -> None:
        """Commit what is queued, then end the thread and release the file."""
        if self._is_closed:
            return
        self._is_closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._on_head and self._head is not None and self._head.sequence:
            self._on_head(self._head.sequence, self._head.entry_hash)

    def _run(self) -> None:
        is_open = True
        while is_open:
            waiting = [self._jobs.get()]
            with suppress(queue.Empty):
                while True:
                    waiting.append(self._jobs.get_nowait())
            is_open = None not in waiting
            jobs = [job for job in waiting if job is not None]
            if jobs:
                self._settle(self._commit(jobs))
        self._connection.close()

    def _commit(self, jobs: Sequence[_Job]) -> list[_Outcome]:
        try:
            transaction = self._begin(self._head)
            outcomes = self._attempt_together(transaction, jobs)
            if outcomes is None:
                self._roll_back()
                transaction = self._begin(None)
                outcomes = [self._attempt(transaction, job) for job in jobs]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the thread's top: it must outlive any batch
            self.has_failed = True
            self._roll_back()
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            reason = REASONS.get(name, "journal_write_failed")
            log.error("journal.commit_failed", reason=reason, error_class=name, count=len(jobs))
            return [
                _Outcome(job.future, error=JournalUnavailableError(reason, name)) for job in jobs
            ]
        self.has_failed = False
        self.transactions += 1
        self._head = transaction.head
        return outcomes

    def _begin(self, head: Head | None) -> Transaction:
        self._connection.execute("BEGIN IMMEDIATE")
        return Transaction(self._connection, self._clock.now(), head)

    @staticmethod
    def _attempt_together(transaction: Transaction, jobs: Sequence[_Job]) -> list[_Outcome] | None:
        """Run jobs without a savepoint each, which costs as much as a small job.

        None when one of them failed: all are to be undone, and tried one by one.
        """
        outcomes: list[_Outcome] = []
        try:
            for operation, group in groupby(jobs, key=attrgetter("operation")):
                alike = list(group)
                results = operation(transaction, [job.item for job in alike])
                outcomes += [
                    _Outcome(job.future, result) for job, result in zip(alike, results, strict=True)
                ]
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, STATEMENT_FAULTS):
                raise
            return None
        return outcomes

    def _attempt(self, transaction: Transaction, job: _Job) -> _Outcome:
        """Run one job inside a savepoint of its own; it alone is undone when it fails."""
        head = transaction.head
        transaction.execute("SAVEPOINT job")
        try:
            [result] = job.operation(transaction, [job.item])
            outcome = _Outcome(job.future, result)
        except PrelimError as error:
            outcome = _Outcome(job.future, error=error)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, STATEMENT_FAULTS):
                raise
            name = type(error).__name__
            # No traceback: it could show patient data.
            log.error("journal.operation_failed", error_class=name, where=_place(error))
            failure = JournalUnavailableError("journal_operation_failed", name)
            outcome = _Outcome(job.future, error=failure)
        if outcome.error is not None:
            transaction.execute("ROLLBACK TO job")
            transaction.head = head
        transaction.execute("RELEASE job")
        return outcome

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _settle(self, outcomes: Sequence[_Outcome]) -> None:
        for loop, group in groupby(outcomes, key=lambda outcome: outcome.future.get_loop()):
            with suppress(RuntimeError):  # the loop was closed: nobody is waiting any more
                loop.call_soon_threadsafe(_resolve, list(group))
                self._anchor(loop)

    def _anchor(self, loop: asyncio.AbstractEventLoop) -> None:
        head = self._head or Head()
        due = head.sequence // self._anchor_every
        if self._on_head and due > self._anchored:
            loop.call_soon_threadsafe(self._on_head, head.sequence, head.entry_hash)
        self._anchored = due


def _place(error: Exception) -> str:
    """Return the file and line that failed: all of a traceback that holds no value."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.future.done():  # cancelled meanwhile
            continue
        if outcome.error is None:
            outcome.future.set_result(outcome.result)
        else:
            outcome.future.set_exception(outcome.error)
