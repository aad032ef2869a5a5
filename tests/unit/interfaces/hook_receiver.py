"""A subscriber's endpoint on a real socket: keeps what it is sent, answers as it is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    import ssl


@dataclass
class HookReceiver:
    """Use as an async context; ``stop`` and ``start`` keep the port."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    tls: ssl.SSLContext | None = None
    port: int = 0
    bundles: list[dict[str, Any]] = field(default_factory=list)
    sent_headers: list[dict[str, str]] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self.port}/hook?key=s3cret"

    async def start(self) -> None:
        """Listen, on the port of last time."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        """Be away."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def kinds(self) -> list[str]:
        """Return the type of each notification, in the order of arrival."""
        return [told(bundle)["type"] for bundle in self.bundles]

    def numbers(self) -> list[int]:
        """Return the event number of each event, in the order of arrival."""
        return [number for bundle in self.bundles for number in event_numbers(bundle)]

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self.delay_s)
        if self.status == 200 and body:  # what was refused was not taken
            self.bundles.append(json.loads(body))
        self.sent_headers.append(dict(request.headers))
        return web.Response(status=self.status, headers=self.headers)


def told(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a notification's status by name."""
    return {
        part["name"]: next((part[key] for key in part if key != "name"), None)
        for part in bundle["entry"][0]["resource"]["parameter"]
    }


def event_numbers(bundle: dict[str, Any]) -> list[int]:
    """Return the numbers of a notification's events."""
    return [
        int(part["valueString"])
        for event in bundle["entry"][0]["resource"]["parameter"]
        if event["name"] == "notification-event"
        for part in event["part"]
        if part["name"] == "event-number"
    ]
