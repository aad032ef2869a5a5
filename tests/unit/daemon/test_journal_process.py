"""The writing process's work, over a socketpair: commits first, then answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from daemon.errors import UnknownIdError
from daemon.journal_commit import GroupCommit, Job
from daemon.journal_process import write_jobs
from daemon.journal_reads import verify_chain
from daemon.journal_schema import connect_reader, connect_writer, prepare_file
from daemon.journal_wire import FrameReader, FrameWriter, Reply, code_digest
from tests.unit.daemon.journal_samples import StepClock
from tests.unit.daemon.written_operations import note, number_all, refuse_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prepare_file(tmp_path / "journal.db")
    return tmp_path / "journal.db"


@pytest.fixture
def ours(path: Path) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)

    def work() -> None:
        commits = GroupCommit(connect_writer(path), StepClock(), lambda: "id")
        with theirs:
            write_jobs(theirs, commits)

    worker = threading.Thread(target=work)
    worker.start()
    with ours:
        yield ours
    worker.join(10)
    assert not worker.is_alive()


def render(*jobs: Job) -> bytes:
    frame = FrameWriter()
    for job in jobs:
        frame.add(job)
    return frame.render()


def replies(connection: socket.socket) -> Iterator[Reply]:
    frames = FrameReader()
    while chunk := connection.recv(65536):
        yield from frames.feed(chunk)


def entries(path: Path) -> int:
    with closing(connect_reader(path)) as connection:
        verdict = verify_chain(connection, None)
    assert verdict.is_whole
    return verdict.entries


def test_a_job_is_on_disk_before_it_is_answered(ours: socket.socket, path: Path) -> None:
    ours.sendall(render(Job(note)))

    reply = next(replies(ours))

    assert entries(path) == 1
    assert reply.outcomes[0].result == 1
    assert reply.head is not None
    assert (reply.head.sequence, reply.has_failed) == (1, False)


def test_each_job_gets_its_outcome_in_the_order_it_came(ours: socket.socket, path: Path) -> None:
    shared = [Job(number_all, (n,), is_shared=True) for n in range(3)]
    ours.sendall(render(Job(note), Job(refuse_all), Job(note, ("other",)), *shared))

    outcomes = next(replies(ours)).outcomes

    assert [each.result for each in outcomes[:1] + outcomes[2:3]] == [1, 2]
    assert isinstance(outcomes[1].error, UnknownIdError)
    assert [each.result[0] for each in outcomes[3:]] == [0, 1, 2]
    assert entries(path) == 5


def test_what_had_come_when_the_daemon_ended_is_committed(ours: socket.socket, path: Path) -> None:
    for _ in range(40):
        ours.sendall(render(*[Job(note)] * 5))
    ours.shutdown(socket.SHUT_WR)

    answered = sum(len(reply.outcomes) for reply in replies(ours))

    assert answered == entries(path) == 200


def test_a_daemon_that_reads_no_answer_is_outlived(path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        for _ in range(3):
            ours.sendall(render(Job(note)))

    with theirs:
        write_jobs(theirs, GroupCommit(connect_writer(path), StepClock(), lambda: "id"))

    assert entries(path) == 3


def test_a_daemon_that_was_killed_with_answers_unread_is_no_fault(path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.sendall(b"an answer that nobody read")
    ours.sendall(render(Job(note)))
    ours.close()

    with theirs:
        write_jobs(theirs, GroupCommit(connect_writer(path), StepClock(), lambda: "id"))

    assert entries(path) == 1


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        ("0" * 64, "journal.db", "code_changed_while_serving"),
        (None, "moved.db", "journal_missing"),
    ],
)
def test_another_code_or_another_file_is_not_written(
    path: Path, code: str | None, name: str, reason: str
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(render(Job(note)))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "daemon.journal_process", "--fd", str(theirs.fileno())),
                *("--code", code or code_digest(), str(path.parent / name)),
            ],
            pass_fds=(theirs.fileno(),),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert json.loads(done.stderr)["event"] == "journal.writer_refused"
    assert json.loads(done.stderr)["reason"] == reason
    assert entries(path) == 0
    assert not (path.parent / "moved.db").exists()
