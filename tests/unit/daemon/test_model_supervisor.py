"""The supervisor with real workers: the extractive engine in a real child process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from daemon.clock import SystemClock
from daemon.model_supervisor import ModelSupervisor, RestartWaits
from mappings.domain import FinishReason, Prompt, PromptPiece
from model.batching import BatchLimits
from model.engine import EngineConfiguration
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError
from model.worker_wire import FRAME_BYTES_MAX
from tests.unit.model.engines.completion_server import configuration_of, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]
READY_S = 30.0


def prompt(findings: str = "There is a 5 mm nodule in the right lung.") -> Prompt:
    return Prompt(
        pieces=(),
        findings=findings,
        adapter=None,
        template_version="impression/1",
        output_tokens_max=64,
    )


@asynccontextmanager
async def supervised(
    *,
    delay_s: float = 0.0,
    **options: Any,  # noqa: ANN401 - as the constructor takes them
) -> AsyncIterator[ModelSupervisor]:
    supervisor = ModelSupervisor(
        EngineConfiguration(engine="extractive", delay_s=delay_s),
        clock=SystemClock(),
        **{"limits": BatchLimits(wait_ms=0), "waits": RestartWaits(min_s=0.01), **options},
    )
    supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop(0)


async def until_batches(supervisor: ModelSupervisor, count: int) -> None:
    async with asyncio.timeout(READY_S):
        while supervisor.stats.batches < count:
            await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(READY_S):
        while is_alive(pid):
            await asyncio.sleep(0.01)


async def test_a_draft_comes_back_with_the_identity_of_what_wrote_it() -> None:
    async with supervised() as supervisor:
        await supervisor.wait_ready(READY_S)
        draft = await supervisor.draft(prompt())

        assert draft.text == "There is a 5 mm nodule in the right lung."
        assert draft.finish is FinishReason.STOP
        assert draft.engine.engine == "extractive"
        assert draft.engine.is_demo
        assert draft.engine.template_version == "impression/1"
        assert supervisor.is_ready


async def test_prompts_given_together_run_in_one_batch() -> None:
    async with supervised(limits=BatchLimits(wait_ms=500, size_max=4)) as supervisor:
        drafts = await asyncio.gather(*(supervisor.draft(prompt()) for _ in range(4)))

        assert len(drafts) == 4
        assert supervisor.stats.batches == 1
        assert supervisor.stats.last_batch_size == 4


async def test_a_worker_killed_in_the_middle_loses_its_batch_and_the_next_draft_works() -> None:
    async with supervised(delay_s=1.0, limits=BatchLimits(size_max=1, wait_ms=0)) as supervisor:
        await supervisor.wait_ready(READY_S)
        running = asyncio.create_task(supervisor.draft(prompt()))
        waiting = asyncio.create_task(supervisor.draft(prompt("Small left effusion.")))
        await until_batches(supervisor, 1)
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)

        with pytest.raises(WorkerLostError, match="worker_died"):
            await running
        # It was not in the batch, so it goes to the new worker without anyone's help.
        assert (await waiting).text == "Small left effusion."
        assert (await supervisor.draft(prompt(), is_alone=True)).text
        assert supervisor.stats.workers_started == 2
        assert supervisor.stats.prompts_lost == 1


async def test_a_worker_that_hangs_is_killed_and_replaced() -> None:
    async with supervised(request_timeout_s=0.5) as supervisor:
        await supervisor.wait_ready(READY_S)
        pid = supervisor.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

        with pytest.raises(WorkerLostError, match="worker_hung"):
            await supervisor.draft(prompt())
        await until_gone(pid)
        assert (await supervisor.draft(prompt())).text


async def test_a_worker_without_work_may_be_silent_for_longer_than_the_deadline() -> None:
    async with supervised(request_timeout_s=0.3) as supervisor:
        await supervisor.wait_ready(READY_S)
        await supervisor.draft(prompt())
        await asyncio.sleep(0.6)

        assert (await supervisor.draft(prompt())).text
        assert supervisor.stats.workers_started == 1


async def test_a_worker_that_is_slow_but_answers_is_left_alone() -> None:
    limits = BatchLimits(size_max=1, wait_ms=0)
    async with supervised(delay_s=0.3, request_timeout_s=0.9, limits=limits) as supervisor:
        drafts = await asyncio.gather(*(supervisor.draft(prompt()) for _ in range(5)))

        assert len(drafts) == 5
        assert supervisor.stats.workers_lost == 0


SLOW = """
import sys, time
import model.worker as worker
from model.engines.extractive import ExtractiveEngine

class Slow(ExtractiveEngine):
    def generate(self, batch):
        for _ in range(18):
            time.sleep(0.1)
            self.on_step()
        return super().generate(batch)

worker.SIGN_OF_LIFE_S = 0.1
worker.load_engine = lambda configuration: Slow()
sys.exit(worker.main())
"""


async def test_a_batch_longer_than_the_deadline_is_left_alone_while_it_shows_life() -> None:
    command = (sys.executable, "-c", SLOW)
    async with supervised(command=command, request_timeout_s=1.2) as supervisor:
        await supervisor.wait_ready(READY_S)

        assert (await supervisor.draft(prompt())).text
        assert supervisor.stats.workers_lost == 0


async def test_an_engine_that_cannot_be_had_is_reported_and_not_started_again() -> None:
    configuration = EngineConfiguration(engine="transformers", base="/nonexistent/weights")
    supervisor = ModelSupervisor(configuration, clock=SystemClock())
    supervisor.start()
    early = asyncio.create_task(supervisor.draft(prompt()))

    with pytest.raises(EngineUnavailableError) as caught:
        await supervisor.wait_ready(READY_S)
    assert caught.value.where == "model.base"
    for late in (early, supervisor.draft(prompt())):
        with pytest.raises(EngineUnavailableError):
            await late
    assert not supervisor.is_ready
    await supervisor.stop(5)
    assert supervisor.stats.workers_started == 1


async def test_a_command_that_dies_at_once_is_tried_again_with_growing_waits() -> None:
    command = (sys.executable, "-c", "raise SystemExit(1)")
    async with supervised(command=command) as supervisor:
        async with asyncio.timeout(READY_S):
            while supervisor.stats.workers_lost < 3:
                await asyncio.sleep(0.01)

        assert not supervisor.is_ready
        with pytest.raises(EngineUnavailableError, match="worker_not_ready"):
            await supervisor.wait_ready(0.01)


async def test_a_command_that_does_not_exist_does_not_end_the_supervision() -> None:
    async with supervised(command=("/nonexistent/program",)) as supervisor:
        async with asyncio.timeout(READY_S):
            while supervisor.stats.workers_lost < 2:
                await asyncio.sleep(0.01)

        assert not supervisor.is_ready


async def test_stop_lets_running_drafts_finish_and_takes_no_new_ones() -> None:
    async with supervised(delay_s=0.3) as supervisor:
        await supervisor.wait_ready(READY_S)
        pid = supervisor.pid
        running = asyncio.create_task(supervisor.draft(prompt()))
        await until_batches(supervisor, 1)
        await supervisor.stop(READY_S)

        assert (await running).text
        with pytest.raises(WorkerLostError, match="worker_stopped"):
            await supervisor.draft(prompt())
        assert pid is not None
        assert not is_alive(pid)


async def test_stop_gives_back_what_its_deadline_does_not_cover() -> None:
    async with supervised(delay_s=20) as supervisor:
        await supervisor.wait_ready(READY_S)
        pid = supervisor.pid
        running = asyncio.create_task(supervisor.draft(prompt()))
        await until_batches(supervisor, 1)
        await supervisor.stop(0.05)

        with pytest.raises(WorkerLostError, match="worker_stopped"):
            await running
        assert pid is not None
        assert not is_alive(pid)


async def test_a_cancelled_draft_is_forgotten_and_harms_no_other() -> None:
    async with supervised(delay_s=0.2) as supervisor:
        await supervisor.wait_ready(READY_S)
        cancelled = asyncio.create_task(supervisor.draft(prompt()))
        await until_batches(supervisor, 1)
        cancelled.cancel()

        assert (await supervisor.draft(prompt("Small left effusion."))).text
        assert supervisor.stats.waiting == 0


async def test_a_prompt_larger_than_a_frame_is_refused_without_the_worker() -> None:
    async with supervised() as supervisor:
        with pytest.raises(PromptRefusedError, match="prompt_too_long"):
            await supervisor.draft(prompt("x" * FRAME_BYTES_MAX))


async def test_the_worker_ignores_the_signals_that_ask_the_daemon_to_drain() -> None:
    async with supervised(delay_s=0.3) as supervisor:
        await supervisor.wait_ready(READY_S)
        running = asyncio.create_task(supervisor.draft(prompt()))
        await until_batches(supervisor, 1)
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGTERM)
        os.kill(supervisor.pid, signal.SIGINT)

        assert (await running).text


PARENT = """
import asyncio
from daemon.clock import SystemClock
from daemon.model_supervisor import ModelSupervisor
from model.engine import EngineConfiguration
from mappings.domain import Prompt

async def main():
    supervisor = ModelSupervisor(
        EngineConfiguration(engine="extractive", delay_s=60), clock=SystemClock()
    )
    supervisor.start()
    await supervisor.wait_ready(30)
    prompt = Prompt((), "A nodule.", None, "impression/1", 64)
    task = asyncio.create_task(supervisor.draft(prompt))
    while supervisor.stats.batches == 0:
        await asyncio.sleep(0.01)
    print(supervisor.pid, end="!", flush=True)
    await task

asyncio.run(main())
"""


async def test_the_death_of_the_daemon_leaves_no_worker_behind() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    worker_pid = int((await parent.stdout.readuntil(b"!")).rpartition(b"\n")[2][:-1])
    assert is_alive(worker_pid)
    parent.kill()
    await parent.communicate()

    await until_gone(worker_pid)  # though a batch of a minute is running
    assert not is_alive(worker_pid)


async def test_no_patient_data_and_no_secret_reaches_the_worker_s_command_line_or_log(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRELIM_FHIR__AUTH__SECRET", "CANARYSECRET")
    async with supervised() as supervisor:
        await supervisor.wait_ready(READY_S)
        await supervisor.draft(prompt("CANARYNAME has a nodule."))
        process = Path(f"/proc/{supervisor.pid}")
        seen = process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()

    assert b"CANARY" not in seen
    captured = capfd.readouterr()
    assert "model.engine_loaded" in captured.err
    assert "CANARY" not in captured.out + captured.err


async def test_a_server_drafts_through_a_worker_and_one_that_is_away_is_asked_again() -> None:
    waits = RestartWaits(min_s=0.01, max_s=0.05)
    async with serving() as server:
        supervisor = ModelSupervisor(
            configuration_of(server.url),
            clock=SystemClock(),
            limits=BatchLimits(wait_ms=0),
            waits=waits,
        )
        supervisor.start()
        try:
            await supervisor.wait_ready(READY_S)
            asked = replace(prompt(), pieces=(PromptPiece("A nodule.", is_trusted=False),))
            draft = await supervisor.draft(asked)
            server.status = 503
            with pytest.raises(WorkerLostError, match="worker_died"):
                await supervisor.draft(asked)
            server.status = 200
            again = await supervisor.draft(asked)
        finally:
            await supervisor.stop(0)

    assert (draft.text, draft.engine.engine) == ("There is a nodule.", "openai")
    assert again == draft
    assert supervisor.stats.workers_started > 1
