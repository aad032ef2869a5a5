"""One daemon a journal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.serve_lock import acquire_serve_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_only_one_may_serve_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "data" / "journal.db"

    with acquire_serve_lock(path), pytest.raises(ConfigurationError) as caught:  # noqa: SIM117 - the first must hold while the second is tried
        with acquire_serve_lock(path, wait_s=0):
            pass

    assert (caught.value.reason, caught.value.where) == ("journal_in_use", "journal.url")
    with acquire_serve_lock(path):
        pass


def test_a_process_that_died_no_longer_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    script = (
        "import os, pathlib, signal, sys\n"
        "from daemon.serve_lock import acquire_serve_lock\n"
        "with acquire_serve_lock(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    died = subprocess.run(
        [sys.executable, "-c", script, path],
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert died.returncode == -9
    with acquire_serve_lock(path):
        pass


ORPHAN = """
import os, pathlib, subprocess, sys
from daemon.serve_lock import acquire_serve_lock
with acquire_serve_lock(pathlib.Path(sys.argv[1])) as lock:
    subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=(lock,))
    print("held", flush=True)
    os._exit(0)
"""


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[IO[bytes]]:
    """Leave a process that holds the lock of a daemon that is gone, until this is closed."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, tmp_path / "journal.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    with daemon.stdin, daemon.stdout:
        daemon.stdout.readline()
        daemon.wait()
        yield daemon.stdin


def test_what_a_dead_daemon_left_writing_is_waited_for(tmp_path: Path, orphan: IO[bytes]) -> None:
    ending = threading.Timer(0.1, orphan.close)
    ending.start()

    with acquire_serve_lock(tmp_path / "journal.db", wait_s=30):
        assert ending.finished.is_set()


def test_what_a_dead_daemon_left_writing_is_waited_for_only_so_long(
    tmp_path: Path, orphan: IO[bytes]
) -> None:
    with (
        pytest.raises(ConfigurationError) as caught,
        acquire_serve_lock(tmp_path / "journal.db", wait_s=0.1),
    ):
        pass

    assert caught.value.reason == "journal_in_use"
    assert not orphan.closed


def test_a_daemon_that_lives_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    script = (
        "import pathlib, sys\n"
        "from daemon.serve_lock import acquire_serve_lock\n"
        "with acquire_serve_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        started_s = time.monotonic()

        with pytest.raises(ConfigurationError), acquire_serve_lock(path, wait_s=60):
            pass

        assert time.monotonic() - started_s < 30
        holder.stdin.close()
