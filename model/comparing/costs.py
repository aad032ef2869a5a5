"""What a piece of work cost: wall and CPU seconds, and how much memory the process held at most.

The peak is asked of Linux, which can be told to forget the one before; elsewhere it is not known.
A GPU's is asked of torch, where work was done on one.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""Resets VmHWM (Linux, proc(5), /proc/pid/clear_refs)."""
KB_PER_MB = 1024
BYTES_PER_MB = 1024 * KB_PER_MB


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, and MB at the peak: of the whole process, libraries and all, and on its GPU."""

    wall_s: float
    cpu_s: float
    peak_mb: float | None = None
    gpu_peak_mb: float | None = None


class Meter:
    """Runs from when it is made."""

    def __init__(self) -> None:
        """Forget the peak of the work before, and start."""
        self._has_peak = _forget_peak()
        if (cuda := _cuda()) is not None:
            cuda.reset_peak_memory_stats()
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def read(self) -> Cost:
        """Return the cost so far."""
        cuda = _cuda()
        if cuda is not None:
            cuda.synchronize()  # what was asked of a GPU may not be done yet
        return Cost(
            wall_s=time.perf_counter() - self._wall_s,
            cpu_s=time.process_time() - self._cpu_s,
            peak_mb=_peak_mb() if self._has_peak else None,
            gpu_peak_mb=None if cuda is None else cuda.max_memory_allocated() / BYTES_PER_MB,
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
