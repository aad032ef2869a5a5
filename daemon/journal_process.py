"""The process that writes the journal: jobs in over a socketpair, outcomes back after their commit.

    python -m daemon.journal_process --fd N --log-level LEVEL JOURNAL

It lives as long as the daemon's end of the socket. When that is closed, or the daemon is killed, it
commits what had come by then and ends. It leaves signals alone, because a service manager sends
them to the whole group, and the daemon still has answers to give. It inherits the lock that says
who serves the journal, so that no other daemon begins before it has ended.
"""

from __future__ import annotations

import argparse
import signal
import socket
from contextlib import suppress
from pathlib import Path

from daemon.clock import SystemClock
from daemon.journal_commit import GroupCommit
from daemon.journal_schema import connect_writer
from daemon.journal_sqlite import ids_in_time
from daemon.journal_wire import FrameReader, Reply, render_frame
from daemon.logs import start_logging

CHUNK_BYTES = 1024 * 1024
"""What is read at once is one transaction; a socket's buffer holds less."""


def write_jobs(connection: socket.socket, commits: GroupCommit) -> None:
    """Commit what comes until the other end is closed."""
    frames = FrameReader()
    while chunk := connection.recv(CHUNK_BYTES):
        if jobs := [job for frame in frames.feed(chunk) for job in frame]:
            outcomes = commits.commit(jobs)
            reply = render_frame(Reply(outcomes, commits.head, commits.has_failed))
            with suppress(OSError):  # the daemon is gone: what it has sent is kept all the same
                connection.sendall(reply)
    commits.close()


def main() -> None:
    """Take our end of the socketpair and write until it is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--log-level", default="info")
    parser.add_argument("journal", type=Path)
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    start_logging(options.log_level)
    clock = SystemClock()
    commits = GroupCommit(connect_writer(options.journal), clock, ids_in_time(clock))
    with socket.socket(fileno=options.fd) as connection:
        write_jobs(connection, commits)


if __name__ == "__main__":
    main()
