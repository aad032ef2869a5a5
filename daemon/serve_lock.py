"""The right to serve a journal, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from daemon.journal_schema import SETTING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 15.0
"""Longer than another process's write may hold up a last commit."""
LOOK_EVERY_S = 0.02


@contextmanager
def acquire_serve_lock(path: Path, *, wait_s: float = WAIT_S) -> Iterator[int]:
    """Hold the right to serve this journal: two daemons would post the same drafts twice.

    The lock is the kernel's, on ``PATH.lock``: it goes with the processes that hold it, however
    they end. A daemon that was killed leaves one that still commits (journal_process.py): that is
    waited for. The file says who took the lock.

    Args:
        path: The journal's file.
        wait_s: How long such a process is waited for.

    Yields:
        The lock's file descriptor: a process that inherits it holds the lock, too.

    Raises:
        ConfigurationError: Another process holds it (``journal_in_use``).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock, wait_s)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while not _is_ours(lock):
        if _is_served(lock) or time.monotonic() > deadline_s:
            raise ConfigurationError("journal_in_use", SETTING)
        time.sleep(LOOK_EVERY_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_served(lock: int) -> bool:
    """Return whether the daemon that took the lock lives; else its writer alone still holds it."""
    written = os.pread(lock, 20, 0)
    if not written.isdigit() or int(written) == os.getpid():  # that is another machine's or start's
        return False
    try:
        os.kill(int(written), 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
