"""Keeps one model worker alive and gives it prompts; the daemon itself never imports torch.

A worker that dies or hangs is replaced. Only the prompts that it was running are given back as
lost (one of them may be what killed it); those that still waited go to the new worker unseen.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from daemon.child_process import end_process
from daemon.model_process import WORKER_COMMAND, WorkerStats, spawn_worker
from model.batching import BatchLimits
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError
from model.worker_wire import (
    Answer,
    Configure,
    DraftRequest,
    FrameReader,
    Ready,
    Refusal,
    Started,
    Unavailable,
    WireError,
    WireMessage,
    Working,
    render_frame,
)

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

    from daemon.clock import Clock
    from mappings.domain import Draft, Prompt
    from model.engine import EngineConfiguration

log = structlog.get_logger()

CHUNK_BYTES = 64 * 1024
FAILURES_TO_REPORT = 3


@dataclass(frozen=True, slots=True)
class RestartWaits:
    """Seconds before a new worker: twice as long after each that did no work."""

    min_s: float = 0.2
    max_s: float = 30.0


@dataclass(slots=True)
class _Pending:
    """A prompt that waits for its draft; ``is_started`` while the worker runs it."""

    frame: bytes = field(repr=False)
    answer: asyncio.Future[Draft] = field(repr=False)
    is_started: bool = False

    def settle(self, outcome: Draft | Exception) -> None:
        """Answer a draft() that may have been cancelled meanwhile."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class ModelSupervisor:
    """The daemon's door to the model."""

    def __init__(  # noqa: PLR0913 - each is a setting
        self,
        engine: EngineConfiguration,
        *,
        clock: Clock,
        limits: BatchLimits | None = None,
        request_timeout_s: float = 120.0,
        start_timeout_s: float = 300.0,
        waits: RestartWaits | None = None,
        command: Sequence[str] = WORKER_COMMAND,
        stderr: int | None = None,
    ) -> None:
        """Take the settings; nothing runs before :meth:`start`.

        Args:
            engine: What the worker loads.
            clock: Monotonic time for what is logged.
            limits: The worker's batches.
            request_timeout_s: A worker that has work and says nothing for so long is killed.
            start_timeout_s: A worker that is not ready within this is killed.
            waits: Before a new worker.
            command: The worker's command line; ``--fd N`` is added.
            stderr: File descriptor for the worker's log lines; None for our own stderr.
        """
        self._configure = Configure(engine, limits or BatchLimits())
        self._clock = clock
        self._request_timeout_s = request_timeout_s
        self._start_timeout_s = start_timeout_s
        self._waits = waits or RestartWaits()
        self._command = tuple(command)
        self._stderr = stderr
        self._pending: dict[int, _Pending] = {}
        self._ids = itertools.count(1)
        self._stats = WorkerStats()
        self._unavailable: EngineUnavailableError | None = None
        self._is_stopping = False
        self._settled = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._deadline: asyncio.Timeout | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a worker with a loaded engine listens now."""
        return self._writer is not None

    @property
    def pid(self) -> int | None:
        """The worker's process id, for health pages and tests."""
        return None if self._process is None else self._process.pid

    @property
    def stats(self) -> WorkerStats:
        """Counts since the start."""
        self._stats.waiting = len(self._pending)
        return self._stats

    def start(self) -> None:
        """Start the first worker and the task that replaces it."""
        self._task = asyncio.create_task(self._keep_worker(), name="model-supervisor")

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until a worker is ready.

        Raises:
            EngineUnavailableError: It cannot be had, or not within ``timeout_s``
                (``worker_not_ready``).
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            raise EngineUnavailableError("worker_not_ready", "model.engine") from None
        if self._unavailable is not None:
            raise self._unavailable

    async def draft(self, prompt: Prompt, *, is_alone: bool = False) -> Draft:
        """Have one draft written; waits while the worker is being replaced.

        Args:
            prompt: What to write.
            is_alone: Run it in a batch by itself, because a worker died with it before.

        Raises:
            PromptRefusedError: This prompt can never be run.
            WorkerLostError: The worker died or hung while it ran this prompt (``worker_died``,
                ``worker_hung``), or we stop (``worker_stopped``).
            EngineUnavailableError: Weights or libraries are missing.
        """
        if self._unavailable is not None:
            raise self._unavailable
        if self._is_stopping:
            raise WorkerLostError("worker_stopped")
        request_id = next(self._ids)
        frame = _render(DraftRequest(request_id, prompt, is_alone=is_alone))
        pending = _Pending(frame, asyncio.get_running_loop().create_future())
        self._pending[request_id] = pending
        try:
            self._hand_over(pending)
            return await pending.answer
        finally:
            self._pending.pop(request_id, None)

    async def stop(self, deadline_s: float) -> None:
        """Let the worker finish what it has within ``deadline_s``, then end it."""
        self._is_stopping = True
        answers = [pending.answer for pending in self._pending.values()]
        if answers and self._unavailable is None:
            await asyncio.wait(answers, timeout=deadline_s)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._fail_all(WorkerLostError("worker_stopped"))

    def _hand_over(self, pending: _Pending) -> None:
        if self._writer is None or self._deadline is None:
            return  # it goes to the next worker when that one is ready
        if self._deadline.when() is None:
            self._extend_deadline()
        self._writer.write(pending.frame)

    def _extend_deadline(self) -> None:
        """Give a worker with work the full time again; an idle one may be silent for ever."""
        if self._deadline is not None:
            now_s = asyncio.get_running_loop().time()
            self._deadline.reschedule(now_s + self._request_timeout_s if self._pending else None)

    async def _keep_worker(self) -> None:
        """Run workers, one after the other, until one says that the engine cannot be had."""
        failures = 0
        while True:
            drafts_before = self._stats.drafts
            reason = await self._run_worker()
            if self._unavailable is not None:
                return
            failures = 1 if self._stats.drafts > drafts_before else failures + 1
            wait_s = min(self._waits.max_s, self._waits.min_s * 2.0 ** (failures - 1))
            self._report_exit(reason, failures, wait_s)
            await asyncio.sleep(wait_s)

    async def _run_worker(self) -> str:
        """Run one worker to its end and say why it ended."""
        ours, theirs = socket.socketpair()
        started_s = self._clock.monotonic_s()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            with theirs:
                self._process = await spawn_worker(self._command, theirs.fileno(), self._stderr)
            self._stats.workers_started += 1
            log.info(
                "model.worker_started", pid=self._process.pid, attempts=self._stats.workers_started
            )
            writer.write(render_frame(self._configure))
            reason = await self._listen(reader, writer, started_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next worker may do better
            log.error("model.supervision_failed", error_class=type(error).__name__)
            reason = "worker_not_started"
        finally:
            self._writer = self._deadline = None
            if self._unavailable is None:
                self._settled.clear()
            writer.close()
            process, self._process = self._process, None
            if process is not None:
                await end_process(process)
        return reason

    async def _listen(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, started_s: float
    ) -> str:
        """Take what the worker says until it falls silent; give back what it was running."""
        frames = FrameReader()
        reason = "worker_died"
        try:
            async with asyncio.timeout(self._start_timeout_s) as self._deadline:
                while chunk := await reader.read(CHUNK_BYTES):
                    for message in frames.feed(chunk):
                        self._take(message, writer, started_s)
                        self._extend_deadline()
        except TimeoutError:
            reason = "worker_hung"
        except (OSError, WireError) as error:
            log.warning("model.connection_lost", error_class=type(error).__name__)
        if self.is_ready:
            self._lose_suspects(reason)
        return reason

    def _take(self, message: WireMessage, writer: asyncio.StreamWriter, started_s: float) -> None:
        match message:
            case Ready():
                self._welcome(message, writer, started_s)
            case Unavailable():
                self._give_up(EngineUnavailableError(message.reason, message.where))
            case Started():
                self._mark_started(message.request_ids)
            case Working():
                pass  # any message is a sign of life
            case Answer():
                self._stats.drafts += 1
                self._stats.prompt_tokens += message.draft.prompt_tokens
                self._stats.output_tokens += message.draft.output_tokens
                self._settle(message.request_id, message.draft)
            case Refusal():
                refusal = PromptRefusedError(message.reason, message.where)
                self._settle(message.request_id, refusal)
            case _:
                raise WireError("frame_unexpected", type(message).__name__)

    def _welcome(self, ready: Ready, writer: asyncio.StreamWriter, started_s: float) -> None:
        """Give a new worker all that waits."""
        self._writer = writer
        self._settled.set()
        for pending in self._pending.values():
            writer.write(pending.frame)
        seconds = round(self._clock.monotonic_s() - started_s, 3)
        log.info("model.worker_ready", engine=ready.identity.engine, seconds=seconds)

    def _give_up(self, error: EngineUnavailableError) -> None:
        """Start no other worker: this would not help until an operator has acted."""
        log.error("model.engine_unavailable", reason=error.reason, where=error.where)
        self._unavailable = error
        self._settled.set()
        self._fail_all(error)

    def _mark_started(self, request_ids: Sequence[int]) -> None:
        self._stats.batches += 1
        self._stats.last_batch_size = len(request_ids)
        for request_id, pending in self._pending.items():
            pending.is_started = request_id in request_ids

    def _lose_suspects(self, reason: str) -> None:
        """Give back what the dead worker was running; if nothing, then all that it was given."""
        started = {key: one for key, one in self._pending.items() if one.is_started}
        for request_id, pending in (started or dict(self._pending)).items():
            del self._pending[request_id]
            self._stats.prompts_lost += 1
            pending.settle(WorkerLostError(reason))

    def _settle(self, request_id: int, outcome: Draft | Exception) -> None:
        if (pending := self._pending.pop(request_id, None)) is not None:
            pending.settle(outcome)

    def _fail_all(self, error: Exception) -> None:
        for pending in self._pending.values():
            pending.settle(error)
        self._pending.clear()

    def _report_exit(self, reason: str, failures: int, wait_s: float) -> None:
        self._stats.workers_lost += 1
        log.warning("model.worker_exited", reason=reason, attempts=failures, retry_after_s=wait_s)
        if failures == FAILURES_TO_REPORT:
            log.error("model.worker_failing", reason=reason, attempts=failures)


def _render(request: DraftRequest) -> bytes:
    try:
        return render_frame(request)
    except WireError as error:
        raise PromptRefusedError("prompt_too_long", error.where) from None
