"""The servers that are measured: each a real process, started for one measurement and ended after.

What a yes of each stands for differs, and is told beside its figures.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rig.peers import find_node, find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 40
CONNECT_TIMEOUT_S = 30
PEER_FILES = Path(__file__).parent.parent / "peers"
HELD = Path(__file__).parent / "held.py"
PRELIM = Path(sys.executable).with_name("prelim")
YES_ON_DISK = "fsync before each yes"


@dataclass(frozen=True, slots=True)
class System:
    """Something that answers on a port.

    Attributes:
        label: As printed.
        promise: What a yes of it stands for.
        command: With ``{port}``, ``{http}`` and ``{folder}`` to be put in; None when the peer is
            not installed.
        environment: The same, over ours.
        cwd: Where it runs; None is its own folder.
    """

    label: str
    promise: str
    command: tuple[str | Path, ...] | None
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


def prelim(label: str, *, is_held: bool, config: Path | None = None) -> System:
    """Return prelim as shipped, with the extractive engine.

    Args:
        label: As printed.
        is_held: Whether what comes in stays RECEIVED.
        config: Settings that name the port themselves; None for the defaults.
    """
    start = (sys.executable, HELD) if is_held else (PRELIM,)
    environment = {
        "PRELIM_DATA": "{folder}",
        "PRELIM_HTTP__PORT": "{http}",
        "PRELIM_MODEL__ENGINE": "extractive",
    }
    if config:
        return System(label, YES_ON_DISK, (*start, "serve", "--config", config), environment)
    environment["PRELIM_MLLP__PORT"] = "{port}"
    return System(label, YES_ON_DISK, (*start, "serve"), environment)


def messagefoundry(peers: Path, *, is_full: bool) -> System:
    """Return messagefoundry with a feed that writes each message to a file."""
    program = find_program(peers, "messagefoundry", "messagefoundry")
    mode = "full" if is_full else "normal"
    config = ("serve", "--config", "{folder}/config", "--db", "{folder}/store.db")
    return System(
        f"messagefoundry 0.2.1, synchronous={mode.upper()}",
        YES_ON_DISK if is_full else "in the WAL, no fsync (its default)",
        program and (program, *config, "--port", "{http}", "--env", "dev", "--log-level", "ERROR"),
        {
            "BENCH_PORT": "{port}",
            "BENCH_FOLDER": "{folder}/out",
            "MEFOR_STORE_SYNCHRONOUS": mode,
        },
    )


def v2fhir(peers: Path) -> System:
    """Return hl7v2-fhir-bridge writing a bundle file for each message."""
    program = find_program(peers, "python", "hl7v2-fhir-bridge")
    command = ("serve", "--port", "{port}", "--out", "{folder}/out")
    return System(
        "hl7v2-fhir-bridge 0.1.0",
        "FHIR bundle in a file, no fsync",
        program and (program, *command),
    )


def python_hl7(peers: Path) -> System:
    """Return python-hl7's server with ``create_ack``."""
    python = find_program(peers, "python", "python", "hl7")
    command = python and (python, PEER_FILES / "python_hl7_server.py", "{port}")
    return System("python-hl7 0.4.5", "stores nothing", command)


def medplum(peers: Path) -> System:
    """Return @medplum/hl7's server with ``buildAck``."""
    node = find_node(peers)
    command = node and (node, PEER_FILES / "medplum_server.mjs", "{port}")
    return System("@medplum/hl7 4.5.2 (node)", "stores nothing", command, cwd=peers / "node")


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(system: System, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a system, from when its listener is open; end it afterwards.

    Args:
        system: One that is installed.
        folder: Empty; for its data and its log.
        port: For its MLLP listener.

    Raises:
        RuntimeError: It does not open; its log's end is in the text.
    """
    assert system.command is not None
    values = {"port": str(port), "http": str(free_port()), "folder": str(folder)}
    _write_feed(folder)
    log = folder / "log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [str(part).format(**values) for part in system.command],
            env={**os.environ, **{k: v.format(**values) for k, v in system.environment.items()}},
            cwd=system.cwd or folder,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        )
    try:
        _wait_until_open(process, port, log)
        yield process
    finally:
        _end(process)


def _write_feed(folder: Path) -> None:
    """Put messagefoundry's feed where its command looks for it; nobody else looks there."""
    (folder / "config").mkdir()
    (folder / "out").mkdir()
    feed = (PEER_FILES / "messagefoundry_feed.py").read_text(encoding="utf-8")
    (folder / "config" / "IB_BENCH_ORU.py").write_text(feed, encoding="utf-8")


def _wait_until_open(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the listener takes a connection."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            link = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_TIMEOUT_S)
            link.close()
            return
        time.sleep(0.05)
    tail = log.read_text(encoding="utf-8", errors="replace")[-600:]
    raise RuntimeError(f"it did not start: {tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
