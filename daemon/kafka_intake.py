"""The clerk of the topics: judge the records of a batch, store all of them in one transaction.

Rule: what is returned may be committed, so nothing is returned before the journal has all of it. A
bad record is stored as REJECTED and told of, and never keeps back the next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from daemon.journal_batches import Fetched
from interfaces.kafka_contract import Partition
from mappings.kafka_record import door_of, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.clock import Clock
    from daemon.journal_batches import Taken
    from daemon.journal_ports import DoorJournal
    from daemon.kafka_dead_letters import DeadLetters
    from daemon.metrics import Metrics
    from mappings.kafka_record import KafkaRecord, ReadRecord, TopicRules

log = structlog.get_logger()
INLINE_BYTES_MAX = 65_536
"""A larger batch is judged on a thread, so that the answers of MLLP senders do not wait."""


class KafkaIntake:
    """Takes the records of all topics.

    Args:
        journal: Where they are kept.
        rules: Of each topic.
        dead_letters: What is owed for those refused.
        clock: When they came.
        metrics: Counts each as the messages of any door.
        wake_mapping: Called when there is something to map.
        wake_outbox: Called when a dead letter is owed.
    """

    def __init__(
        self,
        journal: DoorJournal,
        rules: Mapping[str, TopicRules],
        dead_letters: DeadLetters,
        *,
        clock: Clock,
        metrics: Metrics,
        wake_mapping: Callable[[], None],
        wake_outbox: Callable[[], None],
    ) -> None:
        """Take what a record passes through."""
        self._journal = journal
        self._rules = rules
        self._dead_letters = dead_letters
        self._clock = clock
        self._metrics = metrics
        self._wake_mapping = wake_mapping
        self._wake_outbox = wake_outbox

    async def keep(self, records: Sequence[KafkaRecord]) -> dict[Partition, int]:
        """Store a batch, in the order of each partition.

        Returns:
            The offset to go on from, for each partition that is in the batch.

        Raises:
            JournalUnavailableError: Nothing of it was stored, or nobody knows; the batch is fetched
                again, and what was stored is found there.
        """
        if sum(len(record.value or b"") for record in records) > INLINE_BYTES_MAX:
            read = await asyncio.to_thread(self._read, records)
        else:
            read = self._read(records)
        batch = [fetched for each in read for fetched in self._plan(each)]
        taken = await self._journal.receive_all(batch) if batch else ()
        for fetched, outcome in zip(batch, taken, strict=True):
            self._tell(fetched, outcome)
        for record, each in zip(records, read, strict=True):
            self._tell_skipped(record, each)
        return {Partition(record.topic, record.partition): record.offset + 1 for record in records}

    def _read(self, records: Sequence[KafkaRecord]) -> list[ReadRecord]:
        now = self._clock.now()
        return [read_record(record, self._rules[record.topic], now) for record in records]

    def _plan(self, read: ReadRecord) -> list[Fetched]:
        return [
            Fetched(raw)
            if fault is None
            else Fetched(raw, *fault, self._dead_letters.plan(raw, *fault))
            for raw, fault in read.messages
        ]

    def _tell(self, fetched: Fetched, taken: Taken) -> None:
        raw, message_id = fetched.raw, taken.message_id
        door, peer = raw.door, raw.origin
        if taken.is_place_reused:
            log.warning("kafka.place_reused", message_id=message_id, door=door, peer=peer)
        if taken.is_duplicate:
            self._count(door, "duplicate")
            log.info("journal.duplicate_received", message_id=message_id, door=door, peer=peer)
        elif fetched.reason is not None:
            self._count(door, "refused")
            log.warning(
                "kafka.record_refused",
                message_id=message_id,
                door=door,
                peer=peer,
                reason=fetched.reason,
                where=fetched.where,
            )
            self._wake_outbox()
        else:
            self._count(door, "accepted")
            log.info(
                "journal.message_received",
                message_id=message_id,
                door=door,
                peer=peer,
                bytes=len(raw.payload),
            )
            self._wake_mapping()
        if taken.is_control_id_reused:
            log.warning("journal.control_id_reused", message_id=message_id, door=door, peer=peer)

    def _tell_skipped(self, record: KafkaRecord, read: ReadRecord) -> None:
        if read.skipped is not None:
            self._count(door_of(record.topic), "skipped")
            log.info(
                "kafka.record_skipped",
                door=door_of(record.topic),
                peer=record.place,
                reason=read.skipped,
            )

    def _count(self, door: str, result: str) -> None:
        self._metrics.messages.labels(door=door, result=result).inc()
