"""The journal in processes of its own: killed while 64 callers wait, and written by two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.clock import SystemClock
from daemon.journal_sqlite import open_journal

if TYPE_CHECKING:
    from daemon.journal import ChainVerdict

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
ROUNDS = 3
ACKS_BEFORE_KILL = 800
RECEIVER = """
import asyncio, pathlib, sys
from daemon.clock import SystemClock
from daemon.journal_sqlite import open_journal
from tests.unit.daemon.journal_samples import make_raw

path, name, callers, each = pathlib.Path(sys.argv[1]), *sys.argv[2:5]

async def send(journal, caller):
    for n in range(int(each)):
        control_id = f"{name}-{caller}-{n}"
        raw = make_raw(control_id, payload=control_id.encode() * 200)
        received = await journal.receive(raw, peer="192.0.2.7:1")
        print(received.message_id, flush=True)

async def main():
    async with open_journal(path, clock=SystemClock()) as journal:
        await asyncio.gather(*(send(journal, caller) for caller in range(int(callers))))

asyncio.run(main())
"""


def start_receiver(path: Path, name: str, callers: int, each: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECEIVER, path, name, str(callers), str(each)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


async def read_back(path: Path) -> tuple[set[str], ChainVerdict]:
    async with open_journal(path, clock=SystemClock(), read_only=True) as journal:
        stored = await journal.pending_messages(1_000_000)
        return {each.message_id for each in stored}, await journal.verify_chain()


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged: set[str] = set()

    for round_ in range(ROUNDS):
        with start_receiver(path, f"round{round_}", callers=64, each=1_000_000) as child:
            assert child.stdout is not None
            for _ in range(ACKS_BEFORE_KILL):
                acknowledged.add(child.stdout.readline().strip())
            child.send_signal(signal.SIGKILL)
            # A last line without its end was cut by the kill.
            rest = child.stdout.read().split("\n")[:-1]
            acknowledged.update(rest)
        assert child.returncode == -signal.SIGKILL

    stored, verdict = await read_back(path)
    assert len(acknowledged) >= ROUNDS * ACKS_BEFORE_KILL
    assert acknowledged <= stored
    assert (verdict.is_whole, verdict.entries) == (True, len(stored))


async def test_two_processes_that_open_and_write_one_new_journal_keep_one_whole_chain(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data" / "journal.db"

    children = [start_receiver(path, name, callers=8, each=50) for name in ("a", "b")]
    acknowledged = {line for child in children for line in child.communicate()[0].split()}

    assert [child.returncode for child in children] == [0, 0]
    stored, verdict = await read_back(path)
    assert len(stored) == 800
    assert acknowledged == stored
    assert (verdict.is_whole, verdict.entries) == (True, 800)
