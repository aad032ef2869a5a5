"""The journal of a daemon that serves: written by a process of its own (journal_process.py).

Its statements and checkpoints take no time from the event loop that answers senders. One that dies
is replaced at the next write; whoever waited for it is told no, for nobody knows whether their
writes were committed: a sender sends again and is known, a step of the pipeline is done again.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

import daemon
from daemon.errors import JournalUnavailableError
from daemon.journal_commit import Outcome
from daemon.journal_reads import JournalReader
from daemon.journal_schema import prepare_file
from daemon.journal_sqlite import SqliteJournal
from daemon.journal_wire import FrameReader, Reply, render_frame
from daemon.journal_writer import ANCHOR_EVERY, JournalWriter, Waiting, resolve

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

    from daemon.journal_commit import Job

log = structlog.get_logger()

RESTART_WAIT_S = 1.0
"""From one start to the next: a process that cannot begin is not started by every message."""
_COMMAND = (sys.executable, "-P", "-m", "daemon.journal_process")
_KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR")


def open_served_journal(
    path: Path,
    *,
    lock: int,
    log_level: str = "info",
    on_head: Callable[[int, str], None] | None = None,
    anchor_every: int = ANCHOR_EVERY,
    is_left_on_final: bool = True,
) -> SqliteJournal:
    """Open the journal for a daemon, making it when it is not there; see ``open_journal``.

    Args:
        path: The file.
        lock: File descriptor of the right to serve it; the writing process holds it, too.
        log_level: Of the writing process.
        on_head: As in ``open_journal``.
        anchor_every: As in ``open_journal``.
        is_left_on_final: As in ``open_journal``.

    Raises:
        ConfigurationError: The file cannot be used; ``where`` is ``journal.url``.
    """
    prepare_file(path)
    command = (*_COMMAND, "--log-level", log_level, str(path))
    writer = RemoteWriter(command, lock=lock, on_head=on_head, anchor_every=anchor_every)
    return SqliteJournal(JournalReader(path), writer, is_left_on_final=is_left_on_final)


class RemoteWriter(JournalWriter):
    """Has another process write."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        lock: int | None = None,
        on_head: Callable[[int, str], None] | None = None,
        anchor_every: int = ANCHOR_EVERY,
    ) -> None:
        """Take what starts the process; ``--fd N`` is added. It starts with the first write.

        Args:
            command: The process's command line.
            lock: A file descriptor that it inherits.
            on_head: See ``JournalWriter``.
            anchor_every: See ``JournalWriter``.
        """
        super().__init__(on_head, anchor_every=anchor_every)
        self.pid: int | None = None
        self._command = tuple(command)
        self._lock = lock
        self._unsent: list[Waiting] = []
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._link: asyncio.Transport | None = None
        self._life: asyncio.Task[None] | None = None
        self._not_before_s = 0.0

    async def close(self) -> None:
        """Commit what is queued, then let the process end."""
        if self._is_closed:
            return
        self._is_closed = True
        self._flush()
        if self._link is not None:
            self._link.write_eof()
        if self._life is not None:
            await self._life
        self._tell_head()

    def _put(self, job: Job, future: asyncio.Future[Any]) -> None:
        self._unsent.append((job, future))
        if len(self._unsent) == 1:
            # What else comes in this turn of the loop goes along.
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        if not self._unsent:
            return
        if self._link is not None:
            self._send(self._link)
        elif self._life is None:
            loop = asyncio.get_running_loop()
            if loop.time() < self._not_before_s:
                self._lose()
                return
            self._not_before_s = loop.time() + RESTART_WAIT_S
            self._life = loop.create_task(self._live(), name="journal-writer")

    def _send(self, link: asyncio.Transport) -> None:
        unsent, self._unsent = self._unsent, []
        futures = [future for _, future in unsent]
        try:
            frame = render_frame([job for job, _ in unsent])
        except Exception as error:  # noqa: BLE001 - an argument of ours that cannot be pickled
            name = type(error).__name__
            log.error("journal.operation_failed", error_class=name)
            _fail(futures, JournalUnavailableError("journal_operation_failed", name))
            return
        self._waiting += futures
        link.write(frame)

    async def _live(self) -> None:
        """Run one process from its start to its end."""
        process: Process | None = None
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await self._spawn(theirs.fileno())
            self.pid = process.pid
            await self._talk(ours)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next process may do better
            log.error("journal.writer_not_started", error_class=type(error).__name__)
        finally:
            self._link = None
            ours.close()
            is_lost = bool(self._waiting or self._unsent) or not self._is_closed
            if process is not None:
                await self._see_off(process, is_lost=is_lost)
            self._life = self.pid = None
            if is_lost:
                self._lose()

    async def _talk(self, ours: socket.socket) -> None:
        """Give the process what waits, until its end of the socket is closed."""
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        link, _ = await loop.create_connection(lambda: _Link(self._take, gone), sock=ours)
        self._link = link
        self._flush()
        if self._is_closed:
            link.write_eof()
        await gone.wait()

    async def _spawn(self, fd: int) -> Process:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # -P: a folder named "daemon" where we were started must not be imported.
        root = str(Path(daemon.__file__).parent.parent)
        return await asyncio.create_subprocess_exec(
            *(*self._command, "--fd", str(fd)),
            pass_fds=(fd,) if self._lock is None else (fd, self._lock),
            env={**environment, "PYTHONPATH": root},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    @staticmethod
    async def _see_off(process: Process, *, is_lost: bool) -> None:
        """Wait for the end of a process that has closed its socket; only one may write."""
        if is_lost and process.returncode is None:
            process.kill()
        status = await process.wait()
        if is_lost:
            log.error("journal.writer_lost", pid=process.pid, status=status)

    def _take(self, reply: Reply) -> None:
        told = [(self._waiting.popleft(), outcome) for outcome in reply.outcomes]
        self._tell(told, reply.head, has_failed=reply.has_failed)

    def _lose(self) -> None:
        """Tell all who wait that nobody knows what became of their writes."""
        self.has_failed = True
        lost = [*self._waiting, *(future for _, future in self._unsent)]
        self._waiting.clear()
        self._unsent.clear()
        _fail(lost, JournalUnavailableError("journal_writer_lost"))


def _fail(futures: Sequence[asyncio.Future[Any]], error: JournalUnavailableError) -> None:
    resolve([(future, Outcome(error=error)) for future in futures])


class _Link(asyncio.Protocol):
    """Our end of the socketpair."""

    def __init__(self, on_reply: Callable[[Reply], None], gone: asyncio.Event) -> None:
        self._on_reply = on_reply
        self._gone = gone
        self._frames = FrameReader()

    def data_received(self, data: bytes) -> None:
        """Take the outcomes that came."""
        for reply in self._frames.feed(data):
            self._on_reply(reply)

    def connection_lost(self, _: Exception | None) -> None:
        """Let the writer know that its process is gone."""
        self._gone.set()
