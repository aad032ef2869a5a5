"""Sending without a broker that answers: each way to fail is one of two fates, in time.

What a real broker takes is in tests/integration/test_kafka_out.py.
"""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import errors

from interfaces.errors import SendRefusedError, SendRetryError
from interfaces.kafka_contract import BrokerTerms
from interfaces.kafka_producer import KafkaSender
from mappings.kafka_envelope import Envelope

ENVELOPE = Envelope("k", {"a": "b"}, b"v")


class Producer:
    """A producer that does what it is told to."""

    def __init__(self, outcome: BaseException | None) -> None:
        self.outcome = outcome
        self.stops = 0

    async def send_and_wait(self, *_: object, **__: object) -> None:
        if self.outcome is None:
            await asyncio.Event().wait()
        raise self.outcome  # type: ignore[misc]

    async def stop(self) -> None:
        self.stops += 1
        await asyncio.Event().wait()


def sender_with(producer: Producer, monkeypatch: pytest.MonkeyPatch) -> KafkaSender:
    terms = BrokerTerms(("127.0.0.1:1",), request_s=0.05, stop_s=0.05)
    sender = KafkaSender(terms, is_idempotent=False, record_bytes_max=1000)
    monkeypatch.setattr(sender, "_producer", producer)
    return sender


@pytest.mark.parametrize(
    ("outcome", "reason", "was_reached"),
    [
        (None, "broker_timed_out", True),
        (errors.KafkaConnectionError(), "broker_unreachable", False),
        (errors.NotEnoughReplicasError(), "too_few_replicas", True),
        (errors.TopicAuthorizationFailedError(), "not_authorized", True),
    ],
)
async def test_what_may_be_better_later_is_sent_again_by_a_new_producer(
    outcome: BaseException | None,
    reason: str,
    was_reached: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer = Producer(outcome)
    sender = sender_with(producer, monkeypatch)

    with pytest.raises(SendRetryError) as caught:
        async with asyncio.timeout(5):
            await sender.send("t", ENVELOPE)
    assert (caught.value.reason, caught.value.was_reached) == (reason, was_reached)
    assert producer.stops == 1


async def test_what_no_broker_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer(errors.MessageSizeTooLargeError())

    with pytest.raises(SendRefusedError) as caught:
        await sender_with(producer, monkeypatch).send("t", ENVELOPE)
    assert caught.value.reason == "message_too_large"
    assert producer.stops == 0


async def test_a_broker_that_is_away_is_told_in_time_and_leaves_nothing_open() -> None:
    terms = BrokerTerms(("127.0.0.1:1",), request_s=0.2, stop_s=0.2)
    sender = KafkaSender(terms, is_idempotent=True, record_bytes_max=1000)

    with pytest.raises(SendRetryError) as caught:
        async with asyncio.timeout(5):
            await sender.send("t", ENVELOPE)
    assert not caught.value.was_reached
    await sender.close()
