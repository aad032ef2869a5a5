"""The listener over real sockets: how many it takes, and how it ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from interfaces.mllp_codec import encode_frame
from interfaces.mllp_contract import ListenerTerms
from tests.unit.interfaces.mllp_peers import gone

if TYPE_CHECKING:
    from tests.unit.interfaces.mllp_peers import Connect, Handler, Serve


async def test_fifty_stalled_connections_do_not_hold_up_a_good_one(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    for _ in range(50):
        await (await connect(server)).send(b"\x0bMSH|stalled")

    good = await connect(server)

    assert await good.ask(b"good") == b"ack:good"
    assert server.stats.connections == 51


@pytest.mark.parametrize("limit", ["connections_max", "connections_per_host_max"])
async def test_a_connection_over_the_limit_is_closed_at_once_when_all_are_busy(
    serve: Serve, connect: Connect, handler: Handler, limit: str
) -> None:
    server = await serve(**{limit: 2})
    receiving, answering = await connect(server), await connect(server)
    handler.gates = {b"slow": asyncio.Event()}
    await answering.send(encode_frame(b"slow"))
    await receiving.send(encode_frame(b"one") + b"\x0btw")
    await receiving.answer()
    await handler.until(lambda: b"slow" in handler.taken)

    with capture_logs() as logs:
        third = await connect(server)
        is_refused = await third.is_closed()
    handler.gates[b"slow"].set()
    await receiving.send(b"o\x1c\r")

    assert is_refused
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("mllp.connection_refused", limit)
    ]
    assert server.stats.connections_refused == Counter({limit: 1})
    assert await answering.answer() == b"ack:slow"
    assert await receiving.answer() == b"ack:two"


@pytest.mark.parametrize("limit", ["connections_max", "connections_per_host_max"])
async def test_the_quietest_idle_connection_makes_room_when_the_listener_is_full(
    serve: Serve, connect: Connect, limit: str
) -> None:
    server = await serve(**{limit: 3})
    first, second, third = [await connect(server) for _ in range(3)]
    for peer in (first, second, third, first):
        await peer.ask(b"hello")

    with capture_logs() as logs:
        fourth = await connect(server)
        answer = await fourth.ask(b"four")

    assert await second.is_closed()
    assert answer == b"ack:four"
    assert await first.ask(b"still here") == b"ack:still here"
    assert await third.ask(b"still here") == b"ack:still here"
    assert [line["event"] for line in logs] == [
        "mllp.connection_evicted",
        "mllp.connection_opened",
        "mllp.connection_closed",
    ]
    assert server.stats.connections_evicted == 1
    assert server.stats.connections == 3


async def test_fifty_stalled_connections_cannot_fill_the_places_of_a_good_one(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(connections_max=20, frame_timeout_s=1)
    stalled = [await connect(server) for _ in range(50)]
    for peer in stalled[-20:]:
        await peer.send(b"\x0bMSH|stalled")
    while sum(connection.is_busy for connection in server.admission.connections) < 20:
        await asyncio.sleep(0.001)

    refused = await connect(server)
    is_refused = await refused.is_closed()
    await gone(server)
    good = await connect(server)

    assert is_refused
    assert await good.ask(b"good") == b"ack:good"
    assert server.stats.connections_evicted == 30


async def test_a_host_that_has_left_takes_no_memory(serve: Serve, connect: Connect) -> None:
    server = await serve()
    peer = await connect(server)
    await peer.ask(b"one")

    peer.reset()
    await gone(server)

    assert not server.admission._hosts
    assert not server.admission._named


async def test_a_host_that_is_not_allowed_is_refused_and_costs_nobody_a_place(
    serve: Serve, connect: Connect
) -> None:
    terms = ListenerTerms(allow_hosts=("127.0.0.1", "10.0.0.0/8"))
    server = await serve(terms=terms, connections_max=1)
    allowed = await connect(server)
    await allowed.ask(b"one")

    with capture_logs() as logs:
        other = await connect(server, "127.0.0.2")
        is_refused = await other.is_closed()

    assert is_refused
    assert [line["reason"] for line in logs] == ["host_not_allowed"]
    assert await allowed.ask(b"two") == b"ack:two"


async def test_drain_sends_the_answers_in_flight_and_takes_nothing_more(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(in_flight_max=1)
    peer, idle = await connect(server), await connect(server)
    await idle.ask(b"idle")
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one") + encode_frame(b"two"))
    await handler.until(lambda: b"one" in handler.taken)

    draining = asyncio.ensure_future(server.drain(10))
    assert await idle.is_closed()
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(server)
    handler.gates[b"one"].set()
    await draining

    assert await peer.answer() == b"ack:one"
    assert await peer.is_closed()
    assert b"two" not in handler.taken
    assert server.stats.connections == 0


async def test_drain_ends_at_its_deadline_and_no_answer_is_given_after_it(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one"))
    await handler.until(lambda: handler.taken == [b"one"])

    with capture_logs() as logs:
        await server.drain(0.05)

    assert await peer.is_closed()
    assert handler.finished == []
    assert server.stats.in_flight == 0
    assert logs[-1] == {
        "event": "mllp.listener_drained",
        "log_level": "info",
        "door": "test",
        "count": 1,
    }
