"""The MLLP listener: accepts connections within its limits, and drains them at the end.

It knows frames only: what an answer says, and when it may be given, is the handler's.

Standard: Minimal Lower Layer Protocol, Release 1; TCP port 2575 is IANA's ``hl7``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from interfaces.mllp_admission import Admission, HostList
from interfaces.mllp_connection import MllpConnection
from interfaces.mllp_contract import ListenerTerms, MllpStats
from interfaces.mllp_entrance import MllpEntrance

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from interfaces.mllp_contract import Connection, ListenerLimits, MessageHandler

log = structlog.get_logger()

_BACKLOG = 256
_CANCEL_S = 1.0


class MllpServer:
    """One listening port.

    Args:
        handler: Gives the answers.
        limits: What the port bears.
        terms: On what terms a connection is taken.
        door: The listener's name, for logs and for the handler.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.

    Raises:
        ValueError: ``terms.allow_hosts`` has a text that is neither an address nor a network.
    """

    def __init__(
        self,
        handler: MessageHandler,
        limits: ListenerLimits,
        terms: ListenerTerms = ListenerTerms(),  # noqa: B008 - frozen
        *,
        door: str,
        host: str = "127.0.0.1",
        port: int = 2575,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.terms = terms
        self.door = door
        self.counts = MllpStats()
        self.admission = Admission(door, limits, HostList(terms.allow_hosts), self.counts)
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[bytes | None]] = set()
        self._something_ended = asyncio.Event()

    @property
    def port(self) -> int:
        """The bound port."""
        return self._port

    @property
    def stats(self) -> MllpStats:
        """A copy of the counts, as they are now."""
        return replace(
            self.counts,
            connections=len(self.admission.connections),
            in_flight=len(self._tasks),
            connections_refused=Counter(self.counts.connections_refused),
            frames_rejected=Counter(self.counts.frames_rejected),
        )

    @property
    def is_answering(self) -> bool:
        """Whether a sender waits for an answer now."""
        return bool(self._tasks)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OSError: The address cannot be bound.
        """
        self._server = await asyncio.get_running_loop().create_server(
            lambda: MllpEntrance(self, MllpConnection(self), self.admission),
            self._host,
            self._port,
            backlog=_BACKLOG,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        log.info("mllp.listener_started", door=self.door, host=self._host, port=self._port)

    async def drain(self, deadline_s: float) -> None:
        """Stop accepting and reading, send the answers in flight, close.

        Args:
            deadline_s: After this, connections are cut and answers that still run are cancelled:
                their senders got no answer and send again.
        """
        self.admission.is_closed = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.admission.connections):
            connection.drain()
        await self._wait_for_end(deadline_s)
        unfinished = list(self._tasks)
        for connection in list(self.admission.connections):
            connection.abort("drain_deadline")
        for task in unfinished:
            task.cancel()
        await self._wait_for_end(_CANCEL_S)
        log.info("mllp.listener_drained", door=self.door, count=len(unfinished))

    def forget(self, connection: Connection) -> None:
        """Count a lost connection out."""
        self.admission.leave(connection)
        self._something_ended.set()

    def start_task(
        self, work: Coroutine[None, None, bytes | None], on_end: Callable[[], None]
    ) -> asyncio.Task[bytes | None]:
        """Run an answer that outlives its connection: a journal write is never cut short."""

        def end(task: asyncio.Task[bytes | None]) -> None:
            self._tasks.discard(task)
            self._something_ended.set()
            on_end()

        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(end)
        return task

    async def _wait_for_end(self, deadline_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.admission.connections or self._tasks:
                    self._something_ended.clear()
                    await self._something_ended.wait()
