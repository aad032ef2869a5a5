"""A reverse proxy that answers in the server's place when it is told to, and notes what it saw."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from tests.integration.reply_dropping_proxy import HOP_BY_HOP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Faults:
    """What to answer instead, and the requests as they came.

    ``next`` is the answer to one request. While ``is_down`` with a status, every request is
    answered with it; with 0 its connection is closed. ``seen`` holds the loop's time in seconds,
    method and path.
    """

    next: web.Response | None = None
    is_down: int | None = None
    seen: list[tuple[float, str, str]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def fault_proxy(target: str) -> AsyncIterator[tuple[str, Faults]]:
    """Run the proxy in front of ``target`` (scheme, host and port) and yield its URL."""
    faults = Faults()

    async def forward(request: web.Request) -> web.StreamResponse:
        now_s = asyncio.get_running_loop().time()
        faults.seen.append((now_s, request.method, request.path))
        if faults.next is not None:
            answer, faults.next = faults.next, None
            return answer
        if faults.is_down is not None:
            if faults.is_down == 0 and request.transport is not None:
                request.transport.abort()
            return web.Response(status=faults.is_down or 500)
        headers = {name: v for name, v in request.headers.items() if name.lower() not in HOP_BY_HOP}
        sent = await request.read()
        async with session.request(
            request.method, target + request.raw_path, headers=headers, data=sent
        ) as reply:
            body = await reply.read()
        kept = {name: v for name, v in reply.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=reply.status, headers=kept, body=body)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", faults
        finally:
            await runner.cleanup()
