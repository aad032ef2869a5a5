"""The daemon's HTTP side: health, metrics and what is mounted beside them, on uvicorn.

uvicorn runs inside the daemon's loop: it must take neither the signals nor the log settings, and no
exception may reach it, because it would log a traceback and with it a request's content. Only known
Host names are answered, so that a web page cannot reach a loopback port by a name of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

LOOPBACK_NAMES = ("127.0.0.1", "localhost")
STORE_PATH = "/store/fhir"


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
        except Exception as error:  # noqa: BLE001 - a request's top: logged here, once
            log.error("http.request_failed", error_class=type(error).__name__)
            if not has_begun:
                await PlainTextResponse("internal error", 500)(scope, receive, send)


def build_app(
    *,
    ready: Callable[[], Awaitable[Readiness]],
    metrics_text: Callable[[], Awaitable[bytes]],
    store_app: ASGIApp | None = None,
    allowed_hosts: Sequence[str] = LOOPBACK_NAMES,
) -> Starlette:
    """Compose what the daemon serves.

    Args:
        ready: Whether it should be sent work, and why not.
        metrics_text: Prometheus text.
        store_app: The embedded FHIR store, to mount at ``/store/fhir``.
        allowed_hosts: Host names that are answered.

    Returns:
        The application.
    """

    async def answer_live(_: Request) -> Response:
        return JSONResponse({"live": True})  # a loop that is stuck does not answer

    async def answer_ready(_: Request) -> Response:
        readiness = await ready()
        body = {"ready": readiness.is_ready, "checks": dict(readiness.checks)}
        return JSONResponse(body, 200 if readiness.is_ready else 503)

    async def answer_metrics(_: Request) -> Response:
        return Response(await metrics_text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    routes: list[BaseRoute] = [
        Route("/livez", answer_live),
        Route("/readyz", answer_ready),
        Route("/metrics", answer_metrics),
    ]
    if store_app is not None:
        routes.append(Mount(STORE_PATH, store_app))
    trusted = Middleware(TrustedHostMiddleware, list(allowed_hosts), www_redirect=False)
    return Starlette(routes=routes, middleware=[Middleware(QuietErrors), trusted])


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an application on one port until it is stopped."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        """Take what to serve and where.

        Args:
            app: From ``build_app``.
            host: An IPv4 address of this machine, or its name.
            port: 0 lets the system choose.
        """
        self._host = host
        self._port = port
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                ws="none",
            )
        )
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
        listener = socket.create_server((self._host, self._port))
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
        self._server.should_exit = True
        _, late = await asyncio.wait({self._serving}, timeout=deadline_s)
        if late:
            self._server.force_exit = True
            self._serving.cancel()  # it would wait for open connections (Python 3.12)
            await asyncio.wait({self._serving})
        self._serving = None
        log.info("http.server_stopped", port=self._port)
