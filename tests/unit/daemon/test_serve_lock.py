"""One daemon a journal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.serve_lock import acquire_serve_lock

if TYPE_CHECKING:
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


def test_a_lock_that_is_let_go_soon_is_waited_for(tmp_path: Path) -> None:
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
        letting_go = threading.Timer(0.1, holder.stdin.close)
        letting_go.start()

        with acquire_serve_lock(path, wait_s=30):
            assert letting_go.finished.is_set()
