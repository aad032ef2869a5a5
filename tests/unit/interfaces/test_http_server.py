"""Health, metrics, start and stop of the HTTP side."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from interfaces.fhir_store_app import build_store
from interfaces.http_server import HttpServer, Readiness, build_app
from tests.unit.interfaces.fhir_servers import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


def app_with(
    *,
    readiness: Readiness | None = None,
    store_app: Starlette | None = None,
) -> Starlette:
    async def ready() -> Readiness:
        return readiness or Readiness(is_ready=True, checks={"journal": "ok"})

    async def metrics_text() -> bytes:
        return b"up 1\n"

    return build_app(ready=ready, metrics_text=metrics_text, store_app=store_app)


async def get(app: Starlette, path: str, **headers: str) -> tuple[int, str, str]:
    async with (
        serving(app) as url,
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=headers) as reply,
    ):
        return reply.status, await reply.text(), reply.headers["Content-Type"]


async def test_livez_answers_whatever_the_readiness() -> None:
    unready = app_with(readiness=Readiness(is_ready=False))

    assert (await get(unready, "/livez"))[:2] == (200, '{"live":true}')


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_readyz_tells_each_check(is_ready: bool, status: int) -> None:  # noqa: FBT001 - a column of the table
    checks = {"journal": "ok", "model": "starting", "posting": "paused"}
    answered, text, _ = await get(app_with(readiness=Readiness(is_ready, checks)), "/readyz")

    assert answered == status
    assert '"posting":"paused"' in text
    assert '"model":"starting"' in text


async def test_metrics_are_prometheus_text() -> None:
    status, text, kind = await get(app_with(), "/metrics")

    assert (status, text) == (200, "up 1\n")
    assert kind.startswith("text/plain; version=")


async def test_the_store_is_mounted_and_knows_its_own_url() -> None:
    store_app = build_store(":memory:", now=lambda: datetime(2026, 3, 4, tzinfo=UTC))
    _, text, _ = await get(app_with(store_app=store_app), "/store/fhir/metadata")
    store_app.state.store.close()

    assert re.search(r'"url":"http://127\.0\.0\.1:[0-9]+/store/fhir"', text)


async def test_without_a_store_there_is_nothing_at_its_place() -> None:
    assert (await get(app_with(), "/store/fhir/metadata"))[0] == 404


async def test_a_foreign_host_name_is_refused() -> None:
    status, text, _ = await get(app_with(), "/readyz", Host="evil.example")

    assert status == 400
    assert "journal" not in text


async def test_an_unforeseen_error_shows_its_class_and_nothing_else(
    canary_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Request) -> None:
        raise RuntimeError(canary_name)

    store_app = Starlette(routes=[Route("/x", fail)])
    with structlog.testing.capture_logs() as lines:
        status, text, _ = await get(app_with(store_app=store_app), "/store/fhir/x")

    failed = [line for line in lines if line["event"] == "http.request_failed"]
    assert status == 500
    assert failed == [
        {"event": "http.request_failed", "log_level": "error", "error_class": "RuntimeError"}
    ]
    assert canary_name not in text + str(lines) + caplog.text


async def test_a_client_that_leaves_is_no_error_of_ours() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def read(request: Request) -> PlainTextResponse:
        begun.set()
        try:
            return PlainTextResponse(str(len(await request.body())))
        finally:
            ended.set()

    app = app_with(store_app=Starlette(routes=[Route("/x", read, methods=["POST"])]))
    with structlog.testing.capture_logs() as lines:
        async with serving(app) as url:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(b"POST /store/fhir/x HTTP/1.1\r\nHost: localhost\r\n")
            writer.write(b"Content-Length: 9\r\n\r\nx")
            await begun.wait()
            writer.close()
            await ended.wait()

    assert "http.request_failed" not in {line["event"] for line in lines}


async def test_a_taken_port_is_an_error_of_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = HttpServer(app_with(), host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(OSError, match="Address already in use"):
            await server.start()


async def test_stop_lets_a_request_finish() -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        began.set()
        await may_end.wait()
        return PlainTextResponse("done")

    server = HttpServer(Starlette(routes=[Route("/", slow)]), host="127.0.0.1", port=0)
    await server.start()
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"http://127.0.0.1:{server.port}/"))
        await began.wait()
        stopping = asyncio.create_task(server.stop(10.0))
        may_end.set()
        async with await asking as reply:
            text = await reply.text()
        await stopping

    assert text == "done"


async def test_stop_ends_a_connection_that_is_kept_for_a_next_request() -> None:
    server = HttpServer(app_with(), host="127.0.0.1", port=0)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    await server.stop(10.0)
    rest = await reader.read()
    writer.close()

    assert b"\r\ndate: " in head.lower()
    assert rest == b'{"live":true}'


async def test_stop_does_not_wait_past_its_deadline() -> None:
    async def endless(_: Request) -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.Event().wait()

        return StreamingResponse(chunks())

    server = HttpServer(Starlette(routes=[Route("/", endless)]), host="127.0.0.1", port=0)
    await server.start()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}/") as reply,
    ):
        await reply.content.readexactly(1)
        started_s = asyncio.get_running_loop().time()
        await server.stop(0.2)
        took_s = asyncio.get_running_loop().time() - started_s

    assert took_s < 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


async def test_stop_before_start_does_nothing() -> None:
    await HttpServer(app_with(), host="127.0.0.1", port=0).stop(1.0)
