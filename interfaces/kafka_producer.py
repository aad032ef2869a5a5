"""Records to Kafka, one at a time and each acknowledged by every replica in sync.

Rules: every call has an end, because aiokafka's ``stop`` and ``send_and_wait`` have none while the
brokers are away. A send without an answer may still arrive: the producer is thrown away with what
it holds, and the same record sent again, so a reader may get it twice, under one key.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from interfaces.errors import BrokerRetryError, SendRefusedError, SendRetryError
from interfaces.kafka_faults import reason_of
from interfaces.kafka_security import client_arguments

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from interfaces.kafka_contract import BrokerTerms
    from mappings.kafka_envelope import Envelope

log = structlog.get_logger()
OVERHEAD_BYTES = 65_536
REFUSED = frozenset({"message_too_large", "topic_invalid"})
NOT_REACHED = frozenset({"broker_unreachable", "not_authenticated", "topic_unknown"})


class KafkaSender:
    """A producer that is opened at the first record, and again after a failure.

    Args:
        terms: Which brokers.
        is_idempotent: Whether brokers drop what a lost answer made the client send twice.
        record_bytes_max: Longest value.
    """

    def __init__(self, terms: BrokerTerms, *, is_idempotent: bool, record_bytes_max: int) -> None:
        """Take what a producer is made with; nothing is opened."""
        self._terms = terms
        self._is_idempotent = is_idempotent
        self._record_bytes_max = record_bytes_max
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def send(self, topic: str, envelope: Envelope) -> str:
        """Send one record and wait until it is safe.

        Returns:
            Where it stands, as ``PARTITION/OFFSET``.

        Raises:
            SendRetryError: Not now.
            SendRefusedError: Never: the brokers take no such record or topic.
        """
        try:
            async with asyncio.timeout(2 * self._terms.request_s):
                async with self._opening:
                    producer = self._producer or await self._open()
                taken = await producer.send_and_wait(
                    topic,
                    envelope.value,
                    key=envelope.key.encode(),
                    headers=[(name, text.encode()) for name, text in envelope.headers.items()],
                )
        except BrokerRetryError as error:
            raise SendRetryError(error.reason, error.where, was_reached=False) from None
        except Exception as error:  # noqa: BLE001 - any error of the client means one of two fates
            reason = reason_of(error)
            if reason in REFUSED:
                raise SendRefusedError(reason) from None
            await self.close()
            was_reached = reason not in NOT_REACHED
            raise SendRetryError(reason, was_reached=was_reached) from None
        return f"{taken.partition}/{taken.offset}"

    async def close(self) -> None:
        """Let the producer go; abandon what does not end in ``stop_s``."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await self._close(producer)

    async def _open(self) -> AIOKafkaProducer:
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            **client_arguments(self._terms),
            acks="all",
            enable_idempotence=self._is_idempotent,
            compression_type="zstd",
            max_request_size=self._record_bytes_max + OVERHEAD_BYTES,
        )
        try:
            await producer.start()
        except BaseException:
            await self._close(producer)
            raise
        self._producer = producer
        return producer

    async def _close(self, producer: AIOKafkaProducer) -> None:
        try:
            async with asyncio.timeout(self._terms.stop_s):
                await producer.stop()
        except Exception as error:  # noqa: BLE001 - it is of no more use
            log.warning("kafka.client_abandoned", reason=reason_of(error))
