"""Group commit: everything that waits goes to disk in one transaction.

Rules: an outcome is true only after COMMIT, so after fsync; one operation that fails is undone
alone, chain included; a commit that fails is told to every job of the batch. Another process may
have appended to the chain: the table refuses an entry that does not follow its head, and then the
head is read inside the write transaction.
"""

from __future__ import annotations

import secrets
import sqlite3
import traceback
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from daemon.errors import JournalUnavailableError
from daemon.journal_transaction import Transaction
from mappings.errors import PrelimError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.audit import Head
    from daemon.clock import Clock

log = structlog.get_logger()

REASONS = {"SQLITE_FULL": "disk_full", "SQLITE_BUSY": "journal_busy"}
STATEMENT_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)
"""Faults of one statement; any other sqlite3.Error is the disk's and ends the whole batch."""


class Job(NamedTuple):
    """One caller's wish.

    Attributes:
        operation: Gets the transaction first.
        arguments: What it gets then; of a shared operation the one item it is about.
        keywords: And by name.
        is_shared: Neighbours with the same operation are run in one call: it gets the items of
            all, oldest first, and returns as many results; each item alone when it raised.
    """

    operation: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = {}
    is_shared: bool = False

    def run(self, transaction: Transaction) -> object:
        """Run it by itself."""
        if self.is_shared:
            [result] = self.operation(transaction, self.arguments)
            return result
        return self.operation(transaction, *self.arguments, **self.keywords)


class Outcome(NamedTuple):
    """What became of a job: its result, or an error and nothing written."""

    result: Any = None
    error: PrelimError | None = None


class GroupCommit:
    """Owns the only connection of its process that writes.

    Args:
        connection: In autocommit mode; from here on this object's alone.
        clock: The time of the audit entries.
        new_id: Gives what is born its id, never the same twice.

    Attributes:
        transactions: Committed since the start.
        has_failed: Whether the last batch could not be written.
        head: The chain's, as far as it is known.
    """

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self.transactions = 0
        self.has_failed = False
        self.head: Head | None = None
        self._connection = connection
        self._clock = clock
        self._new_id = new_id

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs in one transaction; return the outcome of each."""
        try:
            transaction = self._begin(self.head)
            outcomes = self._attempt_together(transaction, jobs)
            if outcomes is None:
                self._roll_back()
                transaction = self._begin(None)
                outcomes = [self._attempt(transaction, job) for job in jobs]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - a top: the writer must outlive any batch
            self.has_failed = True
            self._roll_back()
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            reason = REASONS.get(name, "journal_write_failed")
            log.error("journal.commit_failed", reason=reason, error_class=name, count=len(jobs))
            return [Outcome(error=JournalUnavailableError(reason, name)) for _ in jobs]
        self.has_failed = False
        self.transactions += 1
        self.head = transaction.head
        return outcomes

    def _begin(self, head: Head | None) -> Transaction:
        self._connection.execute("BEGIN IMMEDIATE")
        return Transaction(self._connection, now=self._clock.now(), head=head, new_id=self._new_id)

    @staticmethod
    def _attempt_together(transaction: Transaction, jobs: Sequence[Job]) -> list[Outcome] | None:
        """Run jobs without a savepoint each, which costs as much as a small job.

        None when one of them failed: all are to be undone, and tried one by one.
        """
        results: list[Any] = []
        try:
            for operation, group in groupby(jobs, key=lambda job: job.operation):
                alike = list(group)
                if alike[0].is_shared:
                    found = operation(transaction, [job.arguments[0] for job in alike])
                    results += [result for _, result in zip(alike, found, strict=True)]
                else:
                    results += [job.run(transaction) for job in alike]
        except Exception as error:  # noqa: BLE001 - each is tried again alone, and told there
            _raise_if_of_disk(error)
            return None
        return [Outcome(result) for result in results]

    @staticmethod
    def _attempt(transaction: Transaction, job: Job) -> Outcome:
        """Run one job inside a savepoint of its own; it alone is undone when it fails."""
        head = transaction.head
        transaction.execute("SAVEPOINT job")
        try:
            outcome = Outcome(job.run(transaction))
        except PrelimError as error:
            outcome = Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's alone
            _raise_if_of_disk(error)
            name = type(error).__name__
            # No traceback: it could show patient data.
            log.error("journal.operation_failed", error_class=name, where=_place(error))
            outcome = Outcome(error=JournalUnavailableError("journal_operation_failed", name))
        if outcome.error is not None:
            transaction.execute("ROLLBACK TO job")
            transaction.head = head
        transaction.execute("RELEASE job")
        return outcome

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _raise_if_of_disk(error: Exception) -> None:
    if isinstance(error, sqlite3.Error) and not isinstance(error, STATEMENT_FAULTS):
        raise error


def _place(error: Exception) -> str:
    """Return the file and line that failed: all of a traceback that holds no value."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def ids_in_time(clock: Clock) -> Callable[[], str]:
    """Return what makes ids of ours: the millisecond and 80 random bits, as hex.

    In the order of their times, because every index holds them: random ones would have each
    message write a page of its own in each index.
    """
    return lambda: f"{int(clock.now().timestamp() * 1000):012x}{secrets.token_hex(10)}"
