"""What a piece of work cost: seconds, most memory held, and energy where it is counted.

The peak is asked of Linux, which can be told to forget the one before; elsewhere it is not known.
A GPU's is asked of torch, where work was done on one. Energy is the processor's own counter (RAPL),
which counts all that runs on the machine.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""Resets VmHWM (Linux, proc(5), /proc/pid/clear_refs)."""
KB_PER_MB = 1024
BYTES_PER_MB = 1024 * KB_PER_MB
RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took.

    Attributes:
        wall_s: Seconds on the wall.
        cpu_s: Processor seconds of this process, all threads.
        counted_joules: By RAPL; None where it cannot be read.
        peak_mb: Most memory of this process meanwhile, libraries and all; None where not told.
        gpu_peak_mb: Most memory of the GPU meanwhile; None where none is used.
    """

    wall_s: float
    cpu_s: float
    counted_joules: float | None = None
    peak_mb: float | None = None
    gpu_peak_mb: float | None = None


class Meter:
    """Runs from when it is made."""

    def __init__(self) -> None:
        """Forget the peak of the work before, and start."""
        self._has_peak = _forget_peak()
        if (cuda := _cuda()) is not None:
            cuda.reset_peak_memory_stats()
        self._counters = _read_rapl()
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def read(self) -> Cost:
        """Return the cost so far."""
        cuda = _cuda()
        if cuda is not None:
            cuda.synchronize()  # what was asked of a GPU may not be done yet
        return Cost(
            wall_s=time.perf_counter() - self._wall_s,
            cpu_s=time.process_time() - self._cpu_s,
            counted_joules=_joules_between(self._counters, _read_rapl()),
            peak_mb=_peak_mb() if self._has_peak else None,
            gpu_peak_mb=None if cuda is None else cuda.max_memory_allocated() / BYTES_PER_MB,
        )


def summed(costs: Sequence[Cost]) -> Cost:
    """Add up what several blocks took; of memory the most."""
    counted = [one.counted_joules for one in costs]
    held = [one.peak_mb for one in costs if one.peak_mb is not None]
    on_gpu = [one.gpu_peak_mb for one in costs if one.gpu_peak_mb is not None]
    return Cost(
        wall_s=sum(one.wall_s for one in costs),
        cpu_s=sum(one.cpu_s for one in costs),
        counted_joules=None if None in counted else sum(one or 0.0 for one in counted),
        peak_mb=max(held, default=None),
        gpu_peak_mb=max(on_gpu, default=None),
    )


def _cuda() -> Any:  # noqa: ANN401 - the library's types end here
    """Return torch's way to a GPU where this process has used one."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _forget_peak() -> bool:
    try:
        CLEAR.write_text(FORGET_PEAK, encoding="ascii")
    except OSError:
        return False
    return STATUS.is_file()


def _peak_mb() -> float | None:
    for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) / KB_PER_MB
    return None


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
