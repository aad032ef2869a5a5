"""Strict validation of the sites that ask for it: hl7apy, in a process that can be killed.

A message is held up for a bounded time only, and only a verdict stops it: when validation is too
slow, out of memory or broken, the message goes on with a warning. hl7apy is never loaded here.
"""

from __future__ import annotations

import asyncio
import os
import re
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

import mappings
from daemon.errors import ConfigurationError
from mappings.domain import Standard
from mappings.errors import PrelimError, UnreadableContentError
from mappings.hl7_header import peek_header
from mappings.hl7_message import read_message

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence

    from daemon.journal import PendingMessage
    from daemon.metrics import Metrics
    from mappings.domain import RawReport
    from mappings.hl7_message import Message
    from mappings.sites import SiteSet

log = structlog.get_logger()
# -P: a folder named "daemon" where we were started must not become the worker.
WORKER_COMMAND = (sys.executable, "-P", "-m", "daemon.validating_worker")
TIMEOUT_S = 10.0
"""For one message; 200 KB take hl7apy about 3 s. Waiting for a free worker has as much again."""
START_TIMEOUT_S = 30.0
MEMORY_BYTES_MAX = 1024**3
WORKERS_MAX = 2
_KEPT = ("LANG", "LC_ALL", "PATH", "SYSTEMROOT")
_LENGTH = struct.Struct(">I")
_WHERE = re.compile(r"[A-Z][A-Z0-9]{2}(-[0-9]{1,3})?")


class Outcome(StrEnum):
    """What validation said of a message. A metric label: never rename one."""

    VALID = "valid"
    INVALID = "invalid"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``where`` is a position such as ``PID-3``, when hl7apy named one."""

    outcome: Outcome
    where: str | None = None


class ValidationPool:
    """Up to ``workers_max`` processes, started when first needed; one message at a time in each.

    Args:
        workers_max: Processes at once.
        timeout_s: For one message; a worker that takes longer is killed.
        start_timeout_s: For a worker to load hl7apy.
        memory_bytes_max: Address space of one worker.
        command: What starts a worker.
    """

    def __init__(
        self,
        *,
        workers_max: int = WORKERS_MAX,
        timeout_s: float = TIMEOUT_S,
        start_timeout_s: float = START_TIMEOUT_S,
        memory_bytes_max: int = MEMORY_BYTES_MAX,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self.workers_started = 0
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        limits = ("--memory-bytes", memory_bytes_max, "--seconds", int(2 * timeout_s) + 1)
        self._command = (*command, *map(str, limits))
        self._places = asyncio.Semaphore(workers_max)
        self._idle: list[Process] = []

    async def validate(self, text: str) -> Verdict:
        """Judge one message.

        Args:
            text: Decoded; segments end in CR.

        Returns:
            Never later than two times ``timeout_s``, and ``start_timeout_s`` for a new worker.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
        except TimeoutError:
            return Verdict(Outcome.TIMED_OUT)
        try:
            return await self._ask_worker(text)
        finally:
            self._places.release()

    async def close(self) -> None:
        """End the idle workers; one that is at work ends with its question."""
        for worker in self._idle:
            await _kill(worker)
        self._idle.clear()

    async def _ask_worker(self, text: str) -> Verdict:
        try:
            worker = self._idle.pop() if self._idle else await self._start()
        except (OSError, TimeoutError, EOFError):
            return Verdict(Outcome.FAILED)
        verdict = None
        try:
            async with asyncio.timeout(self._timeout_s):
                verdict = await _ask(worker, text)
        except TimeoutError:
            return Verdict(Outcome.TIMED_OUT)
        except (OSError, EOFError, ValueError):
            return Verdict(Outcome.FAILED)
        finally:
            # What was cut off, or fell over, is in no state to be asked again.
            if verdict is None or verdict.outcome is Outcome.FAILED:
                await _kill(worker)
            else:
                self._idle.append(worker)
        return verdict

    async def _start(self) -> Process:
        worker = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a library's last words could quote the message
            env=_environment(),
            start_new_session=True,  # a Ctrl-C in our terminal is ours: we drain first
        )
        self.workers_started += 1
        assert worker.stdout is not None
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await worker.stdout.readuntil()
        except BaseException:
            await _kill(worker)
            raise
        return worker


class StructureCheck:
    """What the map step asks before it reads a message."""

    def __init__(self, sites: SiteSet, pool: ValidationPool, metrics: Metrics) -> None:
        """Take the sites, each of which says whether it asks."""
        self._sites = sites
        self._pool = pool
        self._metrics = metrics

    async def __call__(self, pending: PendingMessage) -> None:
        """Return when the message may go on.

        Raises:
            UnreadableContentError: ``invalid_structure``.
        """
        try:
            if not self._is_asked_for(pending.raw):
                return
            message = await asyncio.to_thread(read_message, pending.raw.payload)
        except PrelimError:
            return  # what cannot be read at all is told by who reads it next, with its own reason
        verdict = await self._pool.validate(_as_text(message))
        self._metrics.validations.labels(outcome=verdict.outcome.value).inc()
        if verdict.outcome is Outcome.INVALID:
            raise UnreadableContentError("invalid_structure", verdict.where)
        if verdict.outcome is not Outcome.VALID:
            log.warning(
                "pipeline.validation_skipped",
                message_id=pending.message_id,
                reason=f"validation_{verdict.outcome.value}",
            )

    def _is_asked_for(self, raw: RawReport) -> bool:
        if raw.standard is not Standard.HL7V2:
            return False
        header = peek_header(raw.payload)
        site = self._sites.match(header.sending_application, header.sending_facility, raw.door)
        return header.is_report and site.validation == "structure"


def require_hl7apy(sites: SiteSet) -> bool:
    """Say whether a site asks for validation.

    Raises:
        ConfigurationError: A site asks, and hl7apy is not installed.
    """
    is_asked = any(site.validation != "off" for site in sites.sites)
    if is_asked and find_spec("hl7apy") is None:
        reason = "a site asks for validation: install the extra 'validation' (docs/SITES.md)"
        raise ConfigurationError(reason, "sites")
    return is_asked


def make_structure_check(
    sites: SiteSet, metrics: Metrics
) -> tuple[StructureCheck, ValidationPool] | None:
    """Return what validates, and the pool to close at the end; None when no site asks.

    Raises:
        ConfigurationError: A site asks, and hl7apy is not installed.
    """
    if not require_hl7apy(sites):
        return None
    pool = ValidationPool()
    return StructureCheck(sites, pool, metrics), pool


def _as_text(message: Message) -> str:
    """Write a message again as it was read: in characters, each segment on one line."""
    mark, *fields = message.header.fields
    msh = mark.join((b"MSH", *fields)).decode(message.codec)
    return "".join(line.replace("\n", " ") + "\r" for line in (msh, *message.lines))


async def _ask(worker: Process, text: str) -> Verdict:
    assert worker.stdin is not None
    assert worker.stdout is not None
    question = text.encode()
    worker.stdin.write(_LENGTH.pack(len(question)) + question)
    await worker.stdin.drain()
    outcome, *where = (await worker.stdout.readuntil()).decode("ascii").split()
    position = where[0] if where and _WHERE.fullmatch(where[0]) else None
    return Verdict(Outcome(outcome), position)


async def _kill(worker: Process) -> None:
    if worker.returncode is None:
        worker.kill()
    await worker.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(mappings.__file__).parent.parent)}
