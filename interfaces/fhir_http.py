"""One request to a FHIR server and its answer, or the reason why there is none.

Nothing of a request or an answer may reach an error's text: both are full of patient data. No
redirect is followed, an answer's size is bounded, and TLS is verified.

Standard: FHIR R4 RESTful API, ``application/fhir+json``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from interfaces.errors import PostRefusedError, PostRetryError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

REPLY_BYTES_MAX = 4 * 1024 * 1024
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered: status, body, and the headers that matter to a post."""

    status: int
    body: bytes = field(repr=False)
    location: str | None = field(repr=False)
    etag: str | None
    retry_after: str | None
    date: str | None


class FhirHttp:
    """A pool of connections to one FHIR server; use as an async context."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        authorization: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the server.

        Args:
            base_url: Of the FHIR service, such as ``https://host/fhir``.
            timeout_s: For one whole exchange.
            authorization: Value of the Authorization header.
            tls: To trust a private authority; None trusts the system's.
        """
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._authorization = authorization
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool."""
        headers = {"Accept": FHIR_JSON, "User-Agent": "prelim"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
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

    async def exchange(
        self,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send one request.

        Args:
            method: HTTP's.
            path: Below the base, such as ``Observation/ID``.
            query: Search parameters.
            headers: Beside the fixed ones.
            body: A resource as JSON.

        Returns:
            The answer, whatever its status.

        Raises:
            PostRetryError: No answer, and so no knowledge of what the server did.
            PostRefusedError: The answer is larger than ``REPLY_BYTES_MAX``.
        """
        assert self._session is not None, "enter the context first"
        search = f"?{urlencode(query)}" if query else ""
        sent = {"X-Request-Id": uuid.uuid4().hex, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = FHIR_JSON
        try:
            async with self._session.request(
                method,
                URL(f"{self._base_url}/{path}{search}", encoded=True),
                headers=sent,
                data=body,
                allow_redirects=False,
            ) as response:
                return await _read(response)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise PostRetryError(_reason(error), path.partition("/")[0]) from None


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


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed_out"
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return "tls_failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect_failed"
    return "connection_lost"
