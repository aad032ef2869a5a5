"""The model worker: a child process that owns the engine, and so torch and the GPU.

Started as ``python -m model.worker --fd N`` with one end of a socketpair; everything else, patient
data above all, comes over it. It lives as long as the socket: when the daemon closes it or dies,
the process is gone, in the middle of a batch if need be. It logs class names, never texts.

One bad prompt fails alone: a batch that fails is run again row by row; a row that fails by itself
is refused if the engine still works, else the process ends and the daemon starts a new one.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Never

import structlog

from model.batching import BatchLimits, BatchPlan, Waiting, plan_batch, require_fit
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
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from model.engine import Engine, EngineConfiguration, Prepared

CHUNK_BYTES = 64 * 1024
SIGN_OF_LIFE_S = 1.0
EXIT_ENGINE_BROKEN = 3
log = structlog.get_logger()


class EngineBrokenError(Exception):
    """The engine fails at a piece of work that it did when it was loaded, or its server is away."""


class Worker:
    """Reads requests on one thread, runs batches on another."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        load: Callable[[EngineConfiguration], Engine],
        on_hangup: Callable[[], None],
    ) -> None:
        """Take our end of the socketpair; ``on_hangup`` runs when the other end is gone."""
        self._connection = connection
        self._load = load
        self._on_hangup = on_hangup
        self._inbox: queue.SimpleQueue[WireMessage | None] = queue.SimpleQueue()
        self._waiting: dict[int, tuple[Waiting, Prepared]] = {}
        self._limits = BatchLimits()
        self._said_s = 0.0
        self._engine: Engine

    def run(self) -> None:
        """Load the engine, say so, then draft until the other end is gone.

        Raises:
            EngineBrokenError: What was not answered shall go to a new process.
        """
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()
        first = self._inbox.get()
        if not isinstance(first, Configure):
            return
        if self._start_engine(first):
            while self._admit():
                self._run_due()

    def _start_engine(self, configure: Configure) -> bool:
        self._limits = configure.limits
        started_s = time.monotonic()
        try:
            self._engine = self._load(configure.engine)
            self._engine.probe()
            self._engine.on_step = self._show_life
        except EngineUnavailableError as error:
            self._send(Unavailable(error.reason, error.where))
            return False
        except WorkerLostError as error:
            _give_back(error)
        adapters = tuple(configure.engine.adapters)
        self._send(Ready(self._engine.identity(None, template_version=""), adapters))
        seconds = round(time.monotonic() - started_s, 3)
        log.info("model.engine_loaded", engine=configure.engine.engine, seconds=seconds)
        return True

    def _read(self) -> None:
        """Move messages from the socket to the inbox; the end of the socket is ours too."""
        reader = FrameReader()
        try:
            while chunk := self._connection.recv(CHUNK_BYTES):
                for message in reader.feed(chunk):
                    self._inbox.put(message)
        except (OSError, WireError) as error:
            log.warning("model.connection_lost", error_class=type(error).__name__)
        self._inbox.put(None)
        self._on_hangup()

    def _admit(self) -> bool:
        """Take what has arrived, waiting as long as the plan allows; False at the end."""
        wait_s = self._wait_s()
        while True:
            try:
                message = self._inbox.get(block=wait_s != 0, timeout=wait_s)
            except queue.Empty:
                return True
            if message is None:
                return False
            if isinstance(message, DraftRequest):
                self._prepare(message)
            wait_s = 0

    def _wait_s(self) -> float | None:
        if not self._waiting:
            return None
        plan = self._plan()
        return 0 if plan.ask_again_s is None else max(0.0, plan.ask_again_s - time.monotonic())

    def _plan(self) -> BatchPlan:
        rows = [waiting for waiting, _ in self._waiting.values()]
        return plan_batch(rows, time.monotonic(), self._limits)

    def _prepare(self, request: DraftRequest) -> None:
        try:
            prepared = self._engine.prepare(request.prompt)
            waiting = Waiting(
                request_id=request.request_id,
                adapter=request.prompt.adapter,
                prompt_tokens=len(prepared.token_ids),
                output_tokens_max=request.prompt.output_tokens_max,
                queued_s=time.monotonic(),
                is_alone=request.is_alone,
            )
            require_fit(waiting, self._limits)
        except PromptRefusedError as error:
            self._send(Refusal(request.request_id, error.reason, error.where))
        except Exception as error:  # noqa: BLE001 - one strange prompt must not end the others
            self._send(Refusal(request.request_id, "prompt_unreadable", type(error).__name__))
        else:
            self._waiting[request.request_id] = (waiting, prepared)

    def _run_due(self) -> None:
        request_ids = self._plan().request_ids
        batch = [(request_id, self._waiting.pop(request_id)[1]) for request_id in request_ids]
        if not batch:
            return
        try:
            self._generate(batch)
        except WorkerLostError as error:
            _give_back(error)
        except Exception as error:  # noqa: BLE001 - find out which row it was
            log.warning(
                "model.batch_failed", batch_size=len(batch), error_class=type(error).__name__
            )
            for row in batch:
                self._generate_alone(row)

    def _generate(self, batch: Sequence[tuple[int, Prepared]]) -> None:
        """Run the rows together and answer each."""
        self._send(Started(tuple(request_id for request_id, _ in batch)))
        drafts = self._engine.generate([prepared for _, prepared in batch])
        for (request_id, _), draft in zip(batch, drafts, strict=True):
            self._send(Answer(request_id, draft))

    def _show_life(self) -> None:
        """Tell the daemon, at most once a second, that a slow batch is being written."""
        now_s = time.monotonic()
        if now_s - self._said_s >= SIGN_OF_LIFE_S:
            self._send(Working())

    def _generate_alone(self, row: tuple[int, Prepared]) -> None:
        """Run one row of a failed batch; refuse it if it fails on an engine that works."""
        try:
            self._generate([row])
        except WorkerLostError as error:
            _give_back(error)
        except PromptRefusedError as error:
            self._send(Refusal(row[0], error.reason, error.where))
        except Exception as error:  # noqa: BLE001 - the row or the engine: the probe tells
            self._require_engine()
            self._send(Refusal(row[0], "engine_failed", type(error).__name__))

    def _require_engine(self) -> None:
        try:
            self._engine.probe()
        except Exception as error:  # noqa: BLE001 - any failure has the same fate
            log.error("model.engine_broken", error_class=type(error).__name__)
            raise EngineBrokenError from None

    def _send(self, message: WireMessage) -> None:
        self._said_s = time.monotonic()
        try:
            self._connection.sendall(render_frame(message))
        except OSError:
            self._on_hangup()


def _give_back(error: WorkerLostError) -> Never:
    """End over a server that is away; the daemon waits, and tries again what it gave us."""
    log.warning("model.server_lost", reason=error.reason, where=error.where)
    raise EngineBrokenError from None


def load_engine(configuration: EngineConfiguration) -> Engine:
    """Load the engine that the settings name; this is where torch comes in, if at all.

    Raises:
        EngineUnavailableError: Weights or libraries are missing.
        WorkerLostError: The server of the settings is away.
    """
    if configuration.engine == "extractive":
        from model.engines.extractive import ExtractiveEngine

        return ExtractiveEngine(delay_s=configuration.delay_s)
    if configuration.engine == "openai":
        from model.engines.openai_compatible import load_openai_engine

        return load_openai_engine(configuration)
    _require_folders(configuration)
    try:
        from model.engines.transformers_lora import load_transformers_engine
    except ImportError:
        raise EngineUnavailableError("library_missing", "model.engine") from None
    return load_transformers_engine(configuration)


def _require_folders(configuration: EngineConfiguration) -> None:
    """Judge the paths before the libraries, which take seconds to import."""
    if configuration.base is not None and not Path(configuration.base).is_dir():
        raise EngineUnavailableError("folder_missing", "model.base")
    for name, folder in configuration.adapters.items():
        if not Path(folder).is_dir():
            raise EngineUnavailableError("folder_missing", f"model.adapters.{name}")


def main() -> int:
    """Run the worker on the inherited socket."""
    arguments = argparse.ArgumentParser(prog="model.worker")
    arguments.add_argument("--fd", type=int, required=True)
    connection = socket.socket(fileno=arguments.parse_args().fd)
    _keep_quiet()
    for ignored in (signal.SIGINT, signal.SIGTERM):
        # The daemon drains first and then closes the socket: that is our signal.
        signal.signal(ignored, signal.SIG_IGN)
    try:
        Worker(connection, load=load_engine, on_hangup=_leave).run()
    except EngineBrokenError:
        return EXIT_ENGINE_BROKEN
    return 0


def _leave() -> Never:
    """End now: a batch that nobody waits for is not worth finishing."""
    os._exit(0)


def _keep_quiet() -> None:
    """Let nothing but our own events out: a library's message may quote a report."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
    logging.disable()
    warnings.simplefilter("ignore")
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failure: _log_class(failure.exc_type)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    del error, trace  # their text may quote a report
    _log_class(kind)


def _log_class(kind: type[BaseException]) -> None:
    log.error("model.worker_failed", error_class=kind.__name__)


if __name__ == "__main__":
    sys.exit(main())
