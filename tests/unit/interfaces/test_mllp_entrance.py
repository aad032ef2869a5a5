"""What stands before the first frame, over real sockets: the PROXY header, and then perhaps TLS."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from interfaces.mllp_codec import encode_frame
from interfaces.mllp_contract import ListenerTerms
from interfaces.server_tls import DoorCertificate, TlsFiles
from tests.samples.certificates import Authority, client_context
from tests.unit.interfaces.mllp_peers import gone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.interfaces.mllp_peers import Connect, Handler, Peer, Serve

PROXIED = ListenerTerms(proxy_protocol=True, allow_hosts=("192.0.2.0/24", "127.0.0.1"))
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 2575\r\n"
V2 = bytes.fromhex("0d0a0d0a000d0a515549540a 2111000c c0000207 c6336401 dc040a0f")
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 20000000")


@pytest.mark.parametrize("header", [V1, V2])
@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_the_sender_is_the_one_that_the_header_names(
    serve: Serve, connect: Connect, handler: Handler, header: bytes, step: int
) -> None:
    handler.host = "192.0.2.7"
    peer = await connect(await serve(PROXIED))
    stream = header + encode_frame(b"one")

    with capture_logs() as logs:
        for start in range(0, len(stream), step):
            await peer.send(stream[start : start + step])
            await asyncio.sleep(0)
        answer = await peer.answer()

    assert answer == b"ack:one"
    assert [line["peer"] for line in logs] == ["192.0.2.7:56324"]


async def test_a_proxy_that_speaks_for_itself_is_known_by_its_own_address(
    serve: Serve, connect: Connect
) -> None:
    peer = await connect(await serve(PROXIED))

    await peer.send(LOCAL + encode_frame(b"one"))

    assert await peer.answer() == b"ack:one"


async def test_the_allow_list_goes_by_the_address_in_the_header(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(PROXIED)
    peer = await connect(server)

    await peer.send(V1.replace(b"192.0.2.7", b"203.0.113.9") + encode_frame(b"one"))

    assert await peer.is_closed()
    assert handler.taken == []
    assert server.stats.connections_refused == Counter({"host_not_allowed": 1})


async def test_the_limit_of_a_host_goes_by_the_address_in_the_header(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    handler.host = "192.0.2"
    server = await serve(PROXIED, connections_per_host_max=1)

    async def arrive(host: bytes) -> Peer:
        peer = await connect(server)
        await peer.send(V1.replace(b"192.0.2.7", host) + b"\x0bbusy")
        return peer

    first, other = await arrive(b"192.0.2.7"), await arrive(b"192.0.2.8")
    while sum(connection.is_busy for connection in server.admission.connections) < 2:
        await asyncio.sleep(0.001)
    second = await arrive(b"192.0.2.7")

    assert await second.is_closed()
    assert server.stats.connections_refused == Counter({"connections_per_host_max": 1})
    assert {first.writer.is_closing(), other.writer.is_closing()} == {False}


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (encode_frame(b"one"), "proxy_header_missing"),
        (b"PROXY TCP4 nonsense\r\n", "proxy_header_malformed"),
        (V2.replace(b"\x21\x11", b"\x51\x11"), "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7", "timed_out"),
        (b"", "timed_out"),
    ],
)
async def test_a_connection_without_a_right_header_is_closed(
    serve: Serve, connect: Connect, handler: Handler, start: bytes, status: str
) -> None:
    limit_s = 0.1 if status == "timed_out" else 10
    peer = await connect(await serve(PROXIED, handshake_timeout_s=limit_s))

    with capture_logs() as logs:
        await peer.send(start)
        is_closed = await peer.is_closed()

    assert is_closed
    assert handler.taken == []
    assert [(line["reason"], line["status"]) for line in logs] == [("proxy_header", status)]


@pytest.mark.parametrize(("sent", "told"), [(b"", 0), (b"PROXY", 1)])
async def test_a_look_at_the_port_is_not_told_and_half_a_header_is(
    serve: Serve, connect: Connect, sent: bytes, told: int
) -> None:
    server = await serve(PROXIED)
    peer = await connect(server)
    while not server.stats.connections:
        await asyncio.sleep(0.001)

    with capture_logs() as logs:
        await peer.send(sent)
        peer.writer.close()
        await gone(server)

    assert len(logs) == told


async def test_those_whose_header_is_to_come_hold_a_place(serve: Serve, connect: Connect) -> None:
    server = await serve(PROXIED, connections_max=1)
    first = await connect(server)
    while not server.stats.connections:
        await asyncio.sleep(0.001)

    second = await connect(server)

    assert await first.is_closed()
    await second.send(LOCAL)
    assert await second.ask(b"one") == b"ack:one"
    assert server.stats.connections == 1


@pytest.mark.parametrize("header", [V1, V2])
async def test_the_header_comes_before_the_handshake(
    serve: Serve, connect: Connect, handler: Handler, tmp_path: Path, header: bytes
) -> None:
    handler.host = "192.0.2.7"
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("door")
    certificate = DoorCertificate(TlsFiles(pair.certificate, pair.key), door="test")
    server = await serve(ListenerTerms(proxy_protocol=True, tls_context=certificate.current))

    peer = await connect(server)
    peer.writer.write(header)
    await peer.writer.start_tls(client_context(authority), server_hostname="127.0.0.1")

    assert await peer.ask(b"one") == b"ack:one"


async def test_without_the_setting_a_header_is_only_garbage(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)

    await peer.send(V1 + encode_frame(b"one"))

    assert await peer.answer() == b"ack:one"  # the handler saw the connection's own address
    assert server.stats.garbage_bytes > 0
