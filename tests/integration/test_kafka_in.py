"""Kafka in against real brokers: nothing lost, nothing twice, whatever a record or a broker does.

The brokers are stand-ins that speak Kafka's protocol (see brokers.py); set TEST_PRELIM_KAFKA to run
the same against another.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import uuid
from typing import TYPE_CHECKING

import pytest
import structlog

from daemon.lifecycle import State
from tests.integration.brokers import (
    any_kind,
    create_topic,
    find_broker,
    free_port,
    produce,
    produce_undecodable,
    read_committed,
    read_topic,
    running_broker,
    tls_proxy,
)
from tests.integration.kafka_sides import QUICK, make_oru, running_side, until
from tests.samples.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["any_kind"]
OUTAGE_S = float(os.environ.get("TEST_PRELIM_OUTAGE_S", "2"))
pytestmark = [pytest.mark.integration, pytest.mark.process]


@pytest.fixture
def topic() -> str:
    return f"reports-{uuid.uuid4().hex[:8]}"


async def test_records_are_in_the_journal_before_they_are_committed_and_none_is_missing(
    any_kind: str, tmp_path: Path, topic: str
) -> None:
    async with running_broker(any_kind, tmp_path) as broker:
        await create_topic(broker, topic, 4)
        await produce(broker, topic, [make_oru(f"A{n}") for n in range(200)])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(200)
            found = await side.control_ids()
            trail = await side.journal.trail((await side.rows())[0].message_id)
            accepted = side.count("prelim_messages_total", door=f"kafka:{topic}", result="accepted")
        committed = await read_committed(broker, topic, topic, 4)

    assert found == sorted(f"A{n}" for n in range(200))
    assert accepted == 200
    assert sum(max(0, offset) for offset in committed) == 200
    assert trail.raw.door == f"kafka:{topic}"
    assert trail.raw.origin.startswith(f"kafka:{topic}/")


async def test_a_poison_record_is_kept_and_told_of_and_does_not_stop_the_next(
    any_kind: str, tmp_path: Path, topic: str
) -> None:
    poison = b"this is no HL7: QUETZALCANARY"
    async with running_broker(any_kind, tmp_path) as broker:
        await create_topic(broker, topic)
        await create_topic(broker, f"{topic}.dlq")
        await produce(broker, topic, [make_oru("P1"), poison, make_oru("P2")])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(3)
            (letter,) = await read_topic(broker, f"{topic}.dlq", 1)
            rejected = await side.journal.rows(state=State.REJECTED)
            trail = await side.journal.trail(rejected[0].message_id)
            received = await side.journal.rows(state=State.RECEIVED)
        committed = await read_committed(broker, topic, topic)

    assert letter.value == poison
    assert letter.key == f"kafka:{topic}/0/1".encode()
    headers = dict(letter.headers)
    assert headers["prelim-reason"] == b"not_hl7"
    assert (headers["prelim-topic"], headers["prelim-offset"]) == (topic.encode(), b"1")
    assert "QUETZALCANARY" not in repr((letter.key, letter.headers))
    assert (rejected[0].reason, trail.raw.payload) == ("not_hl7", poison)
    assert {row.message_control_id for row in received} == {"P1", "P2"}
    assert committed == [3]


async def test_records_that_say_nothing_too_much_or_the_wrong_thing_are_each_told(
    tmp_path: Path, topic: str
) -> None:
    named = [("content-type", b"application/hl7-v2; charset=utf-8")]
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await produce(broker, topic, [None])
        await produce(broker, topic, [make_oru("U1")], headers=[("content-type", b"text/csv")])
        await produce(broker, topic, [make_oru("U2")])
        await produce(broker, topic, [make_oru("U3") + b"A" * 9000], headers=named)
        await produce(broker, topic, [make_oru("U4")], headers=named)
        rules = {topic: {"standard": "by-header"}}
        async with running_side(
            broker, tmp_path / "data", rules, group=topic, record_bytes_max=8000
        ) as side:
            await side.wait_for_rows(4)
            rows = await side.rows()
            large = next(row for row in rows if row.reason == "frame_too_large")
            kept = (await side.journal.trail(large.message_id)).raw.payload
            skipped = side.count("prelim_messages_total", result="skipped")
        committed = await read_committed(broker, topic, topic)

    assert sorted(row.reason or "" for row in rows) == [
        "",
        "frame_too_large",
        "standard_missing",
        "standard_unknown",
    ]
    assert next(row.message_control_id for row in rows if row.reason is None) == "U4"
    assert len(kept) == 4096
    assert skipped == 1
    assert committed == [5]


async def test_a_batch_that_nobody_can_decode_is_told_record_by_record_and_passed(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await create_topic(broker, f"{topic}.dlq")
        await produce(broker, topic, [make_oru("G1"), make_oru("G2")])
        await produce_undecodable(broker, topic, 2)
        await produce(broker, topic, [make_oru("G3")])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(5)
            rows = await side.rows()
            letters = await read_topic(broker, f"{topic}.dlq", 2)
        committed = await read_committed(broker, topic, topic)

    lost = [row for row in rows if row.reason == "frame_undecodable"]
    assert sorted(row.message_control_id for row in rows) == ["", "", "G1", "G2", "G3"]
    assert len(lost) == 2
    assert [dict(letter.headers)["prelim-offset"] for letter in letters] == [b"2", b"3"]
    assert committed == [5]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_whatever_a_producer_compresses_with_is_read(
    compression: str, tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await produce(broker, topic, [make_oru("Z1"), make_oru("Z2")], compression=compression)
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(2)
            found = await side.control_ids()

    assert found == ["Z1", "Z2"]


async def test_what_a_producer_took_back_is_never_read(tmp_path: Path, topic: str) -> None:
    from aiokafka import AIOKafkaProducer

    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id="feed")
        await producer.start()
        for control_id, is_kept in (("K1", True), ("GONE", False), ("K2", True)):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, make_oru(control_id))
            await (producer.commit_transaction() if is_kept else producer.abort_transaction())
        await producer.stop()
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(2)
            await produce(broker, topic, [make_oru("K3")])
            await side.wait_for_rows(3)
            found = await side.control_ids()
            resets = side.count("prelim_kafka_offset_resets_total")

    assert found == ["K1", "K2", "K3"]
    assert resets == 0  # the marks of transactions leave gaps, and these are no alert


async def test_a_group_that_must_not_guess_where_to_begin_says_so_and_waits(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await produce(broker, topic, [make_oru("N1")])
        with structlog.testing.capture_logs() as lines:
            async with running_side(
                broker, tmp_path / "data", {topic: {}}, group=topic, start_at="none"
            ) as side:

                async def is_told() -> bool:
                    return side.count("prelim_kafka_connects_failed_total") > 0

                await until(is_told)
                found = await side.control_ids()

    assert found == []
    assert "offset_unknown" in {line.get("reason") for line in lines}


async def test_a_static_member_that_is_back_in_time_goes_on_where_it_was(
    any_kind: str, tmp_path: Path, topic: str
) -> None:
    async with running_broker(any_kind, tmp_path) as broker:
        await create_topic(broker, topic)
        for control_id in ("S1", "S2"):
            await produce(broker, topic, [make_oru(control_id)])
            async with running_side(
                broker, tmp_path / "data", {topic: {}}, group=topic, instance="gateway-1"
            ) as side:
                await side.wait_for_rows(1 if control_id == "S1" else 2)
                found = await side.control_ids()
        committed = await read_committed(broker, topic, topic)

    assert found == ["S1", "S2"]
    assert committed == [2]


async def test_the_same_message_by_another_way_or_offset_is_a_duplicate(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await produce(broker, topic, [make_oru("D1"), make_oru("D1"), make_oru("D1", size=9)])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(2)
            first = (await side.rows())[-1]
            raw = (await side.journal.trail(first.message_id)).raw
            over_mllp = await side.journal.receive(raw, peer="192.0.2.7:40100")
            duplicates = side.count("prelim_messages_total", result="duplicate")

    assert over_mllp.is_duplicate
    assert over_mllp.message_id == first.message_id
    assert duplicates == 1


async def test_a_topic_that_was_made_again_loses_nothing_and_is_alerted(
    tmp_path: Path, topic: str
) -> None:
    """Tansu forgets everything when it ends: the same offsets then hold other content."""
    port = free_port()
    async with running_broker("tansu", tmp_path, port=port) as broker:
        await create_topic(broker, topic)
        await produce(broker, topic, [make_oru(f"O{n}") for n in range(3)])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(3)
            broker.stop()
            await broker.start()
            await create_topic(broker, topic)
            await produce(broker, topic, [make_oru("O0"), make_oru("N1")])
            await side.wait_for_rows(4)

            async def is_alerted() -> bool:
                return side.count("prelim_kafka_offset_resets_total", topic=topic, kind="back") > 0

            await until(is_alerted)
            found = await side.control_ids()

    assert found == ["N1", "O0", "O1", "O2"]


async def test_a_broker_that_goes_away_and_comes_back_costs_nothing(
    tmp_path: Path, topic: str
) -> None:
    """Noida keeps its topics and offsets over a restart; TEST_PRELIM_OUTAGE_S says how long."""
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await create_topic(broker, f"{topic}.dlq")
        await produce(broker, topic, [make_oru("B1"), make_oru("B2")])
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            await side.wait_for_rows(2)
            await broker.wait_until_kept("|B2|")
            broker.stop()
            await asyncio.sleep(OUTAGE_S)
            age_s = side.count("prelim_kafka_fetch_age_seconds")
            await broker.start()
            await produce(broker, topic, [b"poison", make_oru("B3")])
            await side.wait_for_rows(4)
            (letter,) = await read_topic(broker, f"{topic}.dlq", 1)
            found = await side.control_ids()

    assert age_s > OUTAGE_S - 1
    assert found == ["", "B1", "B2", "B3"]
    assert letter.value == b"poison"


async def test_a_daemon_that_starts_without_its_broker_waits_for_it(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        await broker.wait_until_kept(topic)
        broker.stop()
        async with running_side(broker, tmp_path / "data", {topic: {}}, group=topic) as side:
            states = {side.kafka.checks()["kafka"]}
            await broker.start()
            await produce(broker, topic, [make_oru("W1")])
            await side.wait_for_rows(1)
            states.add(side.kafka.checks()["kafka"])

    assert states == {"connecting", "running"}


async def test_fetching_waits_for_the_model_and_the_place_in_the_group_is_kept(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("tansu", tmp_path) as broker:
        await create_topic(broker, topic, 2)
        await produce(broker, topic, [make_oru(f"Q{n}") for n in range(30)])
        backlog = {"pause_above": 5, "resume_below": 3}
        async with running_side(
            broker, tmp_path / "data", {topic: {}}, group=topic, backlog=backlog, records_max=10
        ) as side:

            async def is_paused() -> bool:
                return side.kafka.checks()["kafka"] == "paused"

            await until(is_paused)
            await produce(broker, topic, [make_oru(f"R{n}") for n in range(30)])
            before = len(await side.rows())
            # Longer than the session: a silent member would be put out.
            await asyncio.sleep(QUICK["session_s"] + 0.5)
            after = len(await side.rows())
            for message in await side.journal.pending_messages(1000):
                await side.journal.record_rejected(message.message_id, "test", None)

            async def is_all_there() -> bool:
                for message in await side.journal.pending_messages(1000):
                    await side.journal.record_rejected(message.message_id, "test", None)
                return len(await side.rows()) == 60

            await until(is_all_there)
            failed = side.count("prelim_kafka_connects_failed_total")

    assert before == after < 60
    assert failed == 0


async def test_reports_come_in_over_tls(tmp_path: Path, topic: str) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("broker")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    proxied, port = free_port(), free_port()
    plain_port = free_port()
    tls = {"ca": str(authority.path)}
    async with (
        running_broker("tansu", tmp_path, port=plain_port, advertised=proxied) as broker,
        tls_proxy(context, proxied, plain_port),
    ):
        from aiokafka import AIOKafkaProducer

        client = ssl.create_default_context(cafile=str(authority.path))
        producer = AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, security_protocol="SSL", ssl_context=client
        )
        await producer.start()
        await producer.send_and_wait(topic, make_oru("T1"))
        await producer.stop()
        async with running_side(
            broker, tmp_path / "data", {topic: {}}, group=topic, tls=tls
        ) as side:
            await side.wait_for_rows(1)
            found = await side.control_ids()

    assert found == ["T1"]
    assert port != proxied


@pytest.fixture(autouse=True)
def _brokers_are_there() -> None:
    for kind in ("tansu", "noida"):
        find_broker(kind)
