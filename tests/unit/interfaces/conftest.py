"""A listener on a free port, and senders that connect to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interfaces.mllp_contract import ListenerLimits, ListenerTerms
from interfaces.mllp_server import MllpServer
from tests.unit.interfaces.mllp_peers import Handler, Peer

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.unit.interfaces.mllp_peers import Connect, Serve

TERMS = ListenerTerms()


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
async def serve(handler: Handler) -> AsyncIterator[Serve]:
    servers: list[MllpServer] = []

    async def start(terms: ListenerTerms = TERMS, **limits: float) -> MllpServer:
        server = MllpServer(handler, ListenerLimits(**limits), terms, door="test", port=0)  # type: ignore[arg-type]
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.drain(0)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    writers: list[asyncio.StreamWriter] = []

    async def open_peer(
        server: MllpServer, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None
    ) -> Peer:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=(host, 0), ssl=tls
        )
        writers.append(writer)
        return Peer(reader, writer)

    yield open_peer
    for writer in writers:
        writer.transport.abort()
