"""What an MLLP listener is made of and what it needs: its handler, its limits, its counts.

The handler decides what an answer says and when it may be given; the listener only carries it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Coroutine


class FrameFault(StrEnum):
    """Why a frame could not be taken. A metric label: never rename one."""

    TOO_LARGE = "too_large"
    ABANDONED = "abandoned"
    NOT_FRAMED = "not_framed"


Later = Callable[[bytes], bool]
"""Sends one more message, unframed, on the connection that a message came by; False when that
connection is gone or ending: say it another way then. For application acknowledgments."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one frame.

    Attributes:
        messages: Without framing bytes, in order; one for each message of a batch, none to be
            silent.
        is_stored: Whether the frame is on disk; decides the commit byte of MLLP release 2.
    """

    messages: tuple[bytes, ...] = field(default=(), repr=False)
    is_stored: bool = False


class MessageHandler(Protocol):
    """Who answers."""

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:
        """Take one frame, HL7 or not; return only when the answer may be believed."""

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        """Answer a frame that could not be taken, of which ``head`` is the first 4 KiB at most.

        An ABANDONED frame's sender has moved on to the next: it expects no answer. What is
        NOT_FRAMED begins with MSH and had its end block: its sender waits for one.
        """


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """What one listener bears. A time of 0 means no limit (only for ``idle_timeout_s``)."""

    frame_bytes_max: int = 16 * 1024 * 1024
    frame_timeout_s: float = 60
    """From a start byte to its end block, not counting time in which we did not read."""
    idle_timeout_s: float = 0
    write_timeout_s: float = 30
    """A peer must read the answers that wait for it within this."""
    answer_timeout_s: float = 30
    """From a frame's end to its answer; after it the connection is closed without one."""
    handshake_timeout_s: float = 10
    """For the PROXY header, and again for the TLS handshake."""
    connections_max: int = 256
    connections_per_host_max: int = 64
    messages_per_second_max: float = 0
    """Of one connection, evenly spaced; what comes faster waits in the socket. 0 means no limit."""
    in_flight_max: int = 64
    """Messages of one connection being answered at once; together at most ``frame_bytes_max``,
    or one alone."""
    faults_max: int = 100
    """Frames in a row that could not be taken, after which a connection is closed."""


@dataclass(frozen=True, slots=True)
class ListenerTerms:
    """On what terms a listener takes a connection, and how it speaks.

    Attributes:
        allow_hosts: Addresses and networks that may connect; all when empty.
        proxy_protocol: Whether each connection begins with a PROXY header, which is believed:
            only where nothing but the proxy can reach the port.
        release: Of MLLP; 2 puts a commit byte before each answer.
        tls_context: Gives the context for the next handshake; None for no TLS.
    """

    allow_hosts: tuple[str, ...] = ()
    proxy_protocol: bool = False
    release: Literal[1, 2] = 1
    tls_context: Callable[[], ssl.SSLContext] | None = None


@dataclass(slots=True)
class MllpStats:
    """Counts since the start, but ``connections`` and ``in_flight``, which are now."""

    connections: int = 0
    in_flight: int = 0
    connections_opened: int = 0
    connections_refused: Counter[str] = field(default_factory=Counter)
    """By reason: a limit's name, ``host_not_allowed``, ``proxy_header``, ``tls_handshake``."""
    connections_evicted: int = 0
    frames_received: int = 0
    frames_rejected: Counter[FrameFault] = field(default_factory=Counter)
    garbage_bytes: int = 0
    answers_sent: int = 0
    answers_failed: int = 0
    answers_late: int = 0
    answers_unsent: int = 0


class Connection(Protocol):
    """What a listener needs of a connection."""

    host: str
    peer: str
    quiet_since_s: float
    """When something last came or went, on the loop's clock."""

    @property
    def is_busy(self) -> bool:
        """Whether a frame is coming in or an answer is due."""

    def drain(self) -> None:
        """Take nothing more, let the answers in flight be sent, then close."""

    def abort(self, reason: str) -> None:
        """Close without sending what waits."""


class Owner(Protocol):
    """What a connection needs of its listener."""

    door: str
    handler: MessageHandler
    limits: ListenerLimits
    terms: ListenerTerms
    counts: MllpStats

    def forget(self, connection: Connection) -> None:
        """Count a lost connection out."""

    def start_task(
        self, work: Coroutine[None, None, bytes | None], on_end: Callable[[], None]
    ) -> asyncio.Task[bytes | None]:
        """Run an answer that outlives its connection: a journal write is never cut short."""
