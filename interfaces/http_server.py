"""The daemon's HTTP side: health, metrics and what is mounted beside them, on uvicorn.

uvicorn runs inside the daemon's loop: it must take neither the signals nor the log settings, and no
exception may reach it, because it would log a traceback and with it a request's content. Only known
Host names are answered, so that a web page cannot reach a loopback port by a name of its own.
Health and metrics are open; what may hold patient data is behind ``Guarded``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from interfaces.fhir_endpoints import ANSWERED, answer_error
from interfaces.http_admission import Admission
from interfaces.http_auth import Authority, Guarded
from interfaces.http_limits import HttpLimits, Limited
from interfaces.http_protocol import HttpEntrance, HttpProtocol
from interfaces.loopback import LOOPBACK_HOSTS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

STORE_PATH = "/store/fhir"
FHIR_PATH = "/fhir"


OPEN = Authority(is_open=True)
DEFAULT_LIMITS = HttpLimits()


@dataclass(frozen=True, slots=True)
class HttpTerms:
    """Who may ask what is not open, of which Host names, within which limits."""

    authority: Authority = OPEN
    limits: HttpLimits = DEFAULT_LIMITS
    allowed_hosts: Sequence[str] = LOOPBACK_HOSTS


DEFAULT_TERMS = HttpTerms()


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of /readyz. ``checks`` such as ``{"journal": "ok", "posting": "paused"}``."""

    is_ready: bool
    checks: Mapping[str, str] = field(default_factory=dict)


class QuietErrors:
    """Answer 500 to what no handler caught, and log its class alone."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application inside."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            return  # whoever asked is gone, and hears no answer
        except Exception as error:  # noqa: BLE001 - a request's top: logged here, once
            log.error("http.request_failed", error_class=type(error).__name__)
            if not has_begun:
                await PlainTextResponse("internal error", 500)(scope, receive, send)


class _FhirBase:
    """Serves the base of the FHIR routes without its last slash as well, as clients write it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == FHIR_PATH:
            scope = {**scope, "path": f"{FHIR_PATH}/"}
        await self._app(scope, receive, send)


def _health_routes(
    ready: Callable[[], Awaitable[Readiness]], metrics_text: Callable[[], Awaitable[bytes]]
) -> Sequence[BaseRoute]:
    async def answer_live(_: Request) -> Response:
        return JSONResponse({"live": True})  # a loop that is stuck does not answer

    async def answer_ready(_: Request) -> Response:
        readiness = await ready()
        body = {"ready": readiness.is_ready, "checks": dict(readiness.checks)}
        return JSONResponse(body, 200 if readiness.is_ready else 503)

    async def answer_metrics(_: Request) -> Response:
        return Response(await metrics_text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return (
        Route("/livez", answer_live),
        Route("/readyz", answer_ready),
        Route("/metrics", answer_metrics),
    )


def build_app(
    *,
    ready: Callable[[], Awaitable[Readiness]],
    metrics_text: Callable[[], Awaitable[bytes]],
    store_app: ASGIApp | None = None,
    fhir_routes: Sequence[BaseRoute] = (),
    open_routes: Sequence[BaseRoute] = (),
    terms: HttpTerms = DEFAULT_TERMS,
) -> Starlette:
    """Compose what the daemon serves.

    Args:
        ready: Whether it should be sent work, and why not.
        metrics_text: Prometheus text.
        store_app: The embedded FHIR store, to mount at ``/store/fhir``.
        fhir_routes: What is served at ``/fhir``.
        open_routes: What is served to everybody at the root, such as public keys.
        terms: Who may ask, and how much.

    Returns:
        The application.
    """
    routes: list[BaseRoute] = [
        *_health_routes(ready, metrics_text),
        *open_routes,
    ]
    if store_app is not None:
        routes.append(Mount(STORE_PATH, Guarded(store_app, terms.authority)))
    if fhir_routes:
        fhir = Starlette(
            routes=list(fhir_routes), exception_handlers=dict.fromkeys(ANSWERED, answer_error)
        )
        routes.append(Mount(FHIR_PATH, Guarded(fhir, terms.authority)))
    middleware = [
        Middleware(QuietErrors),
        Middleware(TrustedHostMiddleware, list(terms.allowed_hosts), www_redirect=False),
        Middleware(Limited, terms.limits),
        Middleware(_FhirBase),
    ]
    return Starlette(routes=routes, middleware=middleware)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which the daemon has, and without its naps.

    It looks every tenth of a second whether it shall end, and waits for another one when it does.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._is_ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # renews the Date header
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._is_ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's own
        await asyncio.sleep(0.01)  # asyncio forgets a socket that it is accepting at the close
        for server in self.servers:
            server.close()
        await asyncio.sleep(0.01)  # who was accepted just now is among the connections then
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - they have no event
            await asyncio.sleep(0.01)
        for server in self.servers:
            await server.wait_closed()


class HttpServer:
    """Serves an application on one port until it is stopped."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        limits: HttpLimits = DEFAULT_LIMITS,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Take what to serve and where.

        Args:
            app: From ``build_app``.
            host: An address of this machine, or its name.
            port: 0 lets the system choose.
            limits: Of connections.
            tls: Gives the context for the next handshake; None serves plain HTTP.
        """
        self.admission = Admission(limits.connections_max, limits.connections_per_host_max)
        self._host = host
        self._port = port
        self._limits = limits
        self._tls = tls
        config = uvicorn.Config(
            app,
            http=self._make_protocol,  # type: ignore[arg-type]  # any callable will do
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=limits.idle_timeout_s,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use."""
        return self._port

    async def start(self) -> None:
        """Listen; returns once requests are answered.

        Raises:
            OSError: The address is taken or not ours.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host.strip("[]"), self._port), family=family)
        self._port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        if self._serving.done():
            await self._serving
        log.info("http.server_started", host=self._host, port=self._port)

    async def stop(self, deadline_s: float) -> None:
        """Take no more requests, finish those under way, but only until the deadline.

        Args:
            deadline_s: From now; what is left is cut off.
        """
        if self._serving is None:
            return
        self._server.end()
        _, late = await asyncio.wait({self._serving}, timeout=deadline_s)
        if late:
            self._serving.cancel()  # it would wait for open connections
            await asyncio.wait({self._serving})
        self._serving = None
        log.info("http.server_stopped", port=self._port)

    def _make_protocol(self, **options: Any) -> asyncio.Protocol:  # noqa: ANN401 - uvicorn's own
        timeout_s = self._limits.head_timeout_s
        connection = HttpProtocol(admission=self.admission, head_timeout_s=timeout_s, **options)
        return HttpEntrance(connection, self._tls, handshake_timeout_s=timeout_s)
