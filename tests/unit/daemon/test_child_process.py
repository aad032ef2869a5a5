"""How a process of ours ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio import create_subprocess_exec

import pytest

from daemon import child_process
from daemon.child_process import end_process

pytestmark = pytest.mark.process


async def test_a_process_that_goes_by_itself_is_not_killed() -> None:
    process = await create_subprocess_exec(sys.executable, "-c", "raise SystemExit(5)")

    assert await end_process(process) == 5


async def test_a_process_that_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "EXIT_WAIT_S", 0.2)
    process = await create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    async with asyncio.timeout(20):
        status = await end_process(process)

    assert status == -signal.SIGKILL
