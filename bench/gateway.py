"""What the gateway costs: its start, its memory, and how fast it answers while the model is slow.

    .venv/bin/python bench/gateway.py [MESSAGES]

One real daemon (``prelim serve``), one real client (``prelim send``), both on this machine, so they
share its cores; the figures are floors. The extractive engine sleeps half a second over each batch:
an answer must not wait for it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PRELIM = Path(sys.executable).with_name("prelim")
STARTS = 3
START_TIMEOUT_S = 60
MODEL_DELAY_S = "0.5"
MESSAGE = (
    r"MSH|^~\&|BENCH|SITE|PRELIM|SITE|20260101120000||ORU^R01|{n}|P|2.4"
    "\r"
    r"PID|1||PAT{n}^^^BENCH||SYNTHETIC^PATIENT"
    "\r"
    r"OBR|1|ORD{n}|FIL{n}|XR1^XR CHEST 2 VIEWS|||20260101110000||||||||||||||||||F"
    "\r"
    r"OBX|1|TX|XR1&GDT^XR CHEST 2 VIEWS||There is a 12 mm nodule in the left upper lobe.||||||F"
    "\r"
    r"OBX|2|TX|XR1&GDT^XR CHEST 2 VIEWS||No pleural effusion.||||||F"
    "\r"
)


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    """Ask the daemon whether it takes messages."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def daemon(mllp_port: int) -> Iterator[tuple[int, float]]:
    """Run a daemon of its own; yields its process id and the seconds it took to be ready."""
    http_port = free_port()
    variables = {
        "PRELIM_MLLP__PORT": str(mllp_port),
        "PRELIM_HTTP__PORT": str(http_port),
        "PRELIM_MODEL__ENGINE": "extractive",
        "PRELIM_MODEL__EXTRACTIVE_DELAY_S": MODEL_DELAY_S,
    }
    with tempfile.TemporaryDirectory() as data:
        started_s = time.monotonic()
        process = subprocess.Popen(
            [PRELIM, "serve", "--data", data],
            env={**os.environ, **variables},
            stderr=subprocess.DEVNULL,
        )
        try:
            while not is_ready(http_port):
                if process.poll() is not None or time.monotonic() - started_s > START_TIMEOUT_S:
                    sys.exit("the daemon did not start")
                time.sleep(0.01)
            yield process.pid, time.monotonic() - started_s
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=START_TIMEOUT_S)


def resident_mib(pid: int) -> float:
    """Return the memory of one process, its children not counted (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def send(count: int, concurrency: int, port: int, first: int) -> tuple[float, dict[str, object]]:
    """Send messages; returns the seconds it took and the client's own summary."""
    with tempfile.NamedTemporaryFile("w", suffix=".hl7", newline="") as file:
        file.write("".join(MESSAGE.format(n=first + n) for n in range(count)))
        file.flush()
        command = [PRELIM, "send", file.name, "--to", f"127.0.0.1:{port}", "--json"]
        command += ["--concurrency", str(concurrency)]
        started_s = time.monotonic()
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - started_s
    return seconds, json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    starts, memory = [], []
    for _ in range(STARTS):
        with daemon(free_port()) as (pid, seconds):
            starts.append(seconds)
            memory.append(resident_mib(pid))
    print(f"time to /readyz     {min(starts):.2f} to {max(starts):.2f} s, {STARTS} starts")
    print(f"memory after start  {max(memory):.0f} MiB, worker not counted")
    port = free_port()
    with daemon(port) as (pid, _):
        for concurrency in (1, 8):
            seconds, summary = send(count, concurrency, port, first=concurrency * 1_000_000)
            print(
                f"{count} messages, {concurrency} connections: {summary['codes']},"
                f" answer p50 {summary['p50_ms']} ms, p99 {summary['p99_ms']} ms,"
                f" {count / seconds:.0f}/s with the client's start"
            )
        print(f"memory after them   {resident_mib(pid):.0f} MiB, worker not counted")


if __name__ == "__main__":
    main()
