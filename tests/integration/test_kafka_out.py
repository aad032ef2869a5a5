"""What leaves for topics, against real brokers: results, dead letters and a broker that is away."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.clock import SystemClock
from daemon.config import Settings
from daemon.journal_sqlite import open_journal
from daemon.kafka_side import KafkaSide
from daemon.lifecycle import State
from daemon.metrics import Metrics
from daemon.outbound import Outbound
from interfaces.errors import SendRefusedError
from interfaces.kafka_contract import BrokerTerms
from interfaces.kafka_producer import KafkaSender
from mappings.kafka_envelope import Envelope
from mappings.sites import SiteSet
from tests.integration.brokers import (
    any_kind,
    create_topic,
    find_broker,
    read_topic,
    running_broker,
)
from tests.integration.kafka_sides import kafka_settings, until
from tests.unit.daemon.journal_samples import bring_to

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

__all__ = ["any_kind"]
pytestmark = [pytest.mark.integration, pytest.mark.process]


@pytest.fixture
def topic() -> str:
    return f"drafts-{uuid.uuid4().hex[:8]}"


def make_sender(broker: Broker) -> KafkaSender:
    terms = BrokerTerms((broker.bootstrap,), request_s=3, stop_s=2)
    return KafkaSender(terms, is_idempotent=broker.is_idempotent, record_bytes_max=100_000)


async def test_a_posted_draft_is_told_once_under_its_report_key_and_again_when_retracted(
    any_kind: str, tmp_path: Path, topic: str
) -> None:
    async with running_broker(any_kind, tmp_path) as broker:
        await create_topic(broker, topic)
        settings = Settings.model_validate(
            {
                "data": tmp_path / "data",
                "fhir": {"write": "put"},
                "kafka": kafka_settings(broker, {}, results_topic=topic),
            }
        )
        clock, metrics = SystemClock(), Metrics()
        kafka, outbound = KafkaSide(settings, clock), Outbound(settings, SiteSet(), clock)
        kafka.join(outbound)
        async with open_journal(tmp_path / "data" / "journal.sqlite", clock=clock) as journal:
            wakened = asyncio.Event()
            outbound.start(journal, metrics, wakened)
            report_id = await bring_to(journal, State.DRAFTED)
            (report,) = await journal.pending_reports(State.DRAFTED, now=clock.now(), limit=9)
            draft = report.observation
            assert draft is not None
            withdrawn = replace(report, retracted_for="report_cancelled")
            owed = [*outbound.plan_posted(report), *outbound.plan_retracted(withdrawn)]
            await journal.record_posted(
                report_id, reference="O/1", version_id="1", outcome="created", deliveries=owed
            )
            wakened.set()
            records = await read_topic(broker, topic, 2)

            async def is_all_sent() -> bool:
                return not await journal.deliveries_due()

            await until(is_all_sent)
            await outbound.drain(5)
            await kafka.close()

    assert [record.key for record in records] == [draft.report_key.encode()] * 2
    assert records[0].value == draft.observation
    assert b'"entered-in-error"' in records[1].value
    events = [dict(record.headers)["prelim-event"] for record in records]
    assert events == [b"posted", b"retracted"]


async def test_a_record_that_was_sent_before_the_broker_went_away_is_followed_by_the_next(
    tmp_path: Path, topic: str
) -> None:
    async with running_broker("noida", tmp_path) as broker:
        await create_topic(broker, topic)
        sender = make_sender(broker)
        first = await sender.send(topic, Envelope("k", {}, b"1"))
        broker.stop()
        await broker.start()
        second = await sender.send(topic, Envelope("k", {}, b"2"))
        await sender.close()

    assert (first, second) == ("0/0", "0/1")


async def test_a_record_that_is_too_large_is_refused_for_good(
    any_kind: str, tmp_path: Path, topic: str
) -> None:
    async with running_broker(any_kind, tmp_path) as broker:
        await create_topic(broker, topic)
        sender = make_sender(broker)
        with pytest.raises(SendRefusedError) as caught:
            await sender.send(topic, Envelope("k", {}, bytes(range(256)) * 1000))
        await sender.close()

    assert caught.value.reason == "message_too_large"


@pytest.fixture(autouse=True)
def _brokers_are_there() -> None:
    for kind in ("tansu", "noida"):
        find_broker(kind)
