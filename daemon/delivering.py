"""Deliver: what stands in the outbox -> its receivers, the very bytes that are kept.

Rules: a message is sent again until its receiver has answered yes (AA, CA), so a receiver may get
it twice, under one MSH-10, and must drop the second. AE and CE are for good: the same bytes would
be refused again. A receiver that cannot be reached is no fault of the message: those tries do not
count. No receiver waits for another, and nothing else waits for any of them.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from daemon.config_mllp import SendRetry
from daemon.errors import DeliveryMovedOnError
from daemon.retrying import plan_wait_s
from interfaces.errors import SendRetryError, UnframeableError
from interfaces.mllp_client import MllpClient
from interfaces.mllp_client_tls import ClientTls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from daemon.clock import Clock
    from daemon.config_mllp import Send
    from daemon.delivery import PendingDelivery
    from daemon.journal import Journal
    from daemon.metrics import Metrics
    from interfaces.mllp_client import Acknowledgement

log = structlog.get_logger()
ACK_RETRY = SendRetry(attempts_max=1_440, wait_min_s=1, wait_max_s=60)
"""A sender that went away has about a day to come back for its application acknowledgment."""
TOLD = "told"
"""The answer to what nobody answers."""
REFUSED = frozenset({"AE", "CE"})
NEVER_SENT = frozenset({"connect_failed", "tls_failed", "tls_file_unusable"})


class Link:
    """The way to one receiver: one connection, one message at a time.

    Args:
        name: Of the entry of ``mllp.send``.
        settings: That entry.
    """

    def __init__(self, name: str, settings: Send) -> None:
        self.name = name
        self.retry = settings.retry
        self.unreached = 0
        """Tries in a row that did not reach the receiver."""
        self._client = MllpClient(
            settings.host, settings.port, timeout_s=settings.timeout_s, tls=tls_of(settings)
        )

    async def send(self, payload: bytes) -> Acknowledgement:
        """Send a message and return its answer.

        A connection that stood and then turns out to be closed is opened again at once: some
        receivers close after each message.

        Raises:
            SendRetryError: No answer came.
            UnframeableError: It cannot be sent at all.
        """
        was_connected = self._client.is_connected
        try:
            return await self._client.send(payload)
        except SendRetryError as error:
            if not was_connected or error.reason != "connection_lost":
                raise
        return await self._client.send(payload)

    async def tell(self, payload: bytes) -> None:
        """Send a message that nobody answers.

        Raises:
            SendRetryError: It was not handed to the network.
            UnframeableError: It cannot be sent at all.
        """
        await self._client.tell(payload)

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def tls_of(settings: Send) -> ClientTls | None:
    """Return what the client needs for TLS; None for plain MLLP."""
    tls = settings.tls
    if tls is None:
        return None
    return ClientTls(tls.ca, tls.certificate, tls.key, tls.server_name)


class DeliverStep:
    """One try of one delivery.

    Args:
        journal: Where the outbox is.
        links: By the target's name.
        acknowledge: Brings an application acknowledgment to its sender; False when nobody can be
            reached now.
        clock: For the waits.
        metrics: Counts each outcome.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        links: Mapping[str, Link],
        acknowledge: Callable[[PendingDelivery], Awaitable[bool]],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._journal = journal
        self._links = links
        self._acknowledge = acknowledge
        self._clock = clock
        self._metrics = metrics

    async def __call__(self, delivery: PendingDelivery) -> None:
        """Try once; whatever comes of it is recorded."""
        with suppress(DeliveryMovedOnError):  # withdrawn meanwhile; the journal has the truth
            if delivery.kind == "application_ack":
                await self._tell_sender(delivery)
            elif (link := self._links.get(delivery.target)) is None:
                await self._put_off(delivery, "target_unknown", ACK_RETRY.wait_max_s)
            else:
                await self._send(delivery, link)

    async def put_off(self, delivery: PendingDelivery, error_class: str) -> None:
        """Try again later what failed for a reason of ours."""
        link = self._links.get(delivery.target)
        retry = ACK_RETRY if link is None else link.retry
        with suppress(DeliveryMovedOnError):
            await self._try_later(delivery, f"deliver_failed_{error_class}", retry)

    async def _tell_sender(self, delivery: PendingDelivery) -> None:
        if await self._acknowledge(delivery):
            await self._record_sent(delivery, TOLD)
        else:
            await self._try_later(delivery, "sender_gone", ACK_RETRY)

    async def _send(self, delivery: PendingDelivery, link: Link) -> None:
        try:
            answer = await link.send(delivery.payload)
        except UnframeableError as error:
            await self._record_failed(delivery, error.reason)
        except SendRetryError as error:
            if error.reason in NEVER_SENT:
                wait_s = plan_wait_s(link.unreached, link.retry, None)
                link.unreached += 1
                await self._put_off(delivery, error.reason, wait_s)
            else:
                await self._try_later(delivery, error.reason, link.retry)
        else:
            link.unreached = 0
            if answer.is_accepted:
                await self._record_sent(delivery, answer.code)
            elif answer.code in REFUSED:
                await self._record_failed(delivery, f"answered_{answer.code}")
            else:
                await self._try_later(delivery, f"answered_{answer.code}", link.retry)

    async def _try_later(self, delivery: PendingDelivery, reason: str, retry: SendRetry) -> None:
        """Count the try; give the delivery up when they are spent."""
        if delivery.attempts + 1 >= retry.attempts_max:
            await self._record_failed(delivery, reason)
            return
        wait_s = plan_wait_s(delivery.attempts, retry, None)
        await self._put_off(delivery, reason, wait_s, is_counted=True)

    async def _put_off(
        self, delivery: PendingDelivery, reason: str, wait_s: float, *, is_counted: bool = False
    ) -> None:
        await self._journal.record_delivery_retry(
            delivery.delivery_id,
            reason=reason,
            not_before=self._clock.now() + timedelta(seconds=wait_s),
            is_counted=is_counted,
        )
        self._count(delivery, "retry")
        log.warning(
            "delivery.put_off",
            delivery_id=delivery.delivery_id,
            target=delivery.target,
            reason=reason,
            attempts=delivery.attempts + is_counted,
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
        self._metrics.deliveries.labels(target=delivery.target, outcome=outcome).inc()
