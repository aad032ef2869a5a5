"""How a worker's process is started and ended."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from daemon import model_process
from daemon.model_process import end_process, spawn_worker, worker_environment


def test_a_worker_gets_what_libraries_need_and_no_secret() -> None:
    given = {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "2",
        "PRELIM_FHIR__AUTH__SECRET": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "HTTPS_PROXY": "http://user:x@proxy",
        "PYTHONPATH": "/elsewhere",
        "HF_HUB_OFFLINE": "0",
    }
    made = worker_environment(given)

    assert "x" not in made.values()
    assert (made["PATH"], made["CUDA_VISIBLE_DEVICES"], made["OMP_NUM_THREADS"]) == (
        "/bin",
        "0",
        "2",
    )
    assert made["PYTHONPATH"] != "/elsewhere"
    assert made["HF_HUB_OFFLINE"] == made["TRANSFORMERS_OFFLINE"] == "1"
    assert not any("PROXY" in name for name in made)


@pytest.mark.process
async def test_a_worker_that_goes_by_itself_is_not_killed() -> None:
    process = await spawn_worker((sys.executable, "-c", "raise SystemExit(5)"), 1)

    assert await end_process(process) == 5


@pytest.mark.process
async def test_a_worker_that_stays_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_process, "EXIT_WAIT_S", 0.2)
    process = await spawn_worker((sys.executable, "-c", "import time; time.sleep(60)"), 1)
    async with asyncio.timeout(20):
        status = await end_process(process)

    assert status == -signal.SIGKILL
