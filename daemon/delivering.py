"""Deliver: what stands in the outbox -> its receivers, the very bytes that are kept.

Rules: a delivery is carried again until it is taken or refused for good, so a receiver may get it
twice, the same each time. A receiver that cannot be reached is no fault of what is sent: those
tries do not count. No receiver waits for another, and nothing else waits for any of them. How to
reach one is its carrier's matter; one kind of delivery has one carrier.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.config_values import SendRetry
from daemon.errors import DeliveryMovedOnError
from daemon.retrying import plan_wait_s
from interfaces.errors import SendRefusedError, SendRetryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.clock import Clock
    from daemon.delivery import DeliveryKind, PendingDelivery
    from daemon.journal_ports import OutboxJournal
    from daemon.metrics import Metrics

log = structlog.get_logger()
UNKNOWN_RETRY = SendRetry(attempts_max=1_440, wait_min_s=1, wait_max_s=60)
"""For a kind that the settings have no carrier for any more: it is waited for."""


class Carrier(Protocol):
    """Brings one kind of delivery to its receivers."""

    def retry_of(self, target: str) -> SendRetry:
        """Return how often, and how long between tries, a receiver is tried."""

    async def carry(self, delivery: PendingDelivery) -> str:
        """Try once; return how it was taken, such as ``AA`` or ``201``.

        Raises:
            SendRetryError: Not now.
            SendRefusedError: Never.
        """


class DeliverStep:
    """One try of one delivery.

    Args:
        journal: Where the outbox is.
        carriers: By the kind of delivery.
        clock: For the waits.
        metrics: Counts each outcome.
    """

    def __init__(
        self,
        journal: OutboxJournal,
        carriers: Mapping[DeliveryKind, Carrier],
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._journal = journal
        self._carriers = carriers
        self._clock = clock
        self._metrics = metrics
        self._unreached: Counter[tuple[DeliveryKind, str]] = Counter()
        """Tries in a row that did not reach the receiver."""

    async def __call__(self, delivery: PendingDelivery) -> None:
        """Try once; whatever comes of it is recorded."""
        receiver = (delivery.kind, delivery.target)
        with suppress(DeliveryMovedOnError):  # withdrawn meanwhile; the journal has the truth
            try:
                answer = await self._carry(delivery)
            except SendRetryError as error:
                await self._try_later(delivery, error)
            except SendRefusedError as error:
                await self._record_failed(delivery, error.reason)
            else:
                self._unreached.pop(receiver, None)
                await self._record_sent(delivery, answer)

    async def put_off(self, delivery: PendingDelivery, error_class: str) -> None:
        """Try again later what failed for a reason of ours."""
        with suppress(DeliveryMovedOnError):
            await self._try_later(delivery, SendRetryError(f"deliver_failed_{error_class}"))

    async def _carry(self, delivery: PendingDelivery) -> str:
        carrier = self._carriers.get(delivery.kind)
        if carrier is None:
            raise SendRetryError("target_unknown", was_reached=False)
        return await carrier.carry(delivery)

    async def _try_later(self, delivery: PendingDelivery, error: SendRetryError) -> None:
        """Count the try if the receiver was reached; give the delivery up when tries are spent."""
        carrier = self._carriers.get(delivery.kind)
        retry = UNKNOWN_RETRY if carrier is None else carrier.retry_of(delivery.target)
        receiver = (delivery.kind, delivery.target)
        if not error.was_reached:
            wait_s = plan_wait_s(self._unreached[receiver], retry, error.retry_after_s)
            self._unreached[receiver] += 1
        elif delivery.attempts + 1 >= retry.attempts_max:
            await self._record_failed(delivery, error.reason)
            return
        else:
            self._unreached.pop(receiver, None)
            wait_s = plan_wait_s(delivery.attempts, retry, error.retry_after_s)
        await self._record_put_off(delivery, error, wait_s)

    async def _record_put_off(
        self, delivery: PendingDelivery, error: SendRetryError, wait_s: float
    ) -> None:
        await self._journal.record_delivery_retry(
            delivery.delivery_id,
            reason=error.reason,
            not_before=self._clock.now() + timedelta(seconds=wait_s),
            is_counted=error.was_reached,
        )
        self._count(delivery, "retry")
        log.warning(
            "delivery.put_off",
            delivery_id=delivery.delivery_id,
            target=delivery.target,
            reason=error.reason,
            attempts=delivery.attempts + error.was_reached,
            retry_after_s=wait_s,
        )

    async def _record_sent(self, delivery: PendingDelivery, answer: str) -> None:
        await self._journal.record_delivered(delivery.delivery_id, answer=answer)
        self._count(delivery, "sent")
        log.info(
            "delivery.sent",
            delivery_id=delivery.delivery_id,
            message_id=delivery.message_id,
            target=delivery.target,
            code=answer,
        )

    async def _record_failed(self, delivery: PendingDelivery, reason: str) -> None:
        await self._journal.record_delivery_failed(delivery.delivery_id, reason=reason)
        self._count(delivery, "failed")
        log.error(
            "delivery.failed",
            delivery_id=delivery.delivery_id,
            message_id=delivery.message_id,
            target=delivery.target,
            reason=reason,
        )

    def _count(self, delivery: PendingDelivery, outcome: str) -> None:
        labels = {"kind": delivery.kind, "target": delivery.target, "outcome": outcome}
        self._metrics.deliveries.labels(**labels).inc()
