"""One stretch of fuzzing without I/O: frames through decoder, intake and reader.

What must hold for every frame is in ``Stretch``; anything else is a ``BrokenPromiseError``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import re
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import structlog

from daemon.acknowledging import AckRules
from daemon.application_acks import ApplicationAcks
from daemon.clock import SystemClock
from daemon.intake import MllpIntake
from daemon.mapping import plan_reports
from daemon.metrics import Metrics
from interfaces.mllp_codec import (
    FrameAbandoned,
    FrameDecoder,
    FrameReceived,
    FrameTooLarge,
    FrameWithoutStart,
    GarbageSkipped,
    encode_frame,
)
from interfaces.mllp_contract import FrameFault
from mappings.errors import PrelimError
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import HeaderPolicy
from mappings.sites import Site, SiteSet
from tests.fuzz.frames import cut, make_frame
from tests.fuzz.memory_journal import MemoryJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from interfaces.mllp_codec import FrameEvent
    from interfaces.mllp_contract import Answer
    from mappings.domain import RawReport

BATCH = 32
DOOR = "fuzz"
FRAME_BYTES_MAX = 128 * 1024
DISK_FAILS_EVERY = 97
CUTTINGS_EVERY = 8
PLAN_CPU_S_MAX = 5.0
SITES = SiteSet(
    (
        Site("asian", facilities=("*GB*",), undeclared_codecs=("utf-8", "gb18030")),
        Site("german", facilities=("*0*",), language="de"),
    )
)
_FAULTS = {
    FrameTooLarge: FrameFault.TOO_LARGE,
    FrameAbandoned: FrameFault.ABANDONED,
    FrameWithoutStart: FrameFault.NOT_FRAMED,
}
_MESSAGES = re.compile(rb"MSH|FHS|BHS")
_REASON = re.compile(r"[A-Za-z0-9_]{1,80}")
_WHERE = re.compile(r"(segment|[A-Z][A-Z0-9]{2})(\[\d+\])?(-\d+(\[\d+\])?(\.\d+)*)?|byte \d+")


class BrokenPromiseError(AssertionError):
    """What must never happen; ``first`` is the number of the first frame of its batch."""

    def __init__(self, promise: str, first: int) -> None:
        super().__init__(promise, first)
        self.promise, self.first = promise, first

    def __str__(self) -> str:
        return f"{self.promise}, in the {BATCH} frames from {self.first}"


@dataclass
class Tally:
    """What became of the frames of a stretch."""

    frames: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest_first: int = 0

    def add(self, other: Tally) -> None:
        """Count another stretch in."""
        self.frames += other.frames
        self.outcomes += other.outcomes
        if other.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest_first = other.slowest_s, other.slowest_first


def make_intake(journal: object) -> tuple[MllpIntake, ApplicationAcks]:
    """Return what answers at a door with the default settings, and what answers later."""
    clock, rules = SystemClock(), AckRules()
    later = ApplicationAcks({DOOR: rules}, clock=clock)
    intake = MllpIntake(
        journal,  # type: ignore[arg-type] - the doors' part of the port is enough
        policy=HeaderPolicy(),
        rules=rules,
        application_acks=later,
        clock=clock,
        metrics=Metrics(),
        wake_next=lambda: None,
    )
    return intake, later


class Stretch:
    """Frames ``first`` to ``last`` of a run."""

    def __init__(self, seed: int) -> None:
        self.tally = Tally()
        self._seed = seed
        self._journal = MemoryJournal(fails_every=DISK_FAILS_EVERY)
        self._intake, self._application_acks = make_intake(self._journal)
        self._first = 0

    async def run_batch(self, first: int, count: int) -> None:
        """Send ``count`` frames over one connection that the network cuts up.

        Raises:
            BrokenPromiseError: A promise did not hold.
        """
        self._first = first
        self._journal.start(first)
        frames = [make_frame(self._seed, number) for number in range(first, first + count)]
        try:
            for event in self._decode(b"".join(frames)):
                await self._answer(event)
            for raw in self._journal.received:
                self._plan(raw)
        except BrokenPromiseError:
            raise
        except Exception as error:
            raise BrokenPromiseError(f"{type(error).__name__} got out", first) from error
        self.tally.frames += count

    def _decode(self, stream: bytes) -> list[FrameEvent]:
        rng = Random(self._first)  # noqa: S311 - repeatable, not secret
        events = _decode(cut(rng, stream))
        if self._first // BATCH % CUTTINGS_EVERY == 0 and events != _decode([stream]):
            raise BrokenPromiseError("another cutting gives other frames", self._first)
        return events

    async def _answer(self, event: FrameEvent) -> None:
        where = {"door": DOOR, "peer": "fuzz:1"}
        match event:
            case GarbageSkipped():
                return
            case FrameReceived(payload):
                answer = await self._intake.answer(payload, **where, later=lambda _: False)
                is_several = len(_MESSAGES.findall(payload)) > 1
            case _:
                fault = _FAULTS[type(event)]
                answer = await self._intake.refuse(event.head, fault, **where)
                is_several = False
        self._judge(answer, is_several=is_several)

    def _judge(self, answer: Answer, *, is_several: bool) -> None:
        """See that each yes is of a message that is stored, and that each answer can be sent.

        Of a frame with several messages each is stored, or not, by itself.
        """
        if not answer.messages:
            self.tally.outcomes["silence"] += 1
        for message in answer.messages:
            encode_frame(message)
            ack = parse_ack(message)
            self.tally.outcomes[ack.code] += 1
            if ack.code not in ("AA", "CA"):
                continue
            is_said = answer.is_stored or is_several
            if not (is_said and self._journal.holds(acknowledged(message))):
                raise BrokenPromiseError("a yes without its message in the journal", self._first)

    def _plan(self, raw: RawReport) -> None:
        """Read a message as the map step does, and write what its sender is owed then."""
        fault: PrelimError | None = None
        started_s = time.thread_time()
        try:
            reports = plan_reports(raw, SITES)
        except PrelimError as error:
            fault = error
            is_position = error.where is None or _WHERE.fullmatch(error.where)
            if not (is_position and _REASON.fullmatch(error.reason)):
                raise BrokenPromiseError("an error tells more than a place", self._first) from None
            self.tally.outcomes[f"rejected: {error.reason}"] += 1
        else:
            for report in reports:
                self.tally.outcomes[f"report: {report.reason or report.event.value}"] += 1
        seconds = time.thread_time() - started_s
        if seconds > self.tally.slowest_s:
            self.tally.slowest_s, self.tally.slowest_first = seconds, self._first
        if seconds > PLAN_CPU_S_MAX:
            raise BrokenPromiseError(f"one message took {seconds:.1f} s of CPU", self._first)
        for delivery in self._application_acks.plan(raw, fault):
            encode_frame(delivery.payload)
            self.tally.outcomes[f"later: {parse_ack(delivery.payload).code}"] += 1


def acknowledged(message: bytes) -> bytes:
    """Return MSA-2 of a yes: all that follows MSA-1, for a separator may be half of a character."""
    return message[message.rindex(b"\rMSA") + len("\rMSA|AA|") : -1]


def _decode(pieces: list[bytes]) -> list[FrameEvent]:
    decoder = FrameDecoder(FRAME_BYTES_MAX)
    events = [event for piece in pieces for event in decoder.receive(piece)]
    return events + decoder.finish()


async def fuzz_stretch(
    seed: int, first: int, count: int, on_batch: Callable[[int], None] = lambda _: None
) -> Tally:
    """Run frames ``first`` to ``first + count``; ``on_batch`` hears of each batch's size.

    Raises:
        BrokenPromiseError: A promise did not hold.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    stretch = Stretch(seed)
    last = first + count
    for number in range(first, last, BATCH):
        size = min(BATCH, last - number)
        await stretch.run_batch(number, size)
        on_batch(size)
    return stretch.tally


def resident_bytes() -> int:
    """Return what this process holds of memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def run_stretch(seed: int, first: int, count: int) -> tuple[int, Tally, int]:
    """Run one stretch in a worker; returns its process, what became of it, and what it holds."""
    tally = asyncio.run(fuzz_stretch(seed, first, count))
    return os.getpid(), tally, resident_bytes()
