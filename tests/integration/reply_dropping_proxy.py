"""A reverse proxy that now and then loses an answer after the server has acted on the request.

It forwards the request, reads the whole answer, and then closes the connection without passing it
on: the client cannot know whether the write was stored. Only answers to writes (POST, PUT) count
and are lost.

    python reply_dropping_proxy.py --target http://127.0.0.1:8104 --port 8105 --drop-every 5
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

WRITES = frozenset({"POST", "PUT"})
HOP_BY_HOP = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding", "host"}
)


def every(count: int) -> Callable[[int], bool]:
    """Drop the answers number ``count``, twice ``count`` and so on; 0 drops none."""
    return lambda number: count > 0 and number % count == 0


@contextlib.asynccontextmanager
async def dropping_proxy(
    target: str, is_dropped: Callable[[int], bool], *, port: int = 0
) -> AsyncIterator[tuple[str, list[str]]]:
    """Run the proxy.

    Args:
        target: Scheme, host and port of the server; paths are kept.
        is_dropped: Says for the n-th write (from 1) whether its answer is lost.
        port: On loopback; 0 lets the system choose.

    Yields:
        The proxy's own ``http://127.0.0.1:PORT``, and the lost writes as ``METHOD path``.
    """
    dropped: list[str] = []
    writes = 0

    async def forward(request: web.Request) -> web.Response:
        nonlocal writes
        headers = {name: v for name, v in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = target.rstrip("/") + request.raw_path
        sent = await request.read()
        try:
            async with session.request(
                request.method, url, headers=headers, data=sent, allow_redirects=False
            ) as reply:
                body = await reply.read()
        except aiohttp.ClientError:
            return web.Response(status=502)
        if request.method in WRITES:
            writes += 1
            if is_dropped(writes) and request.transport is not None:
                dropped.append(f"{request.method} {request.path}")
                request.transport.abort()
        kept = {name: v for name, v in reply.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=reply.status, headers=kept, body=body)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", dropped
        finally:
            await runner.cleanup()


async def run(target: str, port: int, drop_every: int) -> None:
    """Serve until the process is stopped."""
    async with dropping_proxy(target, every(drop_every), port=port) as (url, _):
        print(f"ready {url}", flush=True)  # noqa: T201 - the caller waits for this line
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--drop-every", type=int, default=5)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(chosen.target, chosen.port, chosen.drop_every))


if __name__ == "__main__":
    main()
