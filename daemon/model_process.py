"""Starts the model worker's process; what it may know of us is decided here.

It gets one end of a socketpair, no argument but its number, and of our environment only what
libraries need: no secret, no proxy, and for a model library no way to fetch anything.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import model

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping, Sequence

# -P: a folder named "model" where we were started must not become the worker.
WORKER_COMMAND = (sys.executable, "-P", "-m", "model.worker")
_KEPT = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TMPDIR", "XDG_CACHE_HOME"}
)
_KEPT_PREFIXES = ("CUDA_", "GOMP_", "MKL_", "NVIDIA_", "OMP_")
_SET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    # Threads that spin while they wait take the cores from the doors, and from each other.
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_OFFLINE": "1",
}


@dataclass(slots=True)
class WorkerStats:
    """Counts since the start, but ``waiting``, which is now."""

    workers_started: int = 0
    workers_lost: int = 0
    batches: int = 0
    drafts: int = 0
    prompts_lost: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    last_batch_size: int = 0
    waiting: int = 0


def worker_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables a worker gets.

    Args:
        environment: What to choose from; None for the process's own.
    """
    given = os.environ if environment is None else environment
    kept = {
        name: value
        for name, value in given.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    root = str(Path(model.__file__).parent.parent)
    return {**kept, **_SET, "PYTHONPATH": root}


async def spawn_worker(command: Sequence[str], fd: int, stderr: int | None = None) -> Process:
    """Start a worker that inherits ``fd``; its log lines go to ``stderr``, None for ours.

    Raises:
        OSError: The system gives us no process.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        "--fd",
        str(fd),
        pass_fds=(fd,),
        env=worker_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,  # a Ctrl-C in our terminal is ours: we drain first
    )
