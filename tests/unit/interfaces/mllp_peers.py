"""A scripted sender and a scripted handler: the two ends between which the listener stands."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame
from interfaces.mllp_contract import Answer, FrameFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from interfaces.mllp_contract import Later
    from interfaces.mllp_server import MllpServer

    Serve = Callable[..., Awaitable[MllpServer]]
    Connect = Callable[..., Awaitable["Peer"]]

MESSAGE = b"MSH|^~\\&|RIS|A|B|C|20260101||ORU^R01|17|P|2.5.1\rOBX|1|TX\r"


class Handler:
    """Answers ``ack:`` and the payload, at once or when its gate is opened."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.taken: list[bytes] = []
        self.refused: list[tuple[bytes, FrameFault]] = []
        self.gates: dict[bytes, asyncio.Event] = {}
        self.finished: list[bytes] = []
        self.later: dict[bytes, Later] = {}
        self.changed = asyncio.Condition()

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:
        assert door == "test"
        assert peer.startswith(self.host + ":")
        async with self.changed:
            self.taken.append(payload)
            self.later[payload] = later
            self.changed.notify_all()
        if payload in self.gates:
            await self.gates[payload].wait()
        if payload == b"boom":
            raise ValueError("CANARY")
        async with self.changed:
            self.finished.append(payload)
            self.changed.notify_all()
        if payload == b"large":
            return Answer((b"x" * 100_000,))
        if payload == b"silent":
            return Answer()
        parts = payload.split(b"+")
        return Answer(tuple(b"ack:" + part[:20] for part in parts), is_stored=True)

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        assert door == "test"
        assert peer.startswith(self.host + ":")
        async with self.changed:
            self.refused.append((head, fault))
            self.changed.notify_all()
        return Answer(() if fault is FrameFault.ABANDONED else (b"nak:" + fault.value.encode(),))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.changed:
            await self.changed.wait_for(condition)


class Peer:
    """A scripted sender."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = FrameDecoder(1_000_000)
        self.answers: list[bytes] = []

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> bytes:
        while not self.answers:
            data = await self.reader.read(65536)
            assert data, "closed without an answer"
            for event in self.decoder.receive(data):
                assert isinstance(event, FrameReceived)
                self.answers.append(event.payload)
        return self.answers.pop(0)

    async def ask(self, payload: bytes) -> bytes:
        await self.send(encode_frame(payload))
        return await self.answer()

    async def is_closed(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionResetError:
            return True

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def gone(server: MllpServer, left: int = 0) -> None:
    """Wait until the server has noticed that connections were lost."""
    while server.stats.connections > left:
        await asyncio.sleep(0.001)  # nothing to wait on: the server tells nobody
