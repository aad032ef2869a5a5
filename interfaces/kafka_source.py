"""Records from Kafka: an asyncio shell around aiokafka's consumer, in which nothing waits for ever.

Rules: every call to the brokers has an end, because several of aiokafka's have none. Records are
taken one by one: an error in the middle of a larger step makes aiokafka pass over what it had
already taken out of its buffer. The rebalance listener waits for nothing. The heartbeat runs on
this event loop: whatever holds the loop longer than ``session_s`` costs us our partitions.

Standard: Kafka's classic group protocol, at-least-once: fetch, keep, commit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import Lag, Partition
from interfaces.kafka_faults import is_undecodable, reason_of
from interfaces.kafka_security import client_arguments
from mappings.kafka_record import KafkaRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from interfaces.kafka_contract import SourceTerms

Client: TypeAlias = Any
"""aiokafka's consumer: most of its methods have no types."""
log = structlog.get_logger()
GRACE_S = 5.0
"""A fetch may take this much longer than it was told to wait: a rebalance holds it up."""
TRIES_MAX = 3
"""Fetches of a batch that cannot be decoded before its first record is passed over."""
LOOK_MS = 100
"""How long each partition is waited for while one of them is known to be broken."""
LOOKS = 20


class _UndecodableError(Exception):
    """What was fetched of a partition cannot be decoded."""


class KafkaSource:
    """One consumer at a time; ``start`` after ``stop`` makes a new one.

    Attributes:
        is_paused: Whether nothing is fetched; kept over rebalances.
        generation: Counts assignments: when it changes, other partitions are ours.
    """

    def __init__(self, terms: SourceTerms) -> None:
        """Take what to read; nothing is opened."""
        self.is_paused = False
        self.generation = 0
        self._terms = terms
        self._consumer: Client | None = None
        self._tries: Counter[Partition] = Counter()
        self._looks_left = 0
        self._turn = 0

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours now."""
        if self._consumer is None:
            return frozenset()
        return frozenset(Partition(*each) for each in self._consumer.assignment())

    async def start(self) -> None:
        """Connect and join the group.

        Raises:
            BrokerRetryError: That did not work; nothing is left open.
        """
        consumer = self._make_consumer()
        try:
            async with asyncio.timeout(2 * self._terms.brokers.request_s):
                await consumer.start()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told by its class
            await self._close(consumer)
            raise BrokerRetryError(reason_of(error)) from None
        except asyncio.CancelledError:
            await self._close(consumer)
            raise
        self._consumer = consumer
        if self.is_paused:
            self.pause()

    async def fetch(self, wait_s: float) -> list[KafkaRecord]:
        """Return the next records, in order within each partition; none after ``wait_s``.

        Raises:
            BrokerRetryError: The brokers, or our right to read.
        """
        taken: list[KafkaRecord] = []
        deadline_s = asyncio.get_running_loop().time() + wait_s
        try:
            async with asyncio.timeout_at(deadline_s + GRACE_S):
                await self._take_ready(taken)
                if not taken and not self._looks_left:
                    taken += await self._wait_for_one(wait_s)
                    await self._take_ready(taken)
        except TimeoutError:
            return taken
        return taken

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Say that everything below ``offsets`` is kept. Partitions not ours any more are left out.

        Raises:
            BrokerRetryError: It was not recorded: the records will be fetched again.
        """
        consumer = self._get_consumer()
        ours = {_theirs(each): offset for each, offset in offsets.items() if each in self.assigned}
        try:
            async with asyncio.timeout(self._terms.commit_s):
                await consumer.commit(ours)
        except Exception as error:  # noqa: BLE001 - whatever it is, the records come again
            raise BrokerRetryError("commit_failed", reason_of(error)) from None

    def rewind(self, records: Sequence[KafkaRecord]) -> None:
        """Fetch these records again."""
        consumer = self._get_consumer()
        for record in reversed(records):
            partition = Partition(record.topic, record.partition)
            if partition in self.assigned:
                consumer.seek(_theirs(partition), record.offset)

    def pause(self) -> None:
        """Fetch nothing; the membership stays as long as ``fetch`` is called."""
        self.is_paused = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Fetch again."""
        self.is_paused = False
        if self._consumer is not None:
            self._consumer.resume(*self._consumer.assignment())

    def fetched_at_ms(self) -> int:
        """Return when a broker last answered a fetch, by the machine's clock; 0 when none has."""
        if self._consumer is None:
            return 0
        times = [self._consumer.last_poll_timestamp(each) for each in self._consumer.assignment()]
        return max((int(time) for time in times if time), default=0)

    async def committed(self) -> dict[Partition, int]:
        """Return how far the group had read each of our partitions, where it has read any.

        Raises:
            BrokerRetryError: The brokers did not say in time.
        """
        consumer = self._get_consumer()
        try:
            async with asyncio.timeout(self._terms.commit_s):
                found = {each: await consumer.committed(_theirs(each)) for each in self.assigned}
        except Exception as error:  # noqa: BLE001 - asked again another time
            raise BrokerRetryError(reason_of(error)) from None
        return {each: offset for each, offset in found.items() if offset is not None}

    async def measure_lag(self) -> dict[Partition, Lag]:
        """Ask the brokers what we have not read of our partitions.

        Raises:
            BrokerRetryError: They did not say in time.
        """
        consumer = self._get_consumer()
        try:
            async with asyncio.timeout(self._terms.commit_s):
                ours = list(consumer.assignment())
                if not ours:
                    await consumer.topics()  # to hear from a broker at all
                    return {}
                ends = await consumer.end_offsets(ours)
                begins = await consumer.beginning_offsets(ours)
                read = {each: await consumer.position(each) for each in ours}
        except Exception as error:  # noqa: BLE001 - asked again another time
            raise BrokerRetryError(reason_of(error)) from None
        return {
            Partition(*each): Lag(max(0, ends[each] - read[each]), begins[each]) for each in ours
        }

    async def stop(self) -> None:
        """Leave the group and close; abandon what does not end in ``stop_s``."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._close(consumer)

    async def _close(self, consumer: Client) -> None:
        try:
            async with asyncio.timeout(self._terms.brokers.stop_s):
                await consumer.stop()
        except Exception as error:  # noqa: BLE001 - it is of no more use
            log.warning("kafka.client_abandoned", reason=reason_of(error))

    def _make_consumer(self) -> Client:
        from aiokafka import AIOKafkaConsumer

        terms = self._terms
        consumer = AIOKafkaConsumer(
            **client_arguments(terms.brokers),
            group_id=terms.group,
            group_instance_id=terms.instance,
            enable_auto_commit=False,
            auto_offset_reset=terms.start_at,
            isolation_level="read_committed",
            max_partition_fetch_bytes=terms.partition_bytes_max,
            fetch_max_bytes=terms.fetch_bytes_max,
            fetch_max_wait_ms=250,
            session_timeout_ms=int(terms.session_s * 1000),
            heartbeat_interval_ms=int(terms.heartbeat_s * 1000),
            rebalance_timeout_ms=int(terms.rebalance_s * 1000),
        )
        consumer.subscribe(list(terms.topics), listener=_make_listener(self))
        return consumer

    def _get_consumer(self) -> Client:
        if self._consumer is None:
            raise BrokerRetryError("broker_unreachable")
        return self._consumer

    async def _take_ready(self, taken: list[KafkaRecord]) -> None:
        """Add what is fetched already, of one partition after another, to ``taken``."""
        size = sum(_size_of(record) for record in taken)
        wait_ms = LOOK_MS if self._looks_left else 0
        self._looks_left = max(0, self._looks_left - 1)
        for partition in self._in_turn():
            try:
                while len(taken) < self._terms.records_max and size < self._terms.batch_bytes_max:
                    found = await self._ask(_theirs(partition), wait_ms=wait_ms)
                    if not found:
                        break
                    taken += found
                    size += _size_of(found[0])
            except _UndecodableError:
                self._looks_left = LOOKS
                taken += await self._pass_over(partition)
                return

    async def _wait_for_one(self, wait_s: float) -> list[KafkaRecord]:
        try:
            return await self._ask(wait_ms=int(wait_s * 1000))
        except _UndecodableError:
            self._looks_left = LOOKS  # which partition it was shows when each is asked by itself
            return []

    async def _ask(self, *partitions: Client, wait_ms: int) -> list[KafkaRecord]:
        try:
            found = await self._get_consumer().getmany(
                *partitions, timeout_ms=wait_ms, max_records=1
            )
        except Exception as error:  # noqa: BLE001 - sorted into two
            if is_undecodable(error):
                raise _UndecodableError from None
            raise BrokerRetryError(reason_of(error)) from None
        return [_record_of(record) for records in found.values() for record in records]

    async def _pass_over(self, partition: Partition) -> list[KafkaRecord]:
        """Fetch again what could not be decoded; after some tries, give its first record up."""
        consumer = self._get_consumer()
        offset = await consumer.position(_theirs(partition))
        self._tries[partition] += 1
        is_lost = self._tries[partition] >= TRIES_MAX
        consumer.seek(_theirs(partition), offset + 1 if is_lost else offset)
        if not is_lost:
            return []
        del self._tries[partition]
        return [KafkaRecord(partition.topic, partition.number, offset, is_readable=False)]

    def _in_turn(self) -> list[Partition]:
        """Return our partitions, each time another one first; a broken one before all."""
        ours = sorted(self.assigned)
        self._turn += 1
        first = self._turn % len(ours) if ours else 0
        rotated = ours[first:] + ours[:first]
        return sorted(rotated, key=lambda each: each not in self._tries)


def _make_listener(source: KafkaSource) -> Client:
    from aiokafka import ConsumerRebalanceListener

    class Listener(ConsumerRebalanceListener):
        """Waits for nothing: what it would wait for may wait for the rebalance."""

        def on_partitions_revoked(self, _revoked: object) -> None:
            """Commits of what was revoked fail from here on; the records come again elsewhere."""

        def on_partitions_assigned(self, _assigned: object) -> None:
            source.generation += 1
            if source.is_paused:
                source.pause()

    return Listener()


def _theirs(partition: Partition) -> Client:
    from aiokafka import TopicPartition

    return TopicPartition(*partition)


def _size_of(record: KafkaRecord) -> int:
    return len(record.value or b"")


def _record_of(record: Client) -> KafkaRecord:
    return KafkaRecord(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers
    )
