"""Bring a notification to a subscriber: one POST, and what its answer means.

Only hosts that the operator has named are spoken to, no redirect is followed, the answer's body is
not read, and neither the endpoint nor a header of the client reaches a log or an error's text.

Standard: Subscriptions R5 Backport, rest-hook; RFC 9110.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from interfaces.errors import SendRefusedError, SendRetryError
from interfaces.http_faults import why_unanswered
from interfaces.loopback import is_loopback
from mappings.fhir_wire import parse_retry_after_s

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    from mappings.fhir_subscription import Subscription

_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Where notifications may go: to ``hosts`` by https; by plain http to loopback among them, and
    to the others only with ``is_plain_allowed``.
    """

    hosts: frozenset[str]
    is_plain_allowed: bool

    def refusal_of(self, endpoint: str) -> str | None:
        """Return why an endpoint may not be spoken to; None when it may."""
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").lower()
        if host not in self.hosts:
            return "endpoint_host_not_allowed"
        if parts.scheme == "https" or is_loopback(host) or self.is_plain_allowed:
            return None
        return "endpoint_not_encrypted"


class SubscriptionChannel:
    """A pool of connections to subscribers; use as an async context."""

    def __init__(
        self, rules: EndpointRules, *, timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take where it may go.

        Args:
            rules: Asked before each POST: a setting may have changed since the Subscription came.
            timeout_s: For one whole exchange, unless the client wants less.
            tls: To trust a private authority; None trusts the system's.
        """
        self._rules = rules
        self._timeout_s = timeout_s
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "prelim"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, subscription: Subscription, body: bytes) -> int:
        """Post a notification.

        Args:
            subscription: To whom, with which headers.
            body: A Bundle as JSON.

        Returns:
            The status of its answer, 200 to 299.

        Raises:
            SendRetryError: No answer, or one that says later (408, 425, 429, 5xx).
            SendRefusedError: The endpoint may not be spoken to, or its answer is for good.
        """
        assert self._session is not None, "enter the context first"
        refusal = self._rules.refusal_of(subscription.endpoint)
        if refusal is not None:
            raise SendRefusedError(refusal)
        timeout_s = min(self._timeout_s, subscription.timeout_s or self._timeout_s)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.post(
                    URL(subscription.endpoint, encoded=True),
                    data=body,
                    headers={**dict(subscription.headers), "Content-Type": subscription.media_type},
                    allow_redirects=False,
                ) as response,
            ):
                return _judged(response.status, response.headers)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            reason = why_unanswered(error)  # the error's text holds the endpoint
            was_reached = reason in {"timed_out", "connection_lost"}
            raise SendRetryError(reason, was_reached=was_reached) from None


def _judged(status: int, headers: Mapping[str, str]) -> int:
    if status // 100 == 2:  # noqa: PLR2004 - the class of success
        return status
    if status // 100 == 5 or status in _LATER:  # noqa: PLR2004 - the class of server errors
        wait_s = parse_retry_after_s(headers.get("Retry-After"), headers.get("Date"))
        raise SendRetryError(f"http_{status}", retry_after_s=wait_s)
    raise SendRefusedError(f"http_{status}")
