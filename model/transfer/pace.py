"""How fast a writer is, and what it costs to run: memory, time, energy and money.

Memory and time are measured on the machine at hand. Energy is the processor's own counter where it
can be read (``model/costs.py``); else it is an estimate: processor seconds of this process times
watts per core, and wall seconds times watts per GPU. Prices are the caller's. The assumptions stand
beside every number.
"""

from __future__ import annotations

import ctypes
import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model.costs import Cost, Meter, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model.corpora.schema import CorpusRow

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

    def joules(self, cost: Cost) -> float:
        """Return the energy that work took, counted or estimated."""
        of_gpus = 0.0 if cost.gpu_peak_mb is None else cost.wall_s * self.watts_per_gpu
        if cost.counted_joules is not None:
            return cost.counted_joules + of_gpus
        return cost.cpu_s * self.watts_per_core + of_gpus

    def price(self, cost: Cost) -> float:
        """Return energy and machine time in money."""
        energy = self.joules(cost) / JOULES_PER_KWH * self.price_per_kwh
        return energy + cost.wall_s / 3600 * self.price_per_machine_hour


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a writer is, and what it takes, over some reports."""

    reports: int
    tokens: int
    usage: Cost
    p50_s: float | None = None
    p95_s: float | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Written tokens in a second; None where the writer has no tokens."""
        return self.tokens / self.usage.wall_s if self.tokens and self.usage.wall_s else None

    def joules_per_report(self, rates: Rates) -> float:
        """Return the energy of one report."""
        return rates.joules(self.usage) / self.reports

    def price_per_1000(self, rates: Rates) -> float:
        """Return what 1,000 reports cost."""
        return 1000 * rates.price(self.usage) / self.reports


def measure_alone(write: Callable[[CorpusRow], int], reports: Sequence[CorpusRow]) -> Pace:
    """Write report after report, nothing else waiting, and tell how long each takes.

    Args:
        write: Writes one and returns its number of tokens.
        reports: One or more.
    """
    seconds: list[float] = []
    tokens = 0
    meter = Meter()
    for report in reports:
        start = time.perf_counter()
        tokens += write(report)
        seconds.append(time.perf_counter() - start)
    cost = meter.read()
    p50, p95 = (float(one) for one in np.quantile(seconds, [0.5, 0.95]))
    return Pace(len(reports), tokens, cost, p50, p95)


def give_back_memory() -> None:
    """Let go of what is free: training in the same process must not count as writing."""
    gc.collect()
    # glibc keeps what is freed; other C libraries have no such call.
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)


def joined(paces: Sequence[Pace]) -> Pace:
    """Return several paces as one; what one report took is lost."""
    return Pace(
        reports=sum(one.reports for one in paces),
        tokens=sum(one.tokens for one in paces),
        usage=summed([one.usage for one in paces]),
    )
