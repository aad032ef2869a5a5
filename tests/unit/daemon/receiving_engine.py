"""An integration engine on a real socket: it keeps what it hears and says what a test wants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from interfaces.mllp_client import sent_control_id
from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Script = Callable[[bytes], list[bytes]]

CLOSE = b"close"


def acknowledgment(code: str, control_id: bytes) -> bytes:
    """Frame an answer."""
    msh = b"MSH|^~\\&|RIS|A|PRELIM||20261121||ACK^R01^ACK|x|P|2.5.1\r"
    return encode_frame(msh + b"MSA|" + code.encode() + b"|" + control_id + b"\r")


def say(*codes: str) -> Script:
    """Answer each message with the next code, the last one for ever; ``-`` is silence and
    ``close`` ends the connection without an answer.
    """
    left = list(codes)

    def script(payload: bytes) -> list[bytes]:
        code = left.pop(0) if len(left) > 1 else left[0]
        if code == "-":
            return []
        return [CLOSE] if code == "close" else [acknowledgment(code, sent_control_id(payload))]

    return script


class ReceivingEngine:
    """Use as an async context."""

    def __init__(
        self, script: Script | None = None, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = script or say("AA")
        self.port = port
        self.tls = tls
        self.heard: list[bytes] = []
        self.connections = 0
        self.arrived = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def control_ids(self) -> list[str]:
        return [sent_control_id(payload).decode() for payload in self.heard]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        # Nothing to wait on: transports let go of their sockets in a later turn of the loop.
        await asyncio.sleep(0.01 if self.tls else 0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        decoder = FrameDecoder(1_000_000)
        while data := await reader.read(65536):
            for event in decoder.receive(data):
                assert isinstance(event, FrameReceived)
                self.heard.append(event.payload)
                self.arrived.set()
                for piece in self.script(event.payload):
                    if piece == CLOSE:
                        writer.close()
                    else:
                        writer.write(piece)
        writer.close()
