"""What a writer costs to run: memory, time, energy and money, measured on the machine at hand.

Memory and time are measured. Energy is the processor's own counter (RAPL) where it can be read, and
it counts everything that runs on the machine; else it is an estimate: processor seconds of this
process times watts per core, and wall seconds times watts per GPU. Prices are the caller's. The
assumptions stand beside every number.
"""

from __future__ import annotations

import ctypes
import gc
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.comparing.costs import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model.corpora.schema import CorpusRow

RAPL = Path("/sys/class/powercap")
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, slots=True)
class Rates:
    """What is assumed; each is an option of the command.

    Attributes:
        watts_per_core: Of a busy core, its share of the machine included.
        watts_per_gpu: Of a GPU while the writer runs.
        price_per_kwh: In the currency of the reader.
        price_per_machine_hour: Rent, or depreciation, of the machine.
    """

    watts_per_core: float = 10.0
    watts_per_gpu: float = 400.0
    price_per_kwh: float = 0.30
    price_per_machine_hour: float = 0.20


@dataclass(frozen=True, slots=True)
class Usage:
    """What something took.

    Attributes:
        wall_s: Seconds on the wall.
        cpu_s: Processor seconds of this process, all threads.
        counted_joules: By RAPL; None where it cannot be read.
        peak_mb: Most memory of this process meanwhile; None where it is not told.
        gpu_peak_mb: Most memory of the GPU meanwhile; None where none is used.
    """

    wall_s: float
    cpu_s: float
    counted_joules: float | None = None
    peak_mb: float | None = None
    gpu_peak_mb: float | None = None

    def joules(self, rates: Rates) -> float:
        """Return the energy, counted or estimated."""
        of_gpus = 0.0 if self.gpu_peak_mb is None else self.wall_s * rates.watts_per_gpu
        if self.counted_joules is not None:
            return self.counted_joules + of_gpus
        return self.cpu_s * rates.watts_per_core + of_gpus

    def price(self, rates: Rates) -> float:
        """Return energy and machine time in money."""
        energy = self.joules(rates) / JOULES_PER_KWH * rates.price_per_kwh
        return energy + self.wall_s / 3600 * rates.price_per_machine_hour


@dataclass(slots=True)
class Metered:
    """Filled when its ``metered`` block ends."""

    usage: Usage = field(default_factory=lambda: Usage(0.0, 0.0))


@contextmanager
def metered() -> Iterator[Metered]:
    """Measure what a block takes."""
    told = Metered()
    counters, meter = _read_rapl(), Meter()
    yield told
    cost = meter.read()
    told.usage = Usage(
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        counted_joules=_joules_between(counters, _read_rapl()),
        peak_mb=cost.peak_mb,
        gpu_peak_mb=cost.gpu_peak_mb,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a writer is, and what it takes, over some reports."""

    reports: int
    tokens: int
    usage: Usage
    p50_s: float | None = None
    p95_s: float | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Written tokens in a second; None where the writer has no tokens."""
        return self.tokens / self.usage.wall_s if self.tokens and self.usage.wall_s else None

    def joules_per_report(self, rates: Rates) -> float:
        """Return the energy of one report."""
        return self.usage.joules(rates) / self.reports

    def price_per_1000(self, rates: Rates) -> float:
        """Return what 1,000 reports cost."""
        return 1000 * self.usage.price(rates) / self.reports


def measure_alone(write: Callable[[CorpusRow], int], reports: Sequence[CorpusRow]) -> Pace:
    """Write report after report, nothing else waiting, and tell how long each takes.

    Args:
        write: Writes one and returns its number of tokens.
        reports: One or more.
    """
    seconds: list[float] = []
    tokens = 0
    with metered() as meter:
        for report in reports:
            start = time.perf_counter()
            tokens += write(report)
            seconds.append(time.perf_counter() - start)
    p50, p95 = (float(one) for one in np.quantile(seconds, [0.5, 0.95]))
    return Pace(len(reports), tokens, meter.usage, p50, p95)


def give_back_memory() -> None:
    """Let go of what is free: training in the same process must not count as writing."""
    gc.collect()
    # glibc keeps what is freed; other C libraries have no such call.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)


def summed(usages: Sequence[Usage]) -> Usage:
    """Add up what several blocks took; of memory the most."""
    counted = [one.counted_joules for one in usages]
    held = [one.peak_mb for one in usages if one.peak_mb is not None]
    on_gpu = [one.gpu_peak_mb for one in usages if one.gpu_peak_mb is not None]
    return Usage(
        wall_s=sum(one.wall_s for one in usages),
        cpu_s=sum(one.cpu_s for one in usages),
        counted_joules=None if None in counted else sum(one or 0.0 for one in counted),
        peak_mb=max(held, default=None),
        gpu_peak_mb=max(on_gpu, default=None),
    )


def joined(paces: Sequence[Pace]) -> Pace:
    """Return several paces as one; what one report took is lost."""
    return Pace(
        reports=sum(one.reports for one in paces),
        tokens=sum(one.tokens for one in paces),
        usage=summed([one.usage for one in paces]),
    )


def _read_rapl() -> dict[str, tuple[int, int]]:
    """Return each package's counter and where it wraps, in microjoules; none where unreadable."""
    found: dict[str, tuple[int, int]] = {}
    for zone in sorted(RAPL.glob("intel-rapl:?")):
        try:
            counter = int((zone / "energy_uj").read_text(encoding="ascii"))
            wraps = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return {}
        found[zone.name] = (counter, wraps)
    return found


def _joules_between(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]
) -> float | None:
    if not before or before.keys() != after.keys():
        return None
    # A counter that wrapped once is lower; twice takes hours.
    return sum((after[z][0] - before[z][0]) % (before[z][1] + 1) for z in before) / 1e6
