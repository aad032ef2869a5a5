"""The process that writes the journal: jobs in over a socketpair, outcomes back after their commit.

    python -m daemon.journal_process --code SHA256 --log-level LEVEL JOURNAL --fd N

It lives as long as the daemon's end of the socket. When that is closed, or the daemon is killed, it
commits what had come by then and ends. It leaves signals alone, because a service manager sends
them to the whole group, and the daemon still has answers to give. It inherits the lock that says
who serves the journal, so that no other daemon begins before it has ended. It writes nothing when
its code is not the daemon's, or the file is not there, or no journal of this version.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from daemon.clock import SystemClock
from daemon.errors import ConfigurationError
from daemon.journal_commit import GroupCommit, ids_in_time
from daemon.journal_schema import check_file, connect_writer
from daemon.journal_wire import FrameReader, FrameWriter, Reply, code_digest
from daemon.logs import start_logging

log = structlog.get_logger()

CHUNK_BYTES = 1024 * 1024
"""What is read at once is one transaction; a socket's buffer holds less."""


def write_jobs(connection: socket.socket, commits: GroupCommit) -> None:
    """Commit what comes until the other end is closed."""
    frames = FrameReader()
    while chunk := _read(connection):
        if jobs := list(frames.feed(chunk)):
            outcomes = commits.commit(jobs)
            reply = FrameWriter()
            reply.add(Reply(outcomes, commits.head, commits.has_failed))
            with suppress(OSError):  # the daemon is gone: what it has sent is kept all the same
                connection.sendall(reply.render())
    commits.close()


def _read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(CHUNK_BYTES)
    except ConnectionResetError:  # the daemon was killed with answers unread
        return b""


def _refusal(journal: Path, code: str) -> str | None:
    """Return why nothing may be written."""
    if code != code_digest():
        return "code_changed_while_serving"
    try:
        check_file(journal)
    except ConfigurationError as error:
        return error.reason
    return None


def main() -> None:
    """Take our end of the socketpair and write until it is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("journal", type=Path)
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    start_logging(options.log_level)
    if (reason := _refusal(options.journal, options.code)) is not None:
        log.error("journal.writer_refused", reason=reason)
        sys.exit(2)
    clock = SystemClock()
    commits = GroupCommit(connect_writer(options.journal), clock, ids_in_time(clock))
    with socket.socket(fileno=options.fd) as connection:
        write_jobs(connection, commits)


if __name__ == "__main__":
    main()
