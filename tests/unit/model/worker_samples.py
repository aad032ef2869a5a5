"""An engine that fails on demand, and the daemon's end of the wire, for the worker's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.domain import Draft, EngineIdentity, FinishReason, Prompt
from model.batching import BatchLimits
from model.engine import EngineConfiguration, Prepared
from model.engines.extractive import ExtractiveEngine
from model.errors import PromptRefusedError, WorkerLostError
from model.worker_wire import (
    Answer,
    Configure,
    DraftRequest,
    FrameReader,
    Refusal,
    WireMessage,
    render_frame,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

WAIT_S = 10.0
BAD, UNREADABLE, REFUSED = "BAD", "UNREADABLE", "REFUSED"
REFUSED_LATE, LOST = "REFUSED LATE", "LOST"
AT_ONCE = BatchLimits(wait_ms=0)


@dataclass
class ScriptedEngine:
    """Fails where a prompt's text tells it to."""

    batches: list[list[str]] = field(default_factory=list)
    is_broken: bool = False

    def prepare(self, prompt: Prompt) -> Prepared:
        if prompt.findings == REFUSED:
            raise PromptRefusedError("token_out_of_vocabulary", "model.base")
        if prompt.findings == UNREADABLE:
            raise RuntimeError(prompt.findings)
        return Prepared(prompt, tuple(range(len(prompt.findings))))

    def generate(
        self, batch: Sequence[Prepared], *, on_step: Callable[[], None] = lambda: None
    ) -> list[Draft]:
        texts = [one.prompt.findings for one in batch]
        self.batches.append(texts)
        if REFUSED_LATE in texts:
            raise PromptRefusedError("server_refused_prompt", "model.server.url")
        if LOST in texts:
            raise WorkerLostError("server_unavailable", "model.server.url")
        if BAD in texts or self.is_broken:
            raise RuntimeError(BAD)
        return [Draft(text, FinishReason.STOP, 1, 1, self.identity(None, "1")) for text in texts]

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        del adapter
        return ExtractiveEngine().identity(None, template_version)

    def probe(self) -> None:
        if self.is_broken:
            raise RuntimeError(BAD)


class Line:
    """The daemon's end of the wire."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._reader = FrameReader()
        self._inbox: list[WireMessage] = []
        connection.settimeout(WAIT_S)

    def send(self, *messages: WireMessage) -> None:
        self.connection.sendall(b"".join(map(render_frame, messages)))

    def ask(self, *findings: str, is_alone: bool = False) -> None:
        self.send(
            *(
                DraftRequest(index, prompt(text), is_alone=is_alone)
                for index, text in enumerate(findings, start=1)
            )
        )

    def next(self) -> WireMessage:
        while not self._inbox:
            chunk = self.connection.recv(4096)
            if not chunk:
                raise EOFError
            self._inbox += self._reader.feed(chunk)
        return self._inbox.pop(0)

    def take(self, count: int) -> list[WireMessage]:
        return [self.next() for _ in range(count)]


def prompt(findings: str) -> Prompt:
    return Prompt((), findings, None, "impression/1", 64)


def configure(limits: BatchLimits = AT_ONCE, **engine: Any) -> Configure:  # noqa: ANN401 - as there
    return Configure(EngineConfiguration(**engine), limits)


def told(messages: Sequence[WireMessage]) -> dict[int, str]:
    """Return what each request was answered: a draft's text, or why not."""
    return {
        one.request_id: one.draft.text if isinstance(one, Answer) else one.reason
        for one in messages
        if isinstance(one, Answer | Refusal)
    }
