"""What one client may cost us over HTTP: how long a body may be, how slow, and how many at once.

Rule: no header is believed. A body is counted as it comes, and its time is counted from the end of
its head; what is refused ends the connection, so that the rest is never read.

Standard: RFC 9110 (408, 413, 503 with Retry-After).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import outcome

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRY_AFTER_S = "1"
HEALTH_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
"""Always answered: slow clients must not make us look dead. None of them reads a body."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bytes, seconds and counts; the last four are of connections.

    Both numbers of connections are above ``requests_in_flight_max``: see ``http_admission.py``.
    """

    body_bytes_max: int = 16 * 1024 * 1024
    body_timeout_s: float = 30.0
    requests_in_flight_max: int = 64
    head_timeout_s: float = 10.0
    idle_timeout_s: int = 30
    connections_max: int = 512
    connections_per_host_max: int = 128


class Limited:
    """Keeps an application within limits."""

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        """Take the application inside."""
        self._app = app
        self._limits = limits
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say that there are too many."""
        if scope["path"] in HEALTH_PATHS:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limits.requests_in_flight_max:
            more = {"Retry-After": RETRY_AFTER_S, "Connection": "close"}
            await outcome(503, "throttled", "too_many_requests", None, more)(scope, receive, send)
            return
        self._in_flight += 1
        body = _Body(scope, receive, send, self._limits)
        try:
            await self._app(scope, body.receive, body.send)
        finally:
            self._in_flight -= 1


class _Body:
    """One request's body, and the answer to it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: HttpLimits) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._bytes = 0
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        self._is_whole = length == "0" and "transfer-encoding" not in headers
        self._ends_at_s = asyncio.get_running_loop().time() + limits.body_timeout_s

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends_at_s):
                message = await self._receive()
        except TimeoutError:
            raise RequestRefusedError(408, "timeout", "body_too_slow") from None
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limits.body_bytes_max:
            raise RequestRefusedError(413, "too-long", "body_too_large")
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._is_whole:
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await self._send(message)
