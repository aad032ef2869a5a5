"""The right to serve a journal, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError
from daemon.journal_schema import SETTING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def acquire_serve_lock(path: Path) -> Iterator[None]:
    """Hold the right to serve this journal: two daemons would post the same drafts twice.

    The lock is the kernel's, on ``PATH.lock``: it goes with the process, however that ends.

    Raises:
        ConfigurationError: Another process holds it (``journal_in_use``).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_now(lock)
        yield
    finally:
        os.close(lock)


def _lock_now(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigurationError("journal_in_use", SETTING) from None
