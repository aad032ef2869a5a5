"""The worker over a real socketpair: on a thread with a scripted engine, and as a real process."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from model.batching import BatchLimits
from model.engine import EngineConfiguration
from model.engines.extractive import ExtractiveEngine
from model.errors import EngineUnavailableError
from model.worker import EngineBrokenError, Worker, load_engine
from model.worker_wire import Ready, Refusal, Started, Unavailable
from tests.unit.model.worker_samples import (
    AT_ONCE,
    BAD,
    LOST,
    REFUSED,
    REFUSED_LATE,
    UNREADABLE,
    WAIT_S,
    Line,
    ScriptedEngine,
    configure,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOGETHER = BatchLimits(size_max=3, wait_ms=60_000)


@dataclass
class Bench:
    """A worker on a thread."""

    line: Line
    far_end: socket.socket
    engine: ScriptedEngine
    thread: threading.Thread
    ended: queue.SimpleQueue[BaseException | None]
    hung_up: threading.Event


@pytest.fixture
def bench() -> Iterator[Callable[[], Bench]]:
    made: list[Bench] = []

    def start() -> Bench:
        ours, theirs = socket.socketpair()
        engine, hung_up = ScriptedEngine(), threading.Event()
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        worker = Worker(theirs, load=lambda _: engine, on_hangup=hung_up.set)

        def run() -> None:
            try:
                worker.run()
            except EngineBrokenError as error:
                ended.put(error)
            else:
                ended.put(None)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        made.append(Bench(Line(ours), theirs, engine, thread, ended, hung_up))
        return made[-1]

    yield start
    for one in made:
        one.line.connection.close()
        one.thread.join(WAIT_S)
        assert one.hung_up.wait(WAIT_S)
        one.far_end.close()


def ready(bench: Callable[[], Bench], limits: BatchLimits = AT_ONCE) -> Bench:
    made = bench()
    made.line.send(configure(limits))
    assert isinstance(made.line.next(), Ready)
    return made


def test_prompts_that_come_together_run_together_in_their_order(
    bench: Callable[[], Bench],
) -> None:
    made = ready(bench, TOGETHER)
    made.line.ask("a", "b", "c")
    messages = made.line.take(4)

    assert messages[0] == Started((1, 2, 3))
    assert told(messages) == {1: "a", 2: "b", 3: "c"}
    assert made.engine.batches == [["a", "b", "c"]]


def test_a_batch_that_fails_is_run_again_one_by_one_and_only_the_bad_row_is_refused(
    bench: Callable[[], Bench],
) -> None:
    made = ready(bench, TOGETHER)
    made.line.ask("a", BAD, "c")
    messages = made.line.take(7)

    assert [one for one in messages if isinstance(one, Started)] == [
        Started((1, 2, 3)),
        Started((1,)),
        Started((2,)),
        Started((3,)),
    ]
    assert told(messages) == {1: "a", 2: "engine_failed", 3: "c"}
    assert made.engine.batches == [["a", BAD, "c"], ["a"], [BAD], ["c"]]


def test_a_prompt_that_the_server_refuses_is_refused_alone(bench: Callable[[], Bench]) -> None:
    made = ready(bench, TOGETHER)
    made.line.ask("a", REFUSED_LATE, "c")

    assert told(made.line.take(7)) == {1: "a", 2: "server_refused_prompt", 3: "c"}


def test_a_server_that_is_away_ends_the_worker_and_no_prompt_is_refused(
    bench: Callable[[], Bench],
) -> None:
    made = ready(bench, TOGETHER)
    made.line.ask("a", LOST, "c")

    assert made.line.next() == Started((1, 2, 3))
    assert isinstance(made.ended.get(timeout=WAIT_S), EngineBrokenError)
    assert made.engine.batches == [["a", LOST, "c"]]


@pytest.mark.parametrize(
    ("findings", "refusal"),
    [
        (REFUSED, Refusal(1, "token_out_of_vocabulary", "model.base")),
        (UNREADABLE, Refusal(1, "prompt_unreadable", "RuntimeError")),
        ("x" * 9000, Refusal(1, "prompt_too_long", "model.batch.tokens_max")),
    ],
    ids=["refused", "unreadable", "too long"],
)
def test_a_prompt_that_cannot_be_run_is_refused_before_it_joins_a_batch(
    bench: Callable[[], Bench], findings: str, refusal: Refusal
) -> None:
    made = ready(bench)
    made.line.ask(findings, "b")
    messages = made.line.take(3)

    assert messages[0] == refusal
    assert told(messages)[2] == "b"
    assert made.engine.batches == [["b"]]


def test_a_suspect_runs_in_a_batch_by_itself(bench: Callable[[], Bench]) -> None:
    made = ready(bench, TOGETHER)
    made.line.ask("a", "b", is_alone=True)
    made.line.take(4)

    assert made.engine.batches == [["a"], ["b"]]


def test_an_engine_that_is_broken_ends_the_worker_with_its_row_unanswered(
    bench: Callable[[], Bench],
) -> None:
    made = ready(bench)
    made.engine.is_broken = True
    made.line.ask("a")

    assert made.line.take(2) == [Started((1,)), Started((1,))]
    assert isinstance(made.ended.get(timeout=WAIT_S), EngineBrokenError)


def test_the_end_of_the_socket_is_the_end_of_the_worker(bench: Callable[[], Bench]) -> None:
    made = ready(bench)
    made.line.connection.close()

    assert made.hung_up.wait(WAIT_S)
    assert made.ended.get(timeout=WAIT_S) is None


def test_bytes_that_are_no_frame_are_the_end_of_the_worker(bench: Callable[[], Bench]) -> None:
    made = ready(bench)
    made.line.connection.sendall(b"\xff" * 8)

    assert made.hung_up.wait(WAIT_S)
    assert made.ended.get(timeout=WAIT_S) is None


def test_a_worker_that_is_not_configured_first_does_nothing(bench: Callable[[], Bench]) -> None:
    made = bench()
    made.line.ask("a")

    assert made.ended.get(timeout=WAIT_S) is None
    assert made.engine.batches == []


def test_an_engine_without_weights_is_loaded_with_its_delay() -> None:
    engine = load_engine(EngineConfiguration(engine="extractive", delay_s=1.5))

    assert isinstance(engine, ExtractiveEngine)
    assert engine._delay_s == 1.5


def test_a_folder_that_is_missing_is_told_before_any_library_is_loaded(tmp_path: Path) -> None:
    adapters = {"site.one": str(tmp_path / "none")}

    with pytest.raises(EngineUnavailableError, match=r"folder_missing at model\.base"):
        load_engine(EngineConfiguration(engine="transformers", base=str(tmp_path / "none")))
    with pytest.raises(EngineUnavailableError, match=r"folder_missing at model\.adapters\.site"):
        load_engine(
            EngineConfiguration(engine="transformers", base=str(tmp_path), adapters=adapters)
        )


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[bytes], Line]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "model.worker", "--fd", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    with process, ours:
        yield process, Line(ours)
        process.kill()


@pytest.mark.process
def test_a_real_worker_drafts_and_says_nothing_of_the_text(
    child: tuple[subprocess.Popen[bytes], Line], canary_name: str
) -> None:
    process, line = child
    line.send(configure())
    line.ask(f"{canary_name} has a nodule.", f"{canary_name}\ud800")
    hello, *messages = line.take(4)
    line.connection.close()
    out, err = process.communicate(timeout=WAIT_S)

    assert isinstance(hello, Ready)
    assert hello.identity.is_demo
    assert told(messages)[1] == f"{canary_name} has a nodule."
    assert process.returncode == 0
    assert [json.loads(one)["event"] for one in err.splitlines()] == ["model.engine_loaded"]
    assert canary_name.encode() not in out + err


@pytest.mark.process
def test_a_real_worker_is_gone_with_its_socket_though_a_batch_is_running(
    child: tuple[subprocess.Popen[bytes], Line],
) -> None:
    process, line = child
    line.send(configure(delay_s=600.0))
    line.ask("A nodule.")
    assert isinstance(line.take(2)[1], Started)
    line.connection.close()

    assert process.wait(timeout=WAIT_S) == 0


@pytest.mark.process
def test_a_real_worker_tells_that_its_engine_cannot_be_had(
    child: tuple[subprocess.Popen[bytes], Line],
) -> None:
    process, line = child
    line.send(configure(engine="transformers", base="/nonexistent/weights"))

    assert line.next() == Unavailable("folder_missing", "model.base")
    assert process.wait(timeout=WAIT_S) == 0


@pytest.mark.process
def test_a_real_worker_given_no_frame_says_only_the_class_of_the_fault(
    child: tuple[subprocess.Popen[bytes], Line], canary_name: str
) -> None:
    process, line = child
    line.connection.sendall(
        b"\x00\x00\x00\x20" + f'{{"kind": "{canary_name}", "x": 1234}}'.encode()
    )
    _, err = process.communicate(timeout=WAIT_S)

    (event,) = (json.loads(one) for one in err.splitlines())
    assert (event["event"], event["error_class"]) == ("model.connection_lost", "WireError")
    assert canary_name.encode() not in err


@pytest.mark.process
def test_a_real_worker_outlives_the_signals_that_ask_the_daemon_to_drain(
    child: tuple[subprocess.Popen[bytes], Line],
) -> None:
    process, line = child
    line.send(configure())
    assert isinstance(line.next(), Ready)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGINT)
    line.ask("A nodule.")

    assert told(line.take(2)) == {1: "A nodule."}
