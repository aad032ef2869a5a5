"""uvicorn's HTTP protocol, with a place, a time for the head of a request, and a TLS client's name.

uvicorn answers everybody 503 when too many are connected, waits for ever for a first request that
is begun and not ended, and does not tell the application of a client's certificate. Rule: h11
parses, because it bounds the head of a request; uvicorn would choose httptools where it is
installed, and that takes a head of any length.

Standard: ASGI TLS extension (``client_cert_name``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from interfaces.http_auth import SUBJECT, name_subject
from interfaces.http_limits import HEALTH_PATHS
from interfaces.tls_layer import TlsLayer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from interfaces.http_admission import Admission


class HttpProtocol(H11Protocol):
    """One connection: ``arrive`` when it comes, ``connection_made`` when TLS is agreed as well."""

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's own
        admission: Admission,
        head_timeout_s: float,
        **options: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(*arguments, **options)
        self.host = ""
        self.quiet_since_s = 0.0
        self._admission = admission
        self._socket: asyncio.Transport
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way, other than for our health."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self.cycle.scope["path"] not in HEALTH_PATHS

    @property
    def has_unread(self) -> bool:
        """Whether some of an answer is not taken yet."""
        return self._socket.get_write_buffer_size() > 0

    def arrive(self, transport: asyncio.Transport) -> None:
        """Take a place, before a byte is read."""
        self._socket = transport
        self.host = (transport.get_extra_info("peername") or ("unknown",))[0]
        self.quiet_since_s = self.loop.time()
        self._admission.enter(self)
        self.connections.add(self)  # so that uvicorn's end is its end too

    def abort(self) -> None:
        """Close now."""
        self._socket.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """Begin to wait for a request; remember who connects."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self.scheme = "https"
            subject = name_subject(connection.getpeercert())
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

    def on_response_complete(self) -> None:
        """Be quiet from now on, or go on with the next request."""
        self.quiet_since_s = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        self._admission.leave(self)
        if self._is_made:
            super().connection_lost(exc)
        else:
            self.connections.discard(self)

    def shutdown(self) -> None:
        """End when the request under way is answered."""
        if self._is_made:
            super().shutdown()
        else:
            self.abort()

    @property
    def _is_made(self) -> bool:
        return self.flow is not None  # it is not before TLS is agreed

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class HttpEntrance(asyncio.Protocol):
    """Stands before one connection: gives it its place, and TLS if there is to be some.

    Args:
        connection: What answers.
        tls: Gives the context for its handshake; None for plain HTTP.
        handshake_timeout_s: After it the connection is closed.
    """

    def __init__(
        self,
        connection: HttpProtocol,
        tls: Callable[[], ssl.SSLContext] | None,
        *,
        handshake_timeout_s: float,
    ) -> None:
        self._connection = connection
        self._tls = tls
        self._handshake_timeout_s = handshake_timeout_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Leave the connection to itself."""
        socket = cast("asyncio.Transport", transport)
        self._connection.arrive(socket)
        following: asyncio.Protocol = self._connection
        if self._tls is not None:
            following = TlsLayer(
                self._connection,
                self._tls(),
                handshake_timeout_s=self._handshake_timeout_s,
                on_failed=lambda _: None,  # scanners and probes of the port: nobody is told
            )
        socket.set_protocol(following)
        following.connection_made(socket)


class _Named:
    """Tells the application who has connected."""

    def __init__(self, app: ASGIApp, subject: str) -> None:
        self._app = app
        self._subject = subject

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = {**scope.get("extensions", {}), "tls": {SUBJECT: self._subject}}
        await self._app({**scope, "extensions": extensions}, receive, send)
