"""The clerk of the topics: what is stored, counted, told and owed for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.errors import JournalUnavailableError
from daemon.kafka_dead_letters import DeadLetters
from daemon.kafka_intake import INLINE_BYTES_MAX, KafkaIntake
from daemon.lifecycle import State
from daemon.metrics import Metrics
from interfaces.kafka_contract import Partition
from mappings.kafka_record import KafkaRecord, TopicRules
from tests.integration.kafka_sides import make_oru

if TYPE_CHECKING:
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock


class Clerk:
    """An intake over a real journal, and what it woke."""

    def __init__(self, journal: SqliteJournal, clock: HandClock) -> None:
        self.woken: list[str] = []
        self.metrics = Metrics()
        self.intake = KafkaIntake(
            journal,
            {"t": TopicRules(), "u": TopicRules()},
            DeadLetters(".dlq"),
            clock=clock,
            metrics=self.metrics,
            wake_mapping=lambda: self.woken.append("mapping"),
            wake_outbox=lambda: self.woken.append("outbox"),
        )

    def count(self, result: str) -> float:
        return self.metrics.messages.labels(door="kafka:t", result=result)._value.get()


@pytest.fixture
def clerk(journal: SqliteJournal, clock: HandClock) -> Clerk:
    return Clerk(journal, clock)


def at(offset: int, value: bytes | None, topic: str = "t", partition: int = 0) -> KafkaRecord:
    return KafkaRecord(topic, partition, offset, None, value)


async def test_a_batch_gives_the_offsets_to_commit(clerk: Clerk, journal: SqliteJournal) -> None:
    offsets = await clerk.intake.keep(
        [
            at(3, make_oru("A")),
            at(4, b"no hl7"),
            at(5, None),
            at(9, make_oru("B"), partition=1),
            at(0, make_oru("C"), topic="u"),
        ]
    )

    assert offsets == {Partition("t", 0): 6, Partition("t", 1): 10, Partition("u", 0): 1}
    assert (await journal.counts())[State.RECEIVED] == 3
    assert [clerk.count(result) for result in ("accepted", "refused", "skipped")] == [2, 1, 1]
    assert set(clerk.woken) == {"mapping", "outbox"}


async def test_a_batch_of_tombstones_needs_no_disk(clerk: Clerk, journal: SqliteJournal) -> None:
    before = journal.writer.transactions

    assert await clerk.intake.keep([at(0, None), at(1, None)]) == {Partition("t", 0): 2}
    assert journal.writer.transactions == before


async def test_a_batch_that_comes_again_wakes_nobody(clerk: Clerk) -> None:
    batch = [at(0, make_oru("A")), at(1, b"no hl7")]
    await clerk.intake.keep(batch)
    clerk.woken.clear()
    await clerk.intake.keep(batch)

    assert clerk.woken == []
    assert clerk.count("duplicate") == 2


async def test_a_disk_that_takes_nothing_gives_no_offsets(
    clerk: Clerk, journal: SqliteJournal
) -> None:
    await journal.close()

    with pytest.raises(JournalUnavailableError):
        await clerk.intake.keep([at(0, make_oru("A"))])
    assert clerk.count("accepted") == 0


async def test_other_content_at_a_known_place_is_told_and_no_patient_is(
    clerk: Clerk, canary_name: str
) -> None:
    with structlog.testing.capture_logs() as lines:
        await clerk.intake.keep([at(0, make_oru("A"))])
        await clerk.intake.keep([at(0, make_oru("B"))])
        await clerk.intake.keep([at(1, f"no hl7 {canary_name}".encode())])

    events = [line["event"] for line in lines]
    assert "kafka.place_reused" in events
    assert "kafka.record_refused" in events
    assert canary_name not in str(lines)


async def test_a_large_batch_is_judged_all_the_same(clerk: Clerk, journal: SqliteJournal) -> None:
    value = make_oru("A") + b"NTE|1||" + b"x" * INLINE_BYTES_MAX + b"\r"
    await clerk.intake.keep([at(0, value)])

    assert (await journal.counts())[State.RECEIVED] == 1
