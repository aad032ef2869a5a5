"""Real processes for tests: the daemon as users start it, and messages to send it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PRELIM = Path(sys.executable).parent / "prelim"
FINDINGS = "There is a {size} mm nodule in the right upper lobe. The heart is normal in size."


def read_json(url: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
        return json.load(response)


def read_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
        return str(response.read().decode())


async def until(condition: Callable[[], bool]) -> None:
    """Look again until it is so; the test's own timeout is the limit."""
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, OSError):
            if await asyncio.to_thread(condition):
                return
        await asyncio.sleep(0.05)


def run_prelim(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [PRELIM, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        timeout=280,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@dataclass
class Daemon:
    """``prelim serve`` in a process of its own, on free ports, with the extractive engine."""

    data: Path
    mllp_port: int
    http_port: int
    settings: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.data / "stderr.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        self.data.mkdir(exist_ok=True)
        with self.log.open("ab") as lines:
            self.process = subprocess.Popen(
                [PRELIM, "serve", *self.arguments],
                stderr=lines,
                env={
                    **os.environ,
                    "PRELIM_DATA": str(self.data),
                    "PRELIM_MLLP__PORT": str(self.mllp_port),
                    "PRELIM_HTTP__PORT": str(self.http_port),
                    "PRELIM_MODEL__ENGINE": "extractive",
                    **self.settings,
                },
            )

    async def wait_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            return bool(read_json(f"{self.url}/readyz")["ready"])

        await until(is_ready)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def count(self, state: str) -> int:
        for line in read_text(f"{self.url}/metrics").splitlines():
            if line.startswith(f'prelim_in_state{{state="{state}"}}'):
                return int(float(line.rsplit(" ", 1)[1]))
        raise AssertionError(state)

    def prelim(self, *arguments: str) -> tuple[int, str, str]:
        return run_prelim(*arguments, environment={"PRELIM_DATA": str(self.data)})


@pytest.fixture
async def daemon(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path / "data", free_port(), free_port())
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def make_messages() -> Callable[..., list[bytes]]:
    """Make ORU^R01 messages with findings, each of a report of its own."""

    def make(count: int, *, name: str = "TEST^PATIENT", prefix: str = "M") -> list[bytes]:
        return [
            (
                "MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01"
                f"|{prefix}{number}|P|2.5.1\r"
                f"PID|1||P{number}^^^DEMO^MR||{name}||19700101|F\r"
                f"OBR|1|O{number}|F{prefix}{number}|CTCHEST^CT CHEST^L|||20261121070000"
                "|||||||||||||||20261121073000||CT|P\r"
                f"OBX|1|TX|&GDT||{FINDINGS.format(size=number % 30 + 2)}||||||P\r"
            ).encode()
            for number in range(count)
        ]

    return make
