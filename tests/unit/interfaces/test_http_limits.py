"""What one client may cost: a body's length and time, and requests at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from interfaces.fhir_endpoints import ANSWERED, answer_error
from interfaces.http_limits import HttpLimits, Limited
from tests.unit.interfaces.fhir_servers import serving
from tests.unit.interfaces.http_requests import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

LIMITS = HttpLimits(body_bytes_max=1000, body_timeout_s=0.3, requests_in_flight_max=1)


def limited(gate: asyncio.Event | None = None, begun: asyncio.Event | None = None) -> Limited:
    async def answer(request: Request) -> PlainTextResponse:
        body = await request.body()
        if gate is not None and begun is not None:
            begun.set()
            await gate.wait()
        return PlainTextResponse(str(len(body)))

    async def alive(_: Request) -> PlainTextResponse:
        return PlainTextResponse("alive")

    async def refuse(_: Request) -> PlainTextResponse:
        return PlainTextResponse("no", 415)

    app = Starlette(
        routes=[
            Route("/", answer, methods=["GET", "POST"]),
            Route("/livez", alive),
            Route("/refuse", refuse, methods=["POST"]),
        ],
        exception_handlers=dict.fromkeys(ANSWERED, answer_error),
    )
    return Limited(app, LIMITS)


async def pieces(*sizes: int) -> AsyncIterator[bytes]:
    for size in sizes:
        yield b"x" * size


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (100_000, 413)])
async def test_a_body_is_taken_up_to_its_limit(size: int, status: int) -> None:
    async with serving(limited()) as url:
        answer = await ask(url, "POST", b"x" * size)

    assert answer.status == status
    assert status == 200 or '"body_too_large"' in answer.text


async def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    async with serving(limited()) as url, aiohttp.ClientSession() as session:
        async with session.post(url, data=pieces(600, 300)) as whole:
            taken = await whole.text()
        async with session.post(url, data=pieces(600, 600)) as long:
            status, connection = long.status, long.headers.get("Connection")

    assert taken == "900"
    assert (status, connection) == (413, "close")


async def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with (
        serving(limited()) as url,
        aiohttp.ClientSession() as session,
        session.post(url, data=slow()) as late,
    ):
        status, text = late.status, await late.text()

    assert status == 408
    assert '"body_too_slow"' in text


async def test_more_requests_than_may_be_at_once_are_told_to_come_back() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()
    async with serving(limited(gate=gate, begun=begun)) as url:
        first = asyncio.create_task(ask(url))
        await begun.wait()
        second = await ask(url)
        health = await ask(f"{url}/livez")
        gate.set()
        answered = await first
        third = await ask(url)

    assert (second.headers["Retry-After"], '"throttled"' in second.text) == ("1", True)
    assert (answered.status, third.status, health.status) == (200, 200, 200)


async def test_a_connection_is_kept_unless_its_body_was_left_unread() -> None:
    async with serving(limited()) as url:
        read = await ask(url, "POST", b"x")
        without = await ask(url)
        unread = await ask(f"{url}/refuse", "POST", b"x")

    assert "Connection" not in read.headers
    assert "Connection" not in without.headers
    assert unread.headers["Connection"] == "close"
