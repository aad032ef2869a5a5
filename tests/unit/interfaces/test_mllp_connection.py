"""One connection over real sockets: every framing row of the behaviour matrix, order and time."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from interfaces.mllp_codec import FrameDecoder, encode_frame
from interfaces.mllp_contract import FrameFault, ListenerLimits
from interfaces.mllp_server import MllpServer
from tests.unit.interfaces.mllp_peers import MESSAGE, Handler, gone

if TYPE_CHECKING:
    from tests.unit.interfaces.mllp_peers import Connect, Serve

# Framing bytes that meet each other often, beside anything at all.
STREAMS = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\r", b"MSH|", b"\x1c\r", b"\x0bone\x1c\r", b"+"])
    | st.binary(max_size=60),
    max_size=12,
).map(b"".join)


async def test_a_message_is_answered(serve: Serve, connect: Connect) -> None:
    peer = await connect(await serve())

    assert await peer.ask(b"one") == b"ack:one"
    assert await peer.ask(b"two") == b"ack:two"


async def test_a_message_split_over_16_segments_is_answered_once(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())
    frame = encode_frame(MESSAGE)
    step = len(frame) // 15

    for start in range(0, len(frame), step):
        await peer.send(frame[start : start + step])
        await asyncio.sleep(0)  # one turn of the loop, so that segments leave one by one

    assert await peer.answer() == b"ack:" + MESSAGE[:20]
    assert handler.taken == [MESSAGE]


async def test_three_messages_in_one_segment_get_three_answers(
    serve: Serve, connect: Connect
) -> None:
    peer = await connect(await serve())

    await peer.send(b"".join(map(encode_frame, (b"1", b"2", b"3"))))

    assert [await peer.answer() for _ in range(3)] == [b"ack:1", b"ack:2", b"ack:3"]


async def test_a_message_without_end_block_is_refused_and_the_next_answered(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)

    await peer.send(b"\x0bfirst patient\r")

    assert await peer.ask(b"second patient") == b"ack:second patient"
    assert handler.taken == [b"second patient"]
    assert handler.refused == [(b"first patient\r", FrameFault.ABANDONED)]
    assert server.stats.frames_rejected == Counter({FrameFault.ABANDONED: 1})


async def test_garbage_before_a_start_byte_is_skipped_counted_and_told_once(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)

    with capture_logs() as logs:
        await peer.send(b"xyz\r\n" + encode_frame(b"one") + b"!" + encode_frame(b"two"))
        answers = [await peer.answer(), await peer.answer()]

    assert answers == [b"ack:one", b"ack:two"]
    assert handler.refused == []
    assert server.stats.garbage_bytes == 4
    assert [line["bytes"] for line in logs if line["event"] == "mllp.garbage_skipped"] == [3]


async def test_a_message_without_start_byte_goes_to_refuse_and_its_answer_is_sent(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())

    await peer.send(MESSAGE + b"\x1c\r")

    assert await peer.answer() == b"nak:not_framed"
    assert handler.refused == [(MESSAGE, FrameFault.NOT_FRAMED)]


async def test_an_end_byte_without_carriage_return_is_answered_when_the_next_frame_starts(
    serve: Serve, connect: Connect
) -> None:
    peer = await connect(await serve())

    await peer.send(b"\x0bone\x1c", encode_frame(b"two"))

    assert [await peer.answer(), await peer.answer()] == [b"ack:one", b"ack:two"]


@pytest.mark.parametrize("payload", [b"", b"no HL7", b"MSH|a\nPID|b\n", b"A\r\nB\r\r", b"\xe9\xff"])
async def test_whatever_stands_in_a_frame_reaches_the_handler_untouched(
    serve: Serve, connect: Connect, handler: Handler, payload: bytes
) -> None:
    peer = await connect(await serve())

    assert await peer.ask(payload) == b"ack:" + payload
    assert handler.taken == [payload]


async def test_a_30_mb_message_is_refused_with_its_head_and_the_next_one_works(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())

    await peer.send(b"\x0b" + MESSAGE, *[b"x" * 1_000_000] * 30, b"\x1c\r")

    assert await peer.answer() == b"nak:too_large"
    assert handler.refused[0][0].startswith(MESSAGE)
    assert len(handler.refused[0][0]) == 4096
    assert await peer.ask(b"next") == b"ack:next"


async def test_a_peer_that_shuts_its_sending_half_still_gets_its_answers(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(in_flight_max=1))
    handler.gates = {b"one": asyncio.Event()}

    await peer.send(encode_frame(b"one") + encode_frame(b"two") + b"\x0bthree\x1c")
    await handler.until(lambda: handler.taken == [b"one"])
    peer.writer.write_eof()
    handler.gates[b"one"].set()

    assert [await peer.answer() for _ in range(3)] == [b"ack:one", b"ack:two", b"ack:three"]
    assert await peer.is_closed()


async def test_a_frame_cut_off_by_the_peer_is_refused(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())

    await peer.send(b"\x0bhalf a mess")
    peer.writer.write_eof()

    assert await peer.is_closed()
    assert handler.refused == [(b"half a mess", FrameFault.ABANDONED)]


async def test_a_reset_leaves_running_answers_to_finish_and_tells_that_they_were_not_sent(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one") + b"\x0bhalf")
    await handler.until(lambda: handler.taken == [b"one"])

    peer.reset()
    await gone(server)
    handler.gates[b"one"].set()
    await handler.until(lambda: handler.finished == [b"one"])

    assert server.stats.answers_unsent == 1
    assert server.stats.frames_rejected == Counter({FrameFault.ABANDONED: 1})


async def test_a_frame_that_does_not_end_in_time_is_refused_and_the_connection_closed(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(frame_timeout_s=0.05))

    await peer.send(encode_frame(b"one") + b"\x0btwo")

    assert await peer.answer() == b"ack:one"
    assert await peer.is_closed()
    assert handler.refused == [(b"two", FrameFault.ABANDONED)]


async def test_trickling_bytes_do_not_lengthen_the_time_of_a_frame(
    serve: Serve, connect: Connect
) -> None:
    peer = await connect(await serve(frame_timeout_s=0.1))
    closed = asyncio.ensure_future(peer.is_closed())

    await peer.send(b"\x0b")
    while not closed.done():
        peer.writer.write(b"x")
        await asyncio.wait([closed], timeout=0.02)

    assert closed.result()


async def test_the_time_of_a_frame_does_not_run_while_it_waits_for_answers_before_it(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(frame_timeout_s=0.05, in_flight_max=1))
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one") + b"\x0btw")
    await handler.until(lambda: handler.taken == [b"one"])

    closed = asyncio.ensure_future(peer.reader.read(1))
    await asyncio.wait([closed], timeout=0.15)
    assert not closed.done()
    handler.gates[b"one"].set()
    await closed
    await peer.send(b"o\x1c\r")
    await handler.until(lambda: handler.finished == [b"one", b"two"])

    assert handler.refused == []


async def test_a_peer_that_never_speaks_mllp_is_closed(serve: Serve, connect: Connect) -> None:
    server = await serve(frame_timeout_s=0.05)
    peer = await connect(server)

    await peer.send(b"GET / HTTP/1.1\r\n\r\n")

    assert await peer.is_closed()
    assert server.stats.garbage_bytes == 14


async def test_garbage_after_good_frames_is_forgiven(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(frame_timeout_s=0.02)
    peer = await connect(server)
    await peer.ask(b"one")

    with capture_logs() as logs:
        await peer.send(b"!")
        while not logs:
            await asyncio.sleep(0.005)  # until the limit has passed and was told

    assert logs[0]["event"] == "mllp.garbage_skipped"
    assert await peer.ask(b"two") == b"ack:two"


async def test_a_quiet_connection_is_closed_only_where_that_is_wanted(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    quiet = await connect(await serve())
    timed = await connect(await serve(idle_timeout_s=0.2))
    handler.gates = {b"slow": asyncio.Event()}

    await timed.send(encode_frame(b"slow"))
    waiting = asyncio.ensure_future(timed.answer())
    await asyncio.wait([waiting], timeout=0.5)
    assert not waiting.done()  # a peer that waits for its answer is not quiet
    handler.gates[b"slow"].set()

    assert await waiting == b"ack:slow"
    assert await timed.ask(b"next") == b"ack:next"
    assert await timed.is_closed()
    assert await quiet.ask(b"one") == b"ack:one"


async def test_no_more_than_the_limit_is_in_flight_and_the_socket_waits(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(in_flight_max=4)
    peer = await connect(server)
    payloads = [b"%d" % number for number in range(100)]
    handler.gates = {payload: asyncio.Event() for payload in payloads}

    await peer.send(b"".join(map(encode_frame, payloads)))
    await handler.until(lambda: len(handler.taken) == 4)
    await asyncio.sleep(0)
    in_flight = server.stats.in_flight
    for gate in handler.gates.values():
        gate.set()
    answers = [await peer.answer() for _ in payloads]

    assert in_flight == 4
    assert answers == [b"ack:" + payload for payload in payloads]


async def test_large_messages_in_flight_are_bounded_by_their_bytes(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(frame_bytes_max=1000)
    peer = await connect(server)
    payloads = [b"%d" % number + b"x" * 599 for number in range(6)]
    handler.gates = {payload: asyncio.Event() for payload in payloads}

    await peer.send(b"".join(map(encode_frame, payloads)))
    await handler.until(lambda: len(handler.taken) == 2)
    await asyncio.sleep(0)
    in_flight = server.stats.in_flight
    for gate in handler.gates.values():
        gate.set()

    assert in_flight == 2
    assert [await peer.answer() for _ in payloads] == [b"ack:" + text[:20] for text in payloads]


async def test_a_peer_that_never_reads_its_answers_is_cut_off(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(write_timeout_s=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
    flood = encode_frame(b"large") * 1000

    with capture_logs() as logs:
        writing = asyncio.ensure_future(write_for_ever(writer, flood))
        await asyncio.wait([writing])

    assert reader.exception() is not None or writing.exception() is not None
    closed = next(line for line in logs if line["event"] == "mllp.connection_closed")
    assert closed["reason"] == "write_timeout"
    assert server.stats.answers_unsent > 0


async def test_a_flood_of_bad_frames_closes_the_connection(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(faults_max=5))

    await peer.send(b"\x0bx" * 1000)

    assert await peer.is_closed()
    assert len(handler.refused) == 5


async def test_a_connection_is_kept_alive_and_sends_without_delay(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    peer = await connect(server)
    await peer.ask(b"one")

    (connection,) = server.admission.connections
    sock = connection._transport.get_extra_info("socket")

    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def write_for_ever(writer: asyncio.StreamWriter, data: bytes) -> None:
    try:
        while True:
            writer.write(data)
            await writer.drain()
    finally:
        writer.transport.abort()


async def test_an_answer_that_takes_too_long_closes_the_connection_and_is_never_sent(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(answer_timeout_s=0.1)
    peer = await connect(server)
    handler.gates = {b"slow": asyncio.Event()}
    await peer.ask(b"quick")

    with capture_logs() as logs:
        await peer.send(encode_frame(b"slow") + encode_frame(b"behind it"))
        is_closed = await peer.is_closed()
        await gone(server)
    handler.gates[b"slow"].set()
    await handler.until(lambda: b"slow" in handler.finished)

    assert is_closed
    assert [line["event"] for line in logs] == [
        "mllp.answer_late",
        "mllp.answers_unsent",
        "mllp.connection_closed",
    ]
    assert server.stats.answers_late == 1
    assert server.stats.answers_unsent == 2


async def test_an_answer_has_its_own_time_and_not_that_of_those_before_it(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer = await connect(server)
    handler.gates = {b"slow": asyncio.Event()}
    await peer.ask(b"quick")
    await peer.send(encode_frame(b"slow"))
    await handler.until(lambda: b"slow" in handler.taken)

    (connection,) = server.admission.connections
    connection._on_answer_timer()  # the time of the first is over
    handler.gates[b"slow"].set()

    assert await peer.answer() == b"ack:slow"
    assert server.stats.answers_late == 0


async def test_messages_that_come_too_fast_wait_and_none_is_lost(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(messages_per_second_max=50, in_flight_max=2))
    payloads = [b"%d" % number for number in range(11)]
    loop = asyncio.get_running_loop()
    started_s = loop.time()

    await peer.send(b"".join(map(encode_frame, payloads)))
    peer.writer.write_eof()
    answers = [await peer.answer() for _ in payloads]
    spent_s = loop.time() - started_s

    assert answers == [b"ack:" + payload for payload in payloads]
    assert spent_s >= 10 / 50
    assert await peer.is_closed()


async def test_a_paced_connection_does_not_hold_up_another(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve(messages_per_second_max=0.001)
    held, free = await connect(server), await connect(server)

    await held.send(encode_frame(b"one") + encode_frame(b"two"))

    assert await held.answer() == b"ack:one"
    assert await free.ask(b"free") == b"ack:free"
    assert b"two" not in handler.taken


async def test_a_30_mb_message_is_taken_where_the_limit_allows_it(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(frame_bytes_max=32_000_000))
    payload = MESSAGE + b"x" * 30_000_000

    assert await peer.ask(payload) == b"ack:" + MESSAGE[:20]
    assert handler.taken == [payload]


@given(stream=STREAMS)
@settings(max_examples=50)
def test_no_bytes_at_all_break_the_listener(stream: bytes) -> None:
    async def send(handler: Handler) -> bytes:
        limits = ListenerLimits(frame_bytes_max=50)
        server = MllpServer(handler, limits, door="test", port=0)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(stream)
        writer.write_eof()
        answered = await reader.read()
        writer.close()
        await server.drain(1)
        assert server.stats.connections == 0
        assert server.stats.answers_failed == 0
        return answered

    handler = Handler()
    decoder = FrameDecoder(1000)
    answered = decoder.receive(asyncio.run(send(handler))) + decoder.finish()

    refused = sum(fault is not FrameFault.ABANDONED for _, fault in handler.refused)
    assert len(answered) == refused + sum(len(each.split(b"+")) for each in handler.taken)
