"""What carries deliveries over MLLP: a message to a receiver of ``mllp.send``, and an application
acknowledgment back to its sender.

Rules: a message is sent again until its receiver has answered yes (AA, CA), so a receiver may get
it twice, under one MSH-10, and must drop the second. AE and CE are for good: the same bytes would
be refused again.

Standard: HL7 v2 control chapter (table 0008); MLLP Release 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.config_values import SendRetry
from interfaces.client_tls import ClientTls
from interfaces.errors import SendRefusedError, SendRetryError
from interfaces.mllp_client import MllpClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from daemon.config_mllp import Send
    from daemon.delivery import PendingDelivery
    from interfaces.mllp_client import Acknowledgement

ACK_RETRY = SendRetry(attempts_max=1_440, wait_min_s=1, wait_max_s=60)
"""A sender that went away has about a day to come back for its application acknowledgment."""
TOLD = "told"
"""The answer to what nobody answers."""
REFUSED = frozenset({"AE", "CE"})
NEVER_SENT = frozenset({"connect_failed", "tls_failed", "tls_file_unusable"})


class Link:
    """The way to one receiver: one connection, one message at a time.

    Args:
        settings: Its entry of ``mllp.send``.
    """

    def __init__(self, settings: Send) -> None:
        self.retry = settings.retry
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


class MllpCarrier:
    """Brings messages to the receivers of ``mllp.send``, each over its link."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        """Take the links by their targets' names."""
        self._links = links

    def retry_of(self, target: str) -> SendRetry:
        """Return how often and how long a receiver is tried."""
        link = self._links.get(target)
        return ACK_RETRY if link is None else link.retry

    async def carry(self, delivery: PendingDelivery) -> str:
        """Send one message; return the code of its answer.

        Raises:
            SendRetryError: No answer, or one that may be better another time.
            SendRefusedError: AE or CE, or a message that cannot be framed.
        """
        link = self._links.get(delivery.target)
        if link is None:
            raise SendRetryError("target_unknown", was_reached=False)
        try:
            answer = await link.send(delivery.payload)
        except SendRetryError as error:
            was_reached = error.reason not in NEVER_SENT
            raise SendRetryError(error.reason, error.where, was_reached=was_reached) from None
        if answer.is_accepted:
            return answer.code
        fate = SendRefusedError if answer.code in REFUSED else SendRetryError
        raise fate(f"answered_{answer.code}")


class AcknowledgmentCarrier:
    """Brings application acknowledgments to the senders of their messages."""

    def __init__(self, acknowledge: Callable[[PendingDelivery], Awaitable[bool]]) -> None:
        """Take what knows the way back; it says False when nobody can be reached now."""
        self._acknowledge = acknowledge

    def retry_of(self, _target: str) -> SendRetry:
        """Return how long a sender has to come back."""
        return ACK_RETRY

    async def carry(self, delivery: PendingDelivery) -> str:
        """Tell one acknowledgment; nobody answers it.

        Raises:
            SendRetryError: Its sender cannot be reached now.
        """
        if not await self._acknowledge(delivery):
            raise SendRetryError("sender_gone")
        return TOLD
