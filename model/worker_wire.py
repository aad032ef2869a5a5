"""What the daemon and the model worker say to each other, as bytes.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON: ``{"kind": ..., ...}``.
A frame holds patient data: it goes over an inherited socketpair only, and no error made here
carries a part of it. Both ends are the same version of prelim: there is nothing to negotiate.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.domain import Draft, EngineIdentity, FinishReason, Prompt, PromptPiece
from mappings.errors import PrelimError
from model.batching import BatchLimits
from model.engine import EngineConfiguration, ServerConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FRAME_BYTES_MAX = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class WireError(PrelimError):
    """Fate: end the connection. The other end is broken, or is not ours."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Daemon to worker, first and once."""

    engine: EngineConfiguration
    limits: BatchLimits


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """Daemon to worker: write a draft. ``is_alone``: in a batch by itself."""

    request_id: int
    prompt: Prompt
    is_alone: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to daemon: the engine has done a piece of real work; requests are welcome."""

    identity: EngineIdentity
    adapters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Worker to daemon: the engine cannot be had; starting again would not help."""

    reason: str
    where: str | None


@dataclass(frozen=True, slots=True)
class Started:
    """Worker to daemon: these requests run now. When the worker dies, they are the suspects."""

    request_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Working:
    """Worker to daemon, now and then during a batch: slow, but not hung."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Worker to daemon: the draft."""

    request_id: int
    draft: Draft = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Worker to daemon: this prompt can never be run."""

    request_id: int
    reason: str
    where: str | None


WireMessage = Configure | DraftRequest | Ready | Unavailable | Started | Working | Answer | Refusal


def render_frame(message: WireMessage) -> bytes:
    """Return the message as one frame.

    Raises:
        WireError: ``frame_too_large``: it would pass ``FRAME_BYTES_MAX``.
    """
    body = json.dumps(
        {"kind": type(message).__name__, **asdict(message)}, ensure_ascii=False
    ).encode("utf-8", "surrogatepass")
    if len(body) > FRAME_BYTES_MAX:
        raise WireError("frame_too_large", f"{type(message).__name__}")
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Bytes in, messages out; keeps what is left of a frame until the rest comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[WireMessage]:
        """Take bytes from the socket and return the messages they complete.

        Raises:
            WireError: The bytes are no frame of ours.
        """
        self._buffer += chunk
        messages = []
        while (body := self._next_body()) is not None:
            messages.append(parse_body(body))
        return messages

    def _next_body(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > FRAME_BYTES_MAX:
            raise WireError("frame_too_large", "length")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return body


def parse_body(body: bytes) -> WireMessage:
    """Return the message in a frame's body.

    Raises:
        WireError: ``frame_unreadable``.
    """
    try:
        fields = json.loads(body.decode("utf-8", "surrogatepass"))
        return _PARSERS[fields.pop("kind")](fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WireError("frame_unreadable", "body") from None


# JSON's objects are untyped: Any stays within these parsers, the dataclasses' constructors end it.
_Fields = dict[str, Any]


def _parse_configure(fields: _Fields) -> Configure:
    engine = fields["engine"]
    server = engine.pop("server")
    if server is not None:
        control_tokens = tuple(server.pop("control_tokens"))
        server = ServerConfiguration(control_tokens=control_tokens, **server)
    return Configure(EngineConfiguration(server=server, **engine), BatchLimits(**fields["limits"]))


def _parse_request(fields: _Fields) -> DraftRequest:
    prompt = fields["prompt"]
    pieces = tuple(PromptPiece(**piece) for piece in prompt.pop("pieces"))
    return DraftRequest(
        fields["request_id"], Prompt(pieces=pieces, **prompt), is_alone=fields["is_alone"]
    )


def _parse_ready(fields: _Fields) -> Ready:
    return Ready(EngineIdentity(**fields["identity"]), tuple(fields["adapters"]))


def _parse_unavailable(fields: _Fields) -> Unavailable:
    return Unavailable(**fields)


def _parse_started(fields: _Fields) -> Started:
    return Started(tuple(fields["request_ids"]))


def _parse_working(fields: _Fields) -> Working:
    return Working(**fields)


def _parse_answer(fields: _Fields) -> Answer:
    draft = fields["draft"]
    engine = EngineIdentity(**draft.pop("engine"))
    finish = FinishReason(draft.pop("finish"))
    return Answer(fields["request_id"], Draft(engine=engine, finish=finish, **draft))


def _parse_refusal(fields: _Fields) -> Refusal:
    return Refusal(**fields)


_PARSERS: Mapping[str, Callable[[_Fields], WireMessage]] = {
    "Configure": _parse_configure,
    "DraftRequest": _parse_request,
    "Ready": _parse_ready,
    "Unavailable": _parse_unavailable,
    "Started": _parse_started,
    "Working": _parse_working,
    "Answer": _parse_answer,
    "Refusal": _parse_refusal,
}
