"""The journal in processes of its own: killed while callers wait, and written by two at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.clock import SystemClock
from daemon.journal_sqlite import open_journal
from daemon.serve_lock import acquire_serve_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal import ChainVerdict
    from tests.process.conftest import Daemon

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
ROUNDS = 3
ACKS_BEFORE_KILL = 800
RECEIVER = """
import asyncio, pathlib, sys
from daemon.clock import SystemClock
from daemon.journal_remote import open_served_journal
from daemon.journal_sqlite import open_journal
from daemon.serve_lock import acquire_serve_lock
from tests.unit.daemon.journal_samples import make_raw

path, name, callers, each, writer = pathlib.Path(sys.argv[1]), *sys.argv[2:6]

async def send(journal, caller):
    for n in range(int(each)):
        control_id = f"{name}-{caller}-{n}"
        raw = make_raw(control_id, payload=control_id.encode() * 200)
        received = await journal.receive(raw, peer="192.0.2.7:1")
        print(received.message_id, flush=True)

async def main(opened):
    async with opened as journal:
        await asyncio.gather(*(send(journal, caller) for caller in range(int(callers))))

if writer == "process":
    with acquire_serve_lock(path) as lock:
        asyncio.run(main(open_served_journal(path, lock=lock)))
else:
    asyncio.run(main(open_journal(path, clock=SystemClock())))
"""


def start_receiver(
    path: Path, name: str, callers: int, each: int, writer: str = "thread"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RECEIVER, path, name, str(callers), str(each), writer],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


async def read_back(path: Path) -> tuple[set[str], ChainVerdict]:
    async with open_journal(path, clock=SystemClock(), read_only=True) as journal:
        stored = await journal.pending_messages(1_000_000)
        return {each.message_id for each in stored}, await journal.verify_chain()


@pytest.mark.parametrize("writer", ["thread", "process"])
async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "journal.db"
    acknowledged: set[str] = set()

    for round_ in range(ROUNDS):
        with start_receiver(
            path, f"round{round_}", callers=64, each=1_000_000, writer=writer
        ) as child:
            assert child.stdout is not None
            for _ in range(ACKS_BEFORE_KILL):
                acknowledged.add(child.stdout.readline().strip())
            child.send_signal(signal.SIGKILL)
            # A last line without its end was cut by the kill.
            rest = child.stdout.read().split("\n")[:-1]
            acknowledged.update(rest)
        assert child.returncode == -signal.SIGKILL

    with acquire_serve_lock(path):  # what the last round's writer still commits is waited for
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


def writer_of(daemon: Daemon) -> int | None:
    """Return the process that writes a daemon's journal."""
    assert daemon.process is not None
    for task in Path(f"/proc/{daemon.process.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"daemon.journal_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


async def send_all(port: int, messages: list[bytes], told: list[bytes]) -> None:
    """Send each message again until it is accepted, as an engine does; keep every MSA-1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for message in messages:
        answer = b""
        while b"MSA|AA" not in answer:
            if answer:
                await asyncio.sleep(0.05)
            writer.write(b"\x0b" + message + b"\x1c\r")
            answer = await reader.readuntil(b"\x1c\r")
            told.append(answer.partition(b"MSA|")[2][:2])
    writer.close()
    await writer.wait_closed()


async def test_a_daemon_whose_writer_is_killed_says_no_until_it_has_another(
    daemon: Daemon, make_messages: Callable[..., list[bytes]]
) -> None:
    daemon.start()
    await daemon.wait_ready()
    told: list[bytes] = []
    feeds = [make_messages(60, prefix=f"F{feed}N") for feed in range(8)]
    sending = [asyncio.create_task(send_all(daemon.mllp_port, feed, told)) for feed in feeds]
    killed: set[int] = set()
    while len(killed) < 2 and not all(task.done() for task in sending):
        writer = writer_of(daemon)
        if writer is not None and writer not in killed and told:
            os.kill(writer, signal.SIGKILL)
            killed.add(writer)
        await asyncio.sleep(0.02)

    await asyncio.gather(*sending)
    code = daemon.terminate()

    assert len(killed) == 2
    assert code == 0
    assert (told.count(b"AA"), set(told)) == (480, {b"AA", b"AR"})
    with closing(sqlite3.connect(daemon.data / "journal.sqlite")) as connection:
        [[stored, different]] = connection.execute(
            "SELECT count(*), count(DISTINCT message_control_id) FROM message"
        )
    assert (stored, different) == (480, 480)
    assert daemon.prelim("audit", "verify")[0] == 0
