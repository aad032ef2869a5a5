"""The journal of a daemon that serves: written by a process of its own (journal_process.py).

Its statements and checkpoints take no time from the event loop that answers senders. One that dies
is replaced. Whoever it owed an answer is told no, for nobody knows whether their writes were
committed: a sender sends again and is known, a step of the pipeline is done again. What it was not
given yet goes to the next one, unless it had answered nobody: one that cannot begin keeps nobody
waiting.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import structlog

import daemon
from daemon.child_process import end_process
from daemon.errors import JournalUnavailableError
from daemon.journal_commit import Outcome
from daemon.journal_reads import JournalReader
from daemon.journal_schema import prepare_file
from daemon.journal_sqlite import SqliteJournal
from daemon.journal_wire import FrameReader, FrameWriter, Reply, code_digest
from daemon.journal_writer import ANCHOR_EVERY, JournalWriter, Waiting, resolve

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Iterable, Sequence

    from daemon.journal_commit import Job

log = structlog.get_logger()

RESTART_WAIT_S = 1.0
"""From the end of one process to the start of the next."""
SILENT_S = 15.0
"""Who owes an answer for longer is told of; another process's write may hold it up for 10 s."""
FRAME_BYTES = 1024 * 1024
"""The job that reaches this ends its frame; no other is sent while as much waits in the socket."""
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
    command = (*_COMMAND, "--code", code_digest(), "--log-level", log_level, str(path.absolute()))
    writer = RemoteWriter(command, lock=lock, on_head=on_head, anchor_every=anchor_every)
    return SqliteJournal(JournalReader(path), writer, is_left_on_final=is_left_on_final)


class RemoteWriter(JournalWriter):
    """Has another process write; it starts with the first write.

    Args:
        command: The process's command line; ``--fd N`` is added.
        lock: A file descriptor that it inherits.
        on_head: See ``JournalWriter``.
        anchor_every: See ``JournalWriter``.

    Attributes:
        pid: Of the process that writes; None while there is none.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        lock: int | None = None,
        on_head: Callable[[int, str], None] | None = None,
        anchor_every: int = ANCHOR_EVERY,
    ) -> None:
        super().__init__(on_head, anchor_every=anchor_every)
        self.pid: int | None = None
        self._command = tuple(command)
        self._lock = lock
        self._unsent: deque[Waiting] = deque()
        self._sent: deque[asyncio.Future[Any]] = deque()
        self._owed_since_s = 0.0
        self._link: _Link | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_silent(self) -> bool:
        """Whether an answer is owed for too long: a disk that hangs, or a process that does."""
        now_s = asyncio.get_running_loop().time()
        return bool(self._sent) and now_s - self._owed_since_s > SILENT_S

    async def close(self, deadline_s: float | None = None) -> None:
        """Commit what is queued, then let the process end; it is killed soon after
        the deadline.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._flush()
        if self._keeping is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._keeping
        self._tell_head()

    def _put(self, job: Job, future: asyncio.Future[Any]) -> None:
        self._unsent.append((job, future))
        if len(self._unsent) == 1:
            # What else comes in this turn of the loop goes along.
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send what waits, or have a process started for it."""
        if self._link is not None:
            while self._unsent and not self._link.is_full:
                self._link.send(self._make_frame())
            if self._is_closed and not self._unsent:
                self._link.end()
        elif self._unsent and self._keeping is None:
            loop = asyncio.get_running_loop()
            self._keeping = loop.create_task(self._keep_process(), name="journal-writer")

    def _make_frame(self) -> bytes:
        if not self._sent:
            self._owed_since_s = asyncio.get_running_loop().time()
        frame = FrameWriter()
        while self._unsent and frame.size < FRAME_BYTES:
            job, future = self._unsent.popleft()
            try:
                frame.add(job)
            except Exception as error:  # noqa: BLE001 - an argument of ours that cannot be pickled
                name = type(error).__name__
                log.error("journal.operation_failed", error_class=name, where="journal_wire.py")
                _fail([future], JournalUnavailableError("journal_operation_failed", name))
                break
            self._sent.append(future)
        return frame.render()

    async def _keep_process(self) -> None:
        """Run one process after the other, for as long as there is something to write."""
        try:
            while self._unsent:
                has_answered = await self._run_process()
                if self._is_closed:
                    break
                self._lose(is_unsent_kept=has_answered)
                await asyncio.sleep(RESTART_WAIT_S)
        finally:
            self._keeping = None
            if self._sent or self._unsent:
                self._lose(is_unsent_kept=False)

    async def _run_process(self) -> bool:
        """Run one process to its end; return whether it did any work."""
        link, process = _Link(self._take, self._flush), None
        watching = asyncio.create_task(self._watch())
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
                process = await self._spawn(theirs.fileno())
            self._link, self.pid = link, process.pid
            self._flush()
            await link.gone.wait()
        except OSError as error:
            log.error("journal.writer_not_started", error_class=type(error).__name__)
        finally:
            watching.cancel()
            link.abort()
            self._link = self.pid = None
            if process is not None:
                await self._see_off(process)
        return link.has_answered

    async def _spawn(self, fd: int) -> Process:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        # -P: a folder named "daemon" where we were started must not be imported.
        paths = [str(Path(daemon.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        return await asyncio.create_subprocess_exec(
            *(*self._command, "--fd", str(fd)),
            pass_fds=(fd,) if self._lock is None else (fd, self._lock),
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _see_off(self, process: Process) -> None:
        """Wait for the end of a process whose socket is closed: only one may write."""
        status = await end_process(process)
        if self._sent or not self._is_closed:
            log.error("journal.writer_lost", pid=process.pid, status=status)

    async def _watch(self) -> None:
        """Tell of a process that has fallen silent, once for each time."""
        was_silent = False
        while True:
            await asyncio.sleep(SILENT_S / 3)
            if self.is_silent and not was_silent:
                log.error("journal.writer_silent", pid=self.pid, count=len(self._sent))
            was_silent = self.is_silent

    def _take(self, reply: Reply) -> None:
        self._owed_since_s = asyncio.get_running_loop().time()
        told = [(self._sent.popleft(), outcome) for outcome in reply.outcomes]
        self._tell(told, reply.head, has_failed=reply.has_failed)

    def _lose(self, *, is_unsent_kept: bool) -> None:
        """Say no to those whose writes may be committed or not, and to those who wait in vain."""
        self.has_failed = True
        lost = [*self._sent]
        self._sent.clear()
        if not is_unsent_kept:
            lost += [future for _, future in self._unsent]
            self._unsent.clear()
        _fail(lost, JournalUnavailableError("journal_writer_lost"))


def _fail(futures: Iterable[asyncio.Future[Any]], error: JournalUnavailableError) -> None:
    resolve([(future, Outcome(error=error)) for future in futures])


class _Link(asyncio.Protocol):
    """Our end of the socketpair.

    Attributes:
        has_answered: Whether anything came back.
        is_full: Whether so much waits to be read that no more should be given.
        gone: Set when the other end is closed.
    """

    def __init__(self, on_reply: Callable[[Reply], None], on_room: Callable[[], None]) -> None:
        self.has_answered = False
        self.is_full = False
        self.gone = asyncio.Event()
        self._on_reply = on_reply
        self._on_room = on_room
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=FRAME_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take the outcomes that came."""
        for reply in self._frames.feed(data):
            self.has_answered = True
            self._on_reply(reply)

    def pause_writing(self) -> None:
        """Wait until what was sent is read."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Go on."""
        self.is_full = False
        self._on_room()

    def connection_lost(self, _: Exception | None) -> None:
        """Let the writer know that its process is gone."""
        self.gone.set()

    def send(self, frame: bytes) -> None:
        """Send what can be, keep the rest."""
        if self._transport is not None:
            self._transport.write(frame)

    def end(self) -> None:
        """Say that nothing more comes, after all that was sent."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()
