"""The Kafka door: fetch, keep in the journal, commit; again and again, whatever the brokers do.

Rules: committed is only what the journal has. A commit that fails is counted and forgotten: the
records come again and are known. While the model has not caught up, fetching is paused and polling
goes on, so that the group does not give our partitions away. No trouble of Kafka stops another
door. Order at the end: stop fetching, keep what is in hand, commit it, leave the group.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.errors import JournalUnavailableError
from daemon.kafka_stats import KafkaStats
from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import Partition
from mappings.kafka_offsets import OffsetBook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.clock import Clock
    from daemon.config_kafka import KafkaBacklog
    from daemon.journal_ports import DoorJournal
    from interfaces.kafka_contract import Lag
    from mappings.kafka_offsets import Jump
    from mappings.kafka_record import KafkaRecord

log = structlog.get_logger()
FETCH_WAIT_S = 0.5
BACKLOG_LOOK_S = 1.0
"""Between two looks at the journal's backlog: what comes in meanwhile goes over the mark."""
LAG_LOOK_S = 10.0
DISK_WAIT_S = 1.0
CONNECT_WAIT_MIN_S, CONNECT_WAIT_MAX_S = 1.0, 30.0


class Source(Protocol):
    """Where records come from; see ``interfaces.kafka_source.KafkaSource``."""

    is_paused: bool
    generation: int

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours now."""

    async def start(self) -> None:
        """Connect and join the group."""

    async def fetch(self, wait_s: float) -> list[KafkaRecord]:
        """Return the next records."""

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Say that everything below ``offsets`` is kept."""

    def rewind(self, records: Sequence[KafkaRecord]) -> None:
        """Fetch these records again."""

    def pause(self) -> None:
        """Fetch nothing."""

    def resume(self) -> None:
        """Fetch again."""

    def fetched_at_ms(self) -> int:
        """Return when a broker last answered a fetch."""

    async def committed(self) -> dict[Partition, int]:
        """Return how far the group had read each of our partitions."""

    async def measure_lag(self) -> dict[Partition, Lag]:
        """Ask what we have not read."""

    async def stop(self) -> None:
        """Leave the group and close."""


class Keeper(Protocol):
    """Keeps records; see ``daemon.kafka_intake.KafkaIntake``."""

    async def keep(self, records: Sequence[KafkaRecord]) -> dict[Partition, int]:
        """Store a batch and return the offsets to commit."""


class KafkaDoor:
    """Runs one consumer.

    Args:
        source: Where records come from.
        keeper: What keeps them.
        journal: Asked for its backlog.
        clock: For waits and ages.
        backlog: When fetching is paused.
        stalled_s: Connect afresh when no fetch was answered for so long.
    """

    def __init__(
        self,
        source: Source,
        keeper: Keeper,
        journal: DoorJournal,
        *,
        clock: Clock,
        backlog: KafkaBacklog,
        stalled_s: float,
    ) -> None:
        """Take the parts; nothing is opened."""
        self.stats = KafkaStats(answered_s=clock.monotonic_s())
        self._source = source
        self._keeper = keeper
        self._journal = journal
        self._clock = clock
        self._backlog = backlog
        self._stalled_s = stalled_s
        self._book = OffsetBook()
        self._generation = 0
        self._fetched_at_ms = 0
        self._looked_s = float("-inf")
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a broker that is away is waited for."""
        self._task = asyncio.create_task(self._run())

    async def drain(self, deadline_s: float) -> None:
        """Fetch no more, keep and commit what is in hand, leave the group."""
        self._stop.set()
        if self._task is None:
            return
        _done, late = await asyncio.wait({self._task}, timeout=deadline_s)
        for task in late:
            task.cancel()
            log.warning("kafka.drain_abandoned")
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """Connect again and again, at longer and longer intervals."""
        wait_s = CONNECT_WAIT_MIN_S
        while not self._stop.is_set():
            started_s = self._clock.monotonic_s()
            try:
                await self._run_connected()
            except Exception as error:  # noqa: BLE001 - the door's top: it outlives whatever it was
                self._tell_failed(error, wait_s)
            if self._clock.monotonic_s() - started_s > self._stalled_s:
                wait_s = CONNECT_WAIT_MIN_S
            await self._sleep(wait_s)
            wait_s = min(CONNECT_WAIT_MAX_S, 2 * wait_s)

    def _tell_failed(self, error: Exception, wait_s: float) -> None:
        self.stats.connects_failed += 1
        log.error(
            "kafka.connection_failed",
            reason=error.reason if isinstance(error, BrokerRetryError) else "unexpected",
            where=error.where if isinstance(error, BrokerRetryError) else None,
            error_class=type(error).__name__,
            retry_after_s=wait_s,
        )

    async def _run_connected(self) -> None:
        self.stats.state = "connecting"
        watching: asyncio.Task[None] | None = None
        try:
            await self._source.start()
            self._note_answer()
            log.info("kafka.connected", count=len(self._source.assigned))
            watching = asyncio.create_task(self._watch_lag())
            while not self._stop.is_set():
                await self._take_turn()
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await self._source.stop()
            self.stats.partitions = 0

    async def _take_turn(self) -> None:
        await self._heed_assignment()
        await self._heed_backlog()
        records = await self._source.fetch(FETCH_WAIT_S)
        self._heed_silence()
        if not records:
            return
        jumps = self._book.note(records)
        try:
            offsets = await self._keeper.keep(records)
        except JournalUnavailableError as error:
            log.error("kafka.batch_unstored", count=len(records), reason=error.reason)
            self._source.rewind(records)
            self._book.rewind(records)
            await self._sleep(DISK_WAIT_S)
            return
        await self._commit(offsets)
        if jumps:
            await self._tell_jumps(jumps)

    async def _commit(self, offsets: Mapping[Partition, int]) -> None:
        try:
            await self._source.commit(offsets)
        except BrokerRetryError as error:
            self.stats.commits_failed += 1
            log.warning("kafka.commit_failed", reason=error.reason, where=error.where)

    async def _heed_assignment(self) -> None:
        """Learn where the group stands in partitions that have become ours."""
        if self._source.generation == self._generation:
            return
        generation = self._source.generation
        self.stats.partitions = len(self._source.assigned)
        with suppress(BrokerRetryError):  # what is known of them must do
            self._book.learn((await self._source.committed()).items())
        self._generation = generation
        self.stats.assignments += 1
        log.info("kafka.partitions_assigned", count=self.stats.partitions)

    async def _heed_backlog(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < BACKLOG_LOOK_S:
            return
        self._looked_s = now_s
        try:
            waiting = await self._journal.backlog()
        except JournalUnavailableError:
            return
        if not self._source.is_paused and waiting > self._backlog.pause_above:
            self._source.pause()
            log.warning("kafka.fetching_paused", count=waiting)
        elif self._source.is_paused and waiting < self._backlog.resume_below:
            self._source.resume()
            self._note_answer()
            log.info("kafka.fetching_resumed", count=waiting)

    def _heed_silence(self) -> None:
        """Note when a broker answered; give the connection up after too long a silence."""
        fetched_at_ms = self._source.fetched_at_ms()
        if fetched_at_ms > self._fetched_at_ms:
            self._fetched_at_ms = fetched_at_ms
            self._note_answer()
        silent_s = self._clock.monotonic_s() - self.stats.answered_s
        if silent_s > self._stalled_s:
            self._note_answer()
            raise BrokerRetryError("stalled")
        if silent_s > self._stalled_s / 4:
            self.stats.state = "stalled"
        else:
            self.stats.state = "paused" if self._source.is_paused else "running"

    def _note_answer(self) -> None:
        self.stats.answered_s = self._clock.monotonic_s()

    async def _watch_lag(self) -> None:
        """Ask now and then how far behind we are; while nothing is fetched, the sign of life."""
        while True:
            with suppress(BrokerRetryError):
                lags = await self._source.measure_lag()
                by_topic: dict[str, int] = {}
                for partition, lag in lags.items():
                    by_topic[partition.topic] = by_topic.get(partition.topic, 0) + lag.records
                self.stats.lag = by_topic
                if self._source.is_paused or not lags:
                    self._note_answer()
            await asyncio.sleep(LAG_LOOK_S)

    async def _tell_jumps(self, jumps: Sequence[Jump]) -> None:
        """Alert on an offset that was reset; a gap in the middle of a topic is none."""
        oldest: Mapping[Partition, Lag] = {}
        if not all(jump.is_back for jump in jumps):
            with suppress(BrokerRetryError):
                oldest = await self._source.measure_lag()
        for jump in jumps:
            lag = oldest.get(Partition(jump.topic, jump.partition))
            kind = "back" if jump.is_back else "lost"
            if not jump.is_back and (lag is None or lag.oldest <= jump.expected):
                continue
            self.stats.resets[jump.topic, kind] += 1
            log.error(
                "kafka.offset_reset",
                door=f"kafka:{jump.topic}",
                reason=kind,
                count=abs(jump.found - jump.expected),
            )

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not when told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
