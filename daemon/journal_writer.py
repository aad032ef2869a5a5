"""Who writes the journal for others: jobs in from any task, outcomes back after their commit.

Here is the writer thread. Beside a busy event loop the two share one interpreter, so a daemon that
serves lets a process of its own write (journal_remote.py); both keep the same promise.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from daemon.errors import JournalUnavailableError
from daemon.journal_commit import Job, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.audit import Head
    from daemon.journal_commit import GroupCommit
    from daemon.journal_transaction import Transaction

T = TypeVar("T")
P = ParamSpec("P")
Item = TypeVar("Item")
Waiting = tuple[Job, "asyncio.Future[Any]"]

ANCHOR_EVERY = 1_000
"""Entries between two anchors of the chain's head."""


class JournalWriter(ABC):
    """What every writer is to those who wait.

    Args:
        on_head: Called on the caller's loop with sequence and hash of the chain's head, every
            ``anchor_every`` entries and at close.
        anchor_every: Entries between two anchors.

    Attributes:
        has_failed: Whether the last batch could not be written.
    """

    def __init__(
        self,
        on_head: Callable[[int, str], None] | None = None,
        *,
        anchor_every: int = ANCHOR_EVERY,
    ) -> None:
        self.has_failed = False
        self._head: Head | None = None
        self._on_head = on_head
        self._anchor_every = anchor_every
        self._anchored = 0
        self._is_closed = False

    async def submit(
        self,
        operation: Callable[Concatenate[Transaction, P], T],
        *arguments: P.args,
        **keywords: P.kwargs,
    ) -> T:
        """Run ``operation`` in the next transaction and wait for its commit.

        A caller that is cancelled stops waiting; the operation is done all the same.

        Raises:
            JournalUnavailableError: Nothing was written, or nobody knows whether it was
                (``journal_writer_lost``).
            PrelimError: The operation's own; nothing of it was written.
        """
        done: T = await self._enqueue(Job(operation, arguments, keywords))
        return done

    async def submit_with_others(
        self, operation: Callable[[Transaction, Sequence[Item]], Sequence[T]], item: Item
    ) -> T:
        """As ``submit``; neighbours in the queue with the same operation are run in one call."""
        done: T = await self._enqueue(Job(operation, (item,), is_shared=True))
        return done

    @property
    def is_silent(self) -> bool:
        """Whether an answer is owed for too long."""
        return False

    @abstractmethod
    async def close(self, deadline_s: float | None = None) -> None:
        """Commit what is queued, then release the file.

        Args:
            deadline_s: A process of its own is killed then; None waits for it.
        """

    @abstractmethod
    def _put(self, job: Job, future: asyncio.Future[Any]) -> None:
        """Queue a job; ``future`` gets what becomes of it."""

    def _enqueue(self, job: Job) -> asyncio.Future[Any]:
        if self._is_closed:
            raise JournalUnavailableError("journal_closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(job, future)
        return future

    def _tell(
        self,
        told: Sequence[tuple[asyncio.Future[Any], Outcome]],
        head: Head | None,
        *,
        has_failed: bool,
    ) -> None:
        """Give callers their outcomes; tell the head where an anchor is due."""
        self.has_failed, self._head = has_failed, head
        resolve(told)
        due = 0 if head is None else head.sequence // self._anchor_every
        if due > self._anchored:
            self._tell_head()
        self._anchored = due

    def _tell_head(self) -> None:
        if self._on_head and self._head is not None and self._head.sequence:
            self._on_head(self._head.sequence, self._head.entry_hash)


class ThreadWriter(JournalWriter):
    """Writes on a thread of this process."""

    def __init__(
        self,
        commits: GroupCommit,
        on_head: Callable[[int, str], None] | None = None,
        *,
        anchor_every: int = ANCHOR_EVERY,
    ) -> None:
        """Take what commits: the thread's alone from here on."""
        super().__init__(on_head, anchor_every=anchor_every)
        self._commits = commits
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def transactions(self) -> int:
        """Transactions committed since the start."""
        return self._commits.transactions

    async def close(self, deadline_s: float | None = None) -> None:  # noqa: ARG002 - a thread cannot be killed
        """Commit what is queued, then end the thread and release the file."""
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._head = self._commits.head
        self._tell_head()

    def _put(self, job: Job, future: asyncio.Future[Any]) -> None:
        self._waiting.put((job, future))

    def _run(self) -> None:
        is_open = True
        while is_open:
            taken = [self._waiting.get()]
            with suppress(queue.Empty):
                while True:
                    taken.append(self._waiting.get_nowait())
            is_open = None not in taken
            waiting = [one for one in taken if one is not None]
            if waiting:
                outcomes = self._commits.commit([job for job, _ in waiting])
                self._settle([future for _, future in waiting], outcomes)
        self._commits.close()

    def _settle(self, futures: Sequence[asyncio.Future[Any]], outcomes: Sequence[Outcome]) -> None:
        tell = partial(self._tell, head=self._commits.head, has_failed=self._commits.has_failed)
        pairs = zip(futures, outcomes, strict=True)
        for loop, group in groupby(pairs, key=lambda pair: pair[0].get_loop()):
            with suppress(RuntimeError):  # the loop was closed: nobody is waiting any more
                loop.call_soon_threadsafe(partial(tell, list(group)))


def resolve(told: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    """Give each caller its outcome."""
    for future, outcome in told:
        if future.done():  # cancelled meanwhile
            continue
        if outcome.error is None:
            future.set_result(outcome.result)
        else:
            future.set_exception(outcome.error)
