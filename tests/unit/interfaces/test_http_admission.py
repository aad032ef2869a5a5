"""Whoever comes is let in; the quietest idle connection makes room."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import structlog
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from interfaces.http_admission import Admission
from interfaces.http_limits import HttpLimits
from interfaces.http_server import HttpServer, HttpTerms, Readiness, build_app
from tests.samples.certificates import Authority, client_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request

LIMITS = HttpLimits(connections_max=256)
FLOOD = 400
HEALTH = ("/livez", "/readyz", "/metrics")


@dataclass(eq=False)
class Guest:
    """A connection without a socket."""

    host: str = "192.0.2.1"
    quiet_since_s: float = 0.0
    is_busy: bool = False
    has_unread: bool = False
    ended: list[str] = field(default_factory=list)
    name: str = ""

    def abort(self) -> None:
        self.ended.append(self.name)


@pytest.mark.parametrize(
    ("guests", "leaves"),
    [
        ([Guest(name="late", quiet_since_s=2.0), Guest(name="early", quiet_since_s=1.0)], "early"),
        ([Guest(name="busy", is_busy=True), Guest(name="idle", quiet_since_s=9.0)], "idle"),
        ([Guest(name="unread", has_unread=True), Guest(name="idle", quiet_since_s=9.0)], "idle"),
        ([Guest(name="busy", is_busy=True), Guest(name="unread", has_unread=True)], "unread"),
        ([Guest(name="long", is_busy=True), Guest(name="b", is_busy=True, host="x")], "long"),
    ],
)
def test_the_quietest_leaves_and_who_is_in_need_of_us_last(
    guests: list[Guest], leaves: str
) -> None:
    admission = Admission(connections_max=2, connections_per_host_max=2)

    for guest in [*guests, Guest(quiet_since_s=10.0)]:
        admission.enter(guest)

    assert [name for guest in guests for name in guest.ended] == [leaves]
    assert admission.count == 2


def test_a_host_with_all_its_places_makes_room_for_itself_alone() -> None:
    admission = Admission(connections_max=4, connections_per_host_max=2)
    other = Guest("192.0.2.9", quiet_since_s=-5.0)
    many = [Guest(quiet_since_s=float(number)) for number in range(5)]

    for guest in [other, *many]:
        admission.enter(guest)

    assert not other.ended
    assert [len(guest.ended) for guest in many] == [1, 1, 1, 0, 0]
    assert admission.evicted == {"connections_per_host_max": 3}


def test_a_host_that_has_left_has_its_places_again_and_takes_no_memory() -> None:
    admission = Admission(connections_max=2, connections_per_host_max=1)
    for guest in [Guest(f"192.0.2.{number}") for number in range(100)]:
        admission.enter(guest)
        admission.leave(guest)
        admission.leave(guest)

    assert admission.count == 0
    assert not admission.evicted
    assert not admission._by_host


def test_a_flood_is_told_once_a_second_with_its_number() -> None:
    admission = Admission(connections_max=9, connections_per_host_max=1)
    with structlog.testing.capture_logs() as lines:
        for at_s in (0.0, 0.1, 0.2, 0.9, 1.3):
            admission.enter(Guest(quiet_since_s=at_s))

    assert [line["count"] for line in lines] == [1, 3]
    assert lines[0] == {
        "event": "http.connection_evicted",
        "log_level": "warning",
        "peer": "192.0.2.1",
        "reason": "connections_per_host_max",
        "count": 1,
    }


@contextlib.asynccontextmanager
async def serving(
    *,
    limits: HttpLimits = LIMITS,
    tls: Callable[[], ssl.SSLContext] | None = None,
    gate: asyncio.Event | None = None,
    begun: asyncio.Event | None = None,
) -> AsyncIterator[HttpServer]:
    """Serve health, and ``/fhir/slow`` that waits at a gate."""

    async def ready() -> Readiness:
        return Readiness(is_ready=True)

    async def metrics_text() -> bytes:
        return b"up 1\n"

    async def slow(_: Request) -> PlainTextResponse:
        assert gate is not None
        assert begun is not None
        begun.set()
        await gate.wait()
        return PlainTextResponse("done")

    app = build_app(
        ready=ready,
        metrics_text=metrics_text,
        fhir_routes=[Route("/slow", slow)],
        terms=HttpTerms(limits=limits),
    )
    server = HttpServer(app, host="127.0.0.1", port=0, limits=limits, tls=tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(5.0)


@contextlib.asynccontextmanager
async def held_open(
    server: HttpServer, *hosts: str, first_bytes: bytes = b""
) -> AsyncIterator[None]:
    """Hold connections open from these hosts, all of which are this machine."""
    held: list[asyncio.StreamWriter] = []
    try:
        for number in range(FLOOD):
            address = (hosts[number % len(hosts)], 0)
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, local_addr=address)
            held.append(writer)
            writer.write(first_bytes)
        yield
    finally:
        for writer in held:
            writer.transport.abort()


async def status_of(
    server: HttpServer, path: str, host: str, tls: ssl.SSLContext | None = None
) -> str:
    """Return the status line's code, as a probe from that host sees it."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, local_addr=(host, 0), ssl=tls
    )
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.split(b" ")[1].decode() if answer else "closed"


@pytest.mark.parametrize("first_bytes", [b"", b"GET / HTTP/1.1\r\nX-Slow: "])
@pytest.mark.parametrize(
    "hosts", [["127.0.0.1"], ["127.0.0.1", "127.0.0.3", "127.0.0.4", "127.0.0.5"]]
)
async def test_health_is_answered_beside_hundreds_of_connections_that_say_nothing(
    hosts: list[str], first_bytes: bytes
) -> None:
    async with serving() as server, held_open(server, *hosts, first_bytes=first_bytes):
        answers = [
            await status_of(server, path, host)
            for path in HEALTH
            for host in ("127.0.0.1", "127.0.0.2")
        ]
        count = server.admission.count

    assert answers == ["200"] * 6
    assert count <= LIMITS.connections_max


async def test_one_host_has_only_its_own_places() -> None:
    async with serving() as server, held_open(server, "127.0.0.1"):
        count, evicted = server.admission.count, dict(server.admission.evicted)

    assert count == LIMITS.connections_per_host_max
    assert evicted == {"connections_per_host_max": FLOOD - LIMITS.connections_per_host_max}
    assert server.admission.count == 0


async def test_a_request_under_way_goes_on_beside_hundreds_of_idle_connections() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()
    async with serving(gate=gate, begun=begun) as server:
        asking = asyncio.create_task(status_of(server, "/fhir/slow", "127.0.0.1"))
        await begun.wait()
        async with held_open(server, "127.0.0.1", "127.0.0.3", "127.0.0.4"):
            gate.set()
            answer = await asking

    assert answer == "200"


async def test_connections_that_never_agree_on_tls_do_not_keep_health_from_answering(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with serving(tls=lambda: context) as server, held_open(server, "127.0.0.1"):
        count = server.admission.count
        client = client_context(authority)
        answers = [
            await status_of(server, "/livez", host, client) for host in ("127.0.0.1", "127.0.0.2")
        ]
        started_s = asyncio.get_running_loop().time()
        await server.stop(5.0)
        took_s = asyncio.get_running_loop().time() - started_s

    assert count == LIMITS.connections_per_host_max
    assert answers == ["200", "200"]
    assert took_s < 4  # what never was a connection is not waited for
