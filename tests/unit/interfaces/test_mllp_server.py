"""The listener over real sockets: how many it takes, and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from interfaces.mllp_codec import encode_frame
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
async def test_a_connection_over_the_limit_is_closed_at_once_and_a_place_is_freed_by_leaving(
    serve: Serve, connect: Connect, limit: str
) -> None:
    server = await serve(**{limit: 2})
    first, second = await connect(server), await connect(server)
    await first.ask(b"one")
    await second.ask(b"two")

    with capture_logs() as logs:
        third = await connect(server)
        is_refused = await third.is_closed()
    first.reset()
    await gone(server, left=1)
    fourth = await connect(server)

    assert is_refused
    assert [line["reason"] for line in logs] == [limit]
    assert server.stats.connections_refused == 1
    assert await fourth.ask(b"four") == b"ack:four"
    for peer in (second, fourth):
        peer.reset()
    await gone(server)
    assert not server._hosts  # a host that has left takes no memory


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
