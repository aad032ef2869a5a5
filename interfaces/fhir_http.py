"""One request to a FHIR server and its answer, or the reason why there is none.

Nothing of a request or an answer may reach an error's text: both are full of patient data. No
redirect is followed, an answer's size is bounded, and TLS is verified.

Standard: FHIR R4 RESTful API, ``application/fhir+json``.
"""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from interfaces.errors import PostRefusedError, PostRetryError, ServerAwayError
from interfaces.fhir_breaker import Breaker, BreakerLimits
from interfaces.http_faults import why_unanswered
from mappings.fhir_elements import FHIR_JSON
from mappings.fhir_wire import Fate, judge_status, parse_retry_after_s

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

REPLY_BYTES_MAX = 4 * 1024 * 1024
AUTHORIZATION = "Authorization"
Method = Literal["GET", "POST", "PUT"]
_UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered: status, body, and the headers that matter to a post."""

    status: int
    body: bytes = field(repr=False)
    location: str | None = field(repr=False)
    etag: str | None
    retry_after: str | None
    date: str | None


class Send(Protocol):
    """One request to any address, with this server's TLS and time limit."""

    async def __call__(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Reply:
        """Send it; see ``FhirHttp.exchange`` for what it raises."""


class Credentials(Protocol):
    """How we say who we are."""

    async def authorization(self, send: Send) -> str:
        """Return the value of the Authorization header, asking for a token where one is needed.

        Raises:
            PostRetryError: There is none to be had now.
        """

    def forget(self, authorization: str) -> None:
        """Take note that the server refused this value."""


class FhirHttp:
    """A pool of connections to one FHIR server; use as an async context.

    Attributes:
        base_url: Without a slash at its end.
        breaker: Says when not to ask.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        media_type: str = FHIR_JSON,
        breaker: Breaker | None = None,
    ) -> None:
        """Take the server.

        Args:
            base_url: Of the FHIR service, such as ``https://host/fhir``.
            timeout_s: For one whole exchange.
            credentials: None says nothing of who we are.
            tls: To trust a private authority; None trusts the system's.
            media_type: Of what is sent and asked for.
            breaker: Learns of each Retry-After, and holds requests back until it is over; None for
                one of its own.
        """
        self.base_url = base_url.rstrip("/")
        self._client_address = "0.0.0.0"  # noqa: S104 - not bound to: ours, while it is not known
        self._latest: socket.socket | None = None
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._tls = tls
        self._media_type = media_type
        self.breaker = breaker or Breaker(BreakerLimits(), time.monotonic)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls if self._tls is not None else True, socket_factory=self._make_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "prelim"},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
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

    @property
    def client_address(self) -> str:
        """Our IP address on the latest connection; 0.0.0.0 while it is not known."""
        if self._latest is not None:
            with contextlib.suppress(OSError):  # closed since: the one before is as good
                self._client_address = str(self._latest.getsockname()[0])
        return self._client_address

    async def exchange(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send one request; once more with new credentials when the first are refused.

        Args:
            method: HTTP's.
            path: Below the base, such as ``Observation/ID``; empty for a transaction.
            query: Search parameters.
            headers: Beside the fixed ones.
            body: A resource as JSON.

        Returns:
            The answer, whatever its status.

        Raises:
            PostRetryError: No answer, and so no knowledge of what the server did; or no token.
            ServerAwayError: The server has asked not to be asked now.
            PostRefusedError: The answer is larger than ``REPLY_BYTES_MAX``.
        """
        search = f"?{urlencode(query)}" if query else ""
        url = f"{self.base_url}/{path}{search}" if path else f"{self.base_url}{search}"
        sent = {"Accept": self._media_type, "X-Request-Id": uuid.uuid4().hex, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = self._media_type
        if self._credentials is None:
            return await self._send(method, url, headers=sent, body=body)
        shown = await self._credentials.authorization(self._send)
        reply = await self._send(method, url, headers={**sent, AUTHORIZATION: shown}, body=body)
        if reply.status != _UNAUTHORISED:
            return reply
        self._credentials.forget(shown)
        renewed = await self._credentials.authorization(self._send)
        if renewed == shown:  # asking again with the same wrong token only locks the account
            return reply
        return await self._send(method, url, headers={**sent, AUTHORIZATION: renewed}, body=body)

    async def _send(
        self,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Reply:
        assert self._session is not None, "enter the context first"
        held_s = self.breaker.held_s
        if held_s > 0:
            raise ServerAwayError("server_away", self._part_of(url), held_s)
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
            ) as response:
                reply = await _read(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise PostRetryError(why_unanswered(error), self._part_of(url)) from None
        if judge_status(reply.status) is Fate.RETRY:
            self.breaker.hold(parse_retry_after_s(reply.retry_after, reply.date) or 0.0)
        return reply

    def _make_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        self._latest = socket.socket(family, kind, protocol)
        return self._latest

    def _part_of(self, url: str) -> str:
        """Name what was asked for without its identity: a resource's type, or the token."""
        if not url.startswith(self.base_url):
            return "token"
        path = url.removeprefix(self.base_url).lstrip("/")
        return path.partition("?")[0].partition("/")[0] or "Bundle"


async def _read(response: aiohttp.ClientResponse) -> Reply:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        body += chunk
        if len(body) > REPLY_BYTES_MAX:
            raise PostRefusedError("reply_too_large", None)
    return Reply(
        status=response.status,
        body=bytes(body),
        location=response.headers.get("Location"),
        etag=response.headers.get("ETag"),
        retry_after=response.headers.get("Retry-After"),
        date=response.headers.get("Date"),
    )
