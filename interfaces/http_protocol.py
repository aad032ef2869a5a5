"""uvicorn's HTTP protocol, with a time for the head of a request and the name of a TLS client.

uvicorn waits for ever for a first request that is begun and not ended, and does not tell the
application of a client's certificate. Rule: h11 parses, because it bounds the head of a request;
uvicorn would choose httptools where it is installed, and that takes a head of any length.

Standard: ASGI TLS extension (``client_cert_name``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from interfaces.http_auth import SUBJECT, name_subject

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send


class HttpProtocol(H11Protocol):
    """One connection."""

    def __init__(self, *arguments: Any, head_timeout_s: float = 10.0, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **options)
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to wait for a request; remember who connects."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        subject = name_subject(connection.getpeercert()) if connection is not None else None
        if subject is not None:
            self.app: ASGIApp = _Named(self.config.loaded_app, subject)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read; from the first byte of a head on, the rest of it must come in time."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Named:
    """Tells the application who has connected."""

    def __init__(self, app: ASGIApp, subject: str) -> None:
        self._app = app
        self._subject = subject

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**scope.get("extensions", {}), "tls": {SUBJECT: self._subject}}
        await self._app({**scope, "extensions": extensions}, receive, send)
