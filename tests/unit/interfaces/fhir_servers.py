"""Real servers on loopback for the FHIR tests: the embedded store, and one with a script."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from interfaces.fhir_store_app import build_store
from interfaces.http_server import HttpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from interfaces.fhir_store import FhirStore


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application and yield its URL."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop(1.0)


@contextlib.asynccontextmanager
async def serving_store() -> AsyncIterator[tuple[str, FhirStore]]:
    """Serve an embedded store in memory."""
    app = build_store(":memory:", now=lambda: datetime(2026, 3, 4, 12, tzinfo=UTC))
    try:
        async with serving(app) as url:
            yield url, app.state.store
    finally:
        app.state.store.close()


@dataclass
class Answer:
    """One line of a script."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request as the scripted server saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers requests in the order of its script, and the last line for ever."""

    def __init__(self, *script: Answer) -> None:
        """Take the script."""
        self._script = list(script)
        self.asked: list[Asked] = []
        methods = ["GET", "POST", "PUT"]
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        url = request.url
        body = await request.body()
        self.asked.append(Asked(request.method, url.path, url.query, dict(request.headers), body))
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body)
        return Response(content, answer.status, answer.headers, "application/fhir+json")
