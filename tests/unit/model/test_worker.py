"""The worker over a real socketpair, with an engine that fails on command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Prompt
from model.batching import BatchLimits
from model.engine import EngineConfiguration, Prepared
from model.engines.extractive import ExtractiveEngine
from model.errors import EngineUnavailableError, PromptRefusedError
from model.worker import EngineBrokenError, Worker, load_engine
from model.worker_wire import (
    Answer,
    Configure,
    DraftRequest,
    FrameReader,
    Ready,
    Refusal,
    Started,
    Unavailable,
    WireMessage,
    render_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mappings.domain import Draft
    from model.engine import Engine

ROOT = Path(__file__).parents[3]
ANSWER_S = 20.0


class FailingEngine(ExtractiveEngine):
    """Extracts, but fails on texts that say so; ``is_broken`` makes it fail for good."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.is_broken = False

    def prepare(self, prompt: Prompt) -> Prepared:
        if "refuse" in prompt.findings:
            raise PromptRefusedError("prompt_too_long", "model.base")
        if "unreadable" in prompt.findings:
            raise ValueError(prompt.findings)
        return Prepared(prompt, tuple(range(len(prompt.findings.split()))))

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        self.batches.append(len(batch))
        if any("breaks" in one.prompt.findings for one in batch):
            self.is_broken = True
        if self.is_broken or any("poison" in one.prompt.findings for one in batch):
            raise RuntimeError(batch[0].prompt.findings)
        return super().generate(batch)

    def probe(self) -> None:
        if self.is_broken:
            raise RuntimeError


@dataclass
class Conversation:
    """The daemon's end."""

    ours: socket.socket
    reader: FrameReader = field(default_factory=FrameReader)
    heard: list[WireMessage] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def say(self, *messages: WireMessage) -> None:
        self.ours.sendall(b"".join(map(render_frame, messages)))

    def hear_until(self, kinds: tuple[type[WireMessage], ...], count: int = 1) -> list[WireMessage]:
        """Read until ``count`` more messages of these kinds have come, and return them."""
        found: list[WireMessage] = []
        while len(found) < count:
            chunk = self.ours.recv(65536)
            assert chunk, "the worker is gone"
            for message in self.reader.feed(chunk):
                self.heard.append(message)
                if isinstance(message, kinds):
                    found.append(message)
        return found


@contextmanager
def conversation(
    load: Callable[[EngineConfiguration], Engine], limits: BatchLimits | None = None
) -> Iterator[Conversation]:
    ours, theirs = socket.socketpair()
    ours.settimeout(ANSWER_S)
    talk = Conversation(ours)

    def run() -> None:
        try:
            Worker(theirs, load=load, on_hangup=lambda: None).run()
        except EngineBrokenError as error:
            talk.failures.append(error)
        finally:
            theirs.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=run)
    thread.start()
    talk.say(Configure(EngineConfiguration(), limits or BatchLimits(wait_ms=0)))
    try:
        yield talk
    finally:
        ours.close()
        thread.join(ANSWER_S)
        theirs.close()
        assert not thread.is_alive()


def request(
    request_id: int, findings: str = "A nodule.", *, is_alone: bool = False
) -> DraftRequest:
    prompt = Prompt(
        pieces=(),
        findings=findings,
        adapter=None,
        template_version="impression/1",
        output_tokens_max=16,
    )
    return DraftRequest(request_id, prompt, is_alone=is_alone)


def started(talk: Conversation) -> list[tuple[int, ...]]:
    return [one.request_ids for one in talk.heard if isinstance(one, Started)]


def test_it_says_ready_then_answers() -> None:
    with conversation(lambda _: FailingEngine()) as talk:
        (ready,) = talk.hear_until((Ready,))
        talk.say(request(7))
        (answer,) = talk.hear_until((Answer,))

    assert isinstance(ready, Ready)
    assert ready.identity.engine == "extractive"
    assert isinstance(answer, Answer)
    assert (answer.request_id, answer.draft.text) == (7, "A nodule.")


def test_requests_that_come_together_run_together() -> None:
    engine = FailingEngine()
    with conversation(lambda _: engine, BatchLimits(size_max=3, wait_ms=5_000)) as talk:
        talk.hear_until((Ready,))
        talk.say(*(request(number) for number in range(3)))
        talk.hear_until((Answer,), 3)

    assert engine.batches == [3]
    assert started(talk) == [(0, 1, 2)]


def test_a_request_that_asks_to_be_alone_is_alone() -> None:
    engine = FailingEngine()
    with conversation(lambda _: engine, BatchLimits(size_max=3, wait_ms=100)) as talk:
        talk.hear_until((Ready,))
        talk.say(request(0, is_alone=True), request(1), request(2))
        talk.hear_until((Answer,), 3)

    assert started(talk) == [(0,), (1, 2)]


def test_only_the_poisonous_row_of_a_batch_fails() -> None:
    with conversation(lambda _: FailingEngine(), BatchLimits(size_max=3, wait_ms=5_000)) as talk:
        talk.hear_until((Ready,))
        talk.say(request(0), request(1, "poison"), request(2))
        answers = talk.hear_until((Answer, Refusal), 3)

    assert [
        (type(one), one.request_id) for one in answers if isinstance(one, Answer | Refusal)
    ] == [
        (Answer, 0),
        (Refusal, 1),
        (Answer, 2),
    ]
    # The last Started names the one row that runs, so that a death now is blamed on it alone.
    assert started(talk) == [(0, 1, 2), (0,), (1,), (2,)]
    assert Refusal(1, "engine_failed", "RuntimeError") in talk.heard


def test_an_engine_that_breaks_ends_the_worker_without_an_answer() -> None:
    with conversation(lambda _: FailingEngine()) as talk:
        talk.hear_until((Ready,))
        talk.say(request(0, "breaks"))
        with pytest.raises(AssertionError, match="the worker is gone"):
            talk.hear_until((Answer, Refusal))

    assert [type(error) for error in talk.failures] == [EngineBrokenError]


@pytest.mark.parametrize(
    ("findings", "refusal"),
    [
        ("refuse", Refusal(0, "prompt_too_long", "model.base")),
        ("unreadable", Refusal(0, "prompt_unreadable", "ValueError")),
        ("word " * 50, Refusal(0, "prompt_too_long", "model.batch.tokens_max")),
    ],
)
def test_a_request_that_can_never_run_is_refused_before_any_batch(
    findings: str, refusal: Refusal
) -> None:
    engine = FailingEngine()
    with conversation(lambda _: engine, BatchLimits(tokens_max=40, wait_ms=0)) as talk:
        talk.hear_until((Ready,))
        talk.say(request(0, findings), request(1))
        answers = talk.hear_until((Answer, Refusal), 2)

    assert answers[0] == refusal
    assert isinstance(answers[1], Answer)
    assert engine.batches == [1]


def test_an_engine_that_cannot_be_had_is_named_and_the_worker_ends() -> None:
    def load(_: EngineConfiguration) -> Engine:
        raise EngineUnavailableError("weights_missing", "model.base")

    with conversation(load) as talk:
        heard = talk.hear_until((Unavailable,))

    assert heard == [Unavailable("weights_missing", "model.base")]


def test_a_first_message_that_is_no_configuration_ends_the_worker() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(render_frame(request(0)))
        loads: list[EngineConfiguration] = []
        Worker(theirs, load=lambda one: loads.append(one) or FailingEngine(), on_hangup=int).run()

        assert loads == []
        theirs.shutdown(socket.SHUT_RDWR)


def test_the_end_of_the_socket_is_the_end_of_the_worker() -> None:
    hung_up = threading.Event()
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        Worker(theirs, load=lambda _: FailingEngine(), on_hangup=hung_up.set).run()

        assert hung_up.wait(ANSWER_S)


@pytest.mark.parametrize(
    ("configuration", "where"),
    [
        (EngineConfiguration(engine="transformers", base="/nonexistent"), "model.base"),
        (
            EngineConfiguration(engine="transformers", adapters={"one": "/nonexistent"}),
            "model.adapters.one",
        ),
    ],
)
def test_a_missing_folder_is_named_before_a_library_is_imported(
    configuration: EngineConfiguration, where: str
) -> None:
    with pytest.raises(EngineUnavailableError) as caught:
        load_engine(configuration)

    assert (caught.value.reason, caught.value.where) == ("folder_missing", where)


def test_the_extractive_engine_is_loaded_without_torch() -> None:
    code = (
        "import sys; from model.engine import EngineConfiguration; import model.worker as worker;"
        "worker.load_engine(EngineConfiguration());"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


LOUD = """
import logging, sys, warnings
import model.worker as worker

class Loud:
    def __init__(self, *arguments, **options): pass
    def run(self):
        print("QUETZALCANARY")
        warnings.warn("QUETZALCANARY")
        logging.getLogger("transformers").error("QUETZALCANARY")
        raise ValueError("QUETZALCANARY")

worker.Worker = Loud
sys.exit(worker.main())
"""


@pytest.mark.process
def test_nothing_a_library_says_gets_out_of_the_process() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [sys.executable, "-c", LOUD, "--fd", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=(theirs.fileno(),),
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["error_class"] == "ValueError"
    assert "QUETZALCANARY" not in done.stderr
