"""TLS on a door, over real sockets: who gets in, and that nothing is lost on the way out."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame
from interfaces.mllp_contract import ListenerTerms
from interfaces.server_tls import DoorCertificate, TlsFiles
from tests.samples.certificates import LONG_AGO, Authority, client_context
from tests.unit.interfaces.mllp_peers import gone

if TYPE_CHECKING:
    from pathlib import Path

    from interfaces.mllp_server import MllpServer
    from tests.unit.interfaces.mllp_peers import Connect, Handler, Serve

ENDED = datetime(2021, 1, 1, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def certificate(authority: Authority) -> DoorCertificate:
    pair = authority.issue("door")
    return DoorCertificate(TlsFiles(pair.certificate, pair.key), door="test")


@pytest.fixture
def terms(certificate: DoorCertificate) -> ListenerTerms:
    return ListenerTerms(tls_context=certificate.current)


@pytest.fixture
def mutual(authority: Authority) -> ListenerTerms:
    pair = authority.issue("door")
    files = TlsFiles(pair.certificate, pair.key, client_ca=authority.path)
    return ListenerTerms(tls_context=DoorCertificate(files, door="test").current)


class HalfPeer:
    """A client that can end its sending half alone, as asyncio's TLS cannot."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    async def connect(self, server: MllpServer) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port)
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self.incoming.write(await self.reader.read(65536))
            else:
                return self.flush()

    def flush(self) -> None:
        self.writer.write(self.outgoing.read())

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush()

    def end_sending(self) -> None:
        with suppress(ssl.SSLError):  # it asks for the other's end
            self.tls.unwrap()
        self.flush()

    async def answers(self) -> list[bytes]:
        """Return all until the other end is closed, and whether it was closed in order."""
        decoder, events = FrameDecoder(1_000_000), []
        while data := await self.reader.read(65536):
            self.incoming.write(data)
            with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while clear := self.tls.read(65536):
                    events += decoder.receive(clear)
        self.writer.close()
        return [event.payload for event in events if isinstance(event, FrameReceived)]


async def test_messages_are_answered_over_tls(
    serve: Serve, connect: Connect, authority: Authority, terms: ListenerTerms
) -> None:
    server = await serve(terms)
    peer = await connect(server, tls=client_context(authority))

    assert await peer.ask(b"one") == b"ack:one"
    await peer.send(b"\x0btw", b"o\x1c\r" + encode_frame(b"three"))
    assert [await peer.answer(), await peer.answer()] == [b"ack:two", b"ack:three"]
    peer.writer.close()
    await gone(server)
    assert server.stats.answers_unsent == 0


@pytest.mark.parametrize("ending", ["close_notify", "FIN"])
async def test_a_peer_that_ends_its_sending_half_still_gets_its_answers_over_tls(
    serve: Serve, handler: Handler, authority: Authority, terms: ListenerTerms, ending: str
) -> None:
    server = await serve(terms, in_flight_max=1)
    handler.gates = {b"one": asyncio.Event()}
    peer = HalfPeer(client_context(authority))
    await peer.connect(server)

    peer.send(encode_frame(b"one") + encode_frame(b"two") + b"\x0bthree\x1c")
    await handler.until(lambda: handler.taken == [b"one"])
    if ending == "FIN":
        peer.writer.write_eof()
    else:
        peer.end_sending()
    handler.gates[b"one"].set()

    assert await peer.answers() == [b"ack:one", b"ack:two", b"ack:three"]
    await gone(server)


async def is_let_in(connect: Connect, server: MllpServer, context: ssl.SSLContext) -> bool:
    """Tell whether a client gets an answer; in TLS 1.3 it hears a no only when it reads."""
    try:
        peer = await connect(server, tls=context)
        await peer.send(encode_frame(b"one"))
        return bool(await peer.reader.read(1))
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_only_the_right_client_gets_in_where_both_must_prove_themselves(
    serve: Serve,
    connect: Connect,
    handler: Handler,
    authority: Authority,
    mutual: ListenerTerms,
    tmp_path: Path,
    version: ssl.TLSVersion,
) -> None:
    server = await serve(mutual)
    clients = {
        "right": authority.issue("right"),
        "expired": authority.issue("expired", ends=ENDED),
        "wrong": Authority(tmp_path, "stranger").issue("wrong"),
        "none": None,
    }
    let_in = {}

    with capture_logs() as logs:
        for name, pair in clients.items():
            context = client_context(authority, pair)
            context.maximum_version = version
            let_in[name] = await is_let_in(connect, server, context)

    refusals = [line for line in logs if line["event"] == "mllp.connection_refused"]
    assert let_in == {"right": True, "expired": False, "wrong": False, "none": False}
    assert handler.taken == [b"one"]
    assert [line["status"] for line in refusals] == [
        "certificate_verify_failed",
        "certificate_verify_failed",
        "peer_did_not_return_a_certificate",
    ]
    assert server.stats.connections_refused == Counter({"tls_handshake": 3})
    assert ENDED > LONG_AGO


async def test_a_client_that_is_refused_is_told_why_by_an_alert(
    serve: Serve, connect: Connect, authority: Authority, mutual: ListenerTerms
) -> None:
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 it would hear of it only later
    server = await serve(mutual)

    with pytest.raises(ssl.SSLError, match=r"(?i)alert handshake failure"):
        await connect(server, tls=context)


async def test_what_came_while_nothing_was_read_is_read_when_there_is_room(
    serve: Serve, authority: Authority, terms: ListenerTerms, handler: Handler
) -> None:
    peer = HalfPeer(client_context(authority))
    await peer.connect(await serve(terms, in_flight_max=1))

    for number in range(5):  # records of their own, in one segment
        peer.tls.write(encode_frame(b"%d" % number))
    peer.flush()
    await handler.until(lambda: len(handler.finished) == 5)
    peer.writer.write_eof()

    assert await peer.answers() == [b"ack:%d" % number for number in range(5)]


async def test_old_tls_is_refused(
    serve: Serve, connect: Connect, authority: Authority, terms: ListenerTerms
) -> None:
    context = client_context(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    assert not await is_let_in(connect, await serve(terms), context)


async def test_a_handshake_holds_a_place_and_does_not_last_for_ever(
    serve: Serve, connect: Connect, authority: Authority, terms: ListenerTerms
) -> None:
    server = await serve(terms, handshake_timeout_s=0.1)
    silent, half = await connect(server), await connect(server)
    await half.send(b"\x16\x03\x01\x02\x00\x01")
    while server.stats.connections < 2:
        await asyncio.sleep(0.001)

    with capture_logs() as logs:
        are_closed = [await silent.is_closed(), await half.is_closed()]
        await gone(server)

    assert are_closed == [True, True]
    assert [(line["event"], line["status"]) for line in logs] == [
        ("mllp.connection_refused", "timed_out")
    ] * 2


async def test_a_peer_without_tls_is_refused_and_a_look_at_the_port_is_not_told(
    serve: Serve, connect: Connect, terms: ListenerTerms, handler: Handler
) -> None:
    server = await serve(terms)
    plain, looking = await connect(server), await connect(server)

    with capture_logs() as logs:
        await plain.send(encode_frame(b"one"))
        while not await plain.is_closed():
            pass
        looking.writer.close()
        await gone(server)

    assert [line["reason"] for line in logs] == ["tls_handshake"]
    assert handler.taken == []


async def test_bytes_changed_on_their_way_close_the_connection(
    serve: Serve, authority: Authority, terms: ListenerTerms, handler: Handler
) -> None:
    server = await serve(terms)
    peer = HalfPeer(client_context(authority))
    await peer.connect(server)

    peer.writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))

    assert await peer.answers() == []
    await gone(server)
    assert handler.taken == []


async def test_large_answers_wait_for_a_slow_reader_and_all_arrive(
    serve: Serve, connect: Connect, authority: Authority, terms: ListenerTerms
) -> None:
    peer = await connect(await serve(terms, in_flight_max=2), tls=client_context(authority))

    await peer.send(encode_frame(b"large") * 60)
    answers = [await peer.answer() for _ in range(60)]

    assert {len(answer) for answer in answers} == {100_000}


async def test_a_peer_that_never_reads_is_cut_off_over_tls_too(
    serve: Serve, authority: Authority, terms: ListenerTerms
) -> None:
    server = await serve(terms, write_timeout_s=0.1)
    peer = HalfPeer(client_context(authority))
    await peer.connect(server)

    with capture_logs() as logs:
        with suppress(ConnectionError):
            while not peer.writer.is_closing():
                peer.send(encode_frame(b"large") * 100)
                await peer.writer.drain()
        await gone(server)

    closed = next(line for line in logs if line["event"] == "mllp.connection_closed")
    assert closed["reason"] == "write_timeout"


async def test_drain_sends_what_is_due_over_tls(
    serve: Serve, connect: Connect, handler: Handler, authority: Authority, terms: ListenerTerms
) -> None:
    server = await serve(terms)
    peer, shaking = await connect(server, tls=client_context(authority)), await connect(server)
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one"))
    await handler.until(lambda: handler.taken == [b"one"])

    draining = asyncio.ensure_future(server.drain(10))
    assert await shaking.is_closed()
    handler.gates[b"one"].set()
    await draining

    assert await peer.answer() == b"ack:one"
    assert await peer.is_closed()


async def test_a_certificate_is_replaced_under_load_and_no_message_fails(
    serve: Serve, connect: Connect, authority: Authority
) -> None:
    pair = authority.issue("door")
    certificate = DoorCertificate(TlsFiles(pair.certificate, pair.key), door="test")
    server = await serve(ListenerTerms(tls_context=certificate.current))
    is_over, asked, seen = asyncio.Event(), 0, set()

    async def send(*, stays: bool) -> None:
        nonlocal asked
        peer = None
        while not is_over.is_set():
            if peer is None or not stays:
                peer = await connect(server, tls=client_context(authority))
                seen.add(peer.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"])
            asked, payload = asked + 1, b"%d" % asked
            assert await peer.ask(payload) == b"ack:" + payload

    senders = [asyncio.ensure_future(send(stays=number < 4)) for number in range(8)]
    while not seen:
        await asyncio.sleep(0.001)
    for number in range(3):
        new = authority.issue(f"new{number}")
        new.certificate.replace(pair.certificate)
        certificate.reload_if_changed()
        new.key.replace(pair.key)
        while not certificate.reload_if_changed():
            await asyncio.sleep(0)
        before = len(seen)
        while len(seen) == before:
            await asyncio.sleep(0.001)
    is_over.set()
    await asyncio.gather(*senders)

    assert len(seen) == 4
    assert server.stats.answers_sent == server.stats.frames_received == asked
    assert server.stats.connections_refused == Counter()
