"""A time for the head of a request, and the name of a TLS client."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from interfaces.http_auth import SUBJECT
from interfaces.http_limits import HttpLimits
from interfaces.http_server import HttpServer
from tests.samples.certificates import Authority, client_context
from tests.unit.interfaces.http_requests import ask

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answer(request: Request) -> PlainTextResponse:
    extensions = request.scope.get("extensions", {})
    return PlainTextResponse(extensions.get("tls", {}).get(SUBJECT, "nobody"))


APP = Starlette(routes=[Route("/", answer)])


async def until_closed(head: bytes, *, after: bytes = b"") -> bytes:
    """Send a head and never its end; return what was answered until the connection was closed."""
    server = HttpServer(APP, host="127.0.0.1", port=0, limits=HttpLimits(head_timeout_s=0.2))
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        got = await reader.readuntil(b"nobody") if after else b""
        writer.write(after)
        got += await reader.read()
        writer.close()
        return got
    finally:
        await server.stop(1.0)


async def test_a_connection_that_says_nothing_is_closed() -> None:
    assert await until_closed(b"") == b""


async def test_a_head_that_is_not_ended_is_closed() -> None:
    assert await until_closed(REQUEST + b"X-Slow: ") == b""


async def test_a_head_without_end_is_refused_before_it_fills_the_memory() -> None:
    got = await until_closed(REQUEST + b"X-Long: " + b"x" * 20_000)

    assert got.startswith(b"HTTP/1.1 400")


async def test_the_next_request_of_a_connection_has_its_time_as_well() -> None:
    got = await until_closed(REQUEST + b"\r\n", after=REQUEST)

    assert got.count(b"HTTP/1.1 200") == 1


async def test_the_application_hears_who_has_connected(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = HttpServer(APP, host="127.0.0.1", port=0, tls=lambda: context)
    await server.start()
    try:
        url = f"https://127.0.0.1:{server.port}/"
        nobody = await ask(url, tls=client_context(authority))
        ris = await ask(url, tls=client_context(authority, authority.issue("ris.example")))
    finally:
        await server.stop(1.0)

    assert nobody.text == "nobody"
    assert ris.text == "CN=ris.example"
