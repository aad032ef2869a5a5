"""Fuzzing over a real socket, into the real journal: every yes must be found there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from daemon.clock import SystemClock
from daemon.journal_codec import storable
from daemon.journal_sqlite import open_journal
from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame
from interfaces.mllp_contract import ListenerLimits
from interfaces.mllp_server import MllpServer
from mappings.hl7_ack import parse_ack
from tests.fuzz.frames import ID, TEMPLATES, make_frame
from tests.fuzz.reader_fuzz import (
    BATCH,
    DOOR,
    FRAME_BYTES_MAX,
    BrokenPromiseError,
    acknowledged,
    make_intake,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONNECTIONS = 8
ANSWER_TIMEOUT_S = 60
_YES = ("AA", "CA")


@dataclass
class DoorTally:
    """What came back. ``accepted`` are the control ids of every yes."""

    frames: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    accepted: set[bytes] = field(default_factory=set)
    connections_lost: int = 0
    stored: int = 0


class _Client:
    """Sends batches, each with a good message at its end whose answer says that all are done."""

    def __init__(self, port: int, tally: DoorTally, seed: int) -> None:
        self._port = port
        self._tally = tally
        self._seed = seed
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._decoder = FrameDecoder(FRAME_BYTES_MAX)

    async def send_batch(self, first: int) -> None:
        sentinel = b"S%d" % first
        frames = [make_frame(self._seed, number) for number in range(first, first + BATCH)]
        last = encode_frame(TEMPLATES[0].replace(ID, sentinel))
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                # A line end parts the good message from garbage that has no frame of its own.
                writer.write(b"".join(frames) + b"\r" + last)
                await self._read_answers(reader, sentinel)
        except TimeoutError:
            raise BrokenPromiseError("a good message got no answer", first) from None
        except OSError:
            self._lose()
        self._tally.frames += BATCH

    async def _read_answers(self, reader: asyncio.StreamReader, sentinel: bytes) -> None:
        while True:
            data = await reader.read(65536)
            if not data:
                self._lose()
                return
            for event in self._decoder.receive(data):
                assert isinstance(event, FrameReceived), "answers are whole frames"
                ack = parse_ack(event.payload)
                self._tally.codes[ack.code] += 1
                if ack.code in _YES:
                    self._tally.accepted.add(acknowledged(event.payload))
                if ack.control_id == sentinel:
                    return

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._decoder = FrameDecoder(FRAME_BYTES_MAX)
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams

    def _lose(self) -> None:
        """Count a connection that the door closed; the next batch opens another."""
        self._tally.connections_lost += 1
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def fuzz_door(
    seed: int, count: int, folder: Path, on_batch: Callable[[int], None] = lambda _: None
) -> DoorTally:
    """Send ``count`` frames to a real listener with a real journal in ``folder``.

    Raises:
        BrokenPromiseError: A good message got no answer, or a yes is not in the journal.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    path = folder / "journal.sqlite"
    journal = open_journal(path, clock=SystemClock())
    intake, _ = make_intake(journal)
    door = MllpServer(intake, ListenerLimits(frame_bytes_max=FRAME_BYTES_MAX), door=DOOR, port=0)
    await door.start()
    tally = DoorTally()
    batches = iter(range(0, count, BATCH))
    try:
        await asyncio.gather(
            *(_work(_Client(door.port, tally, seed), batches, on_batch) for _ in range(CONNECTIONS))
        )
    finally:
        await door.drain(10)
        await journal.close()
    tally.stored = _check_stored(path, tally.accepted)
    return tally


async def _work(client: _Client, batches: Iterator[int], on_batch: Callable[[int], None]) -> None:
    with contextlib.closing(client):
        for first in batches:
            await client.send_batch(first)
            on_batch(BATCH)


def _check_stored(path: Path, accepted: set[bytes]) -> int:
    """Look for every accepted control id in the closed journal; return how many it accepted."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT message_control_id FROM message WHERE is_refused = 0")
        stored = [row[0] for row in rows]
    missing = {storable(control_id.decode("latin-1")) for control_id in accepted} - set(stored)
    if missing:
        raise BrokenPromiseError(f"{len(missing)} messages got a yes and are not stored", 0)
    return len(stored)
