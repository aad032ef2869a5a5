"""The answers of one connection, over real sockets: their order, what follows them, release 2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest
from structlog.testing import capture_logs

from interfaces.mllp_codec import encode_frame
from interfaces.mllp_contract import ListenerTerms
from tests.unit.interfaces.mllp_peers import MESSAGE, gone

if TYPE_CHECKING:
    from tests.unit.interfaces.mllp_peers import Connect, Handler, Serve


async def test_ten_pipelined_messages_run_at_once_and_are_answered_in_order(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())
    payloads = [b"%d" % number for number in range(10)]
    handler.gates = {payload: asyncio.Event() for payload in payloads}

    await peer.send(b"".join(map(encode_frame, payloads)))
    await handler.until(lambda: len(handler.taken) == 10)
    for payload in reversed(payloads):
        handler.gates[payload].set()
        await handler.until(lambda payload=payload: payload in handler.finished)

    assert handler.taken == payloads
    assert handler.finished == payloads[::-1]
    assert [await peer.answer() for _ in payloads] == [b"ack:" + payload for payload in payloads]


async def test_no_answer_is_sent_where_none_is_due(serve: Serve, connect: Connect) -> None:
    peer = await connect(await serve())

    await peer.send(encode_frame(b"silent"))

    assert await peer.ask(b"one") == b"ack:one"


async def test_the_answers_of_a_batch_are_sent_one_frame_each_in_their_order(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    peer = await connect(server)

    await peer.send(encode_frame(b"a+b+c") + encode_frame(b"d"))

    answers = [await peer.answer() for _ in range(4)]
    assert answers == [b"ack:a", b"ack:b", b"ack:c", b"ack:d"]
    assert server.stats.answers_sent == 4


async def test_a_later_message_follows_the_answer_of_its_own_message(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve())
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one") + encode_frame(b"two"))
    await handler.until(lambda: handler.finished == [b"two"])

    is_taken = handler.later[b"two"](b"two is done")
    handler.gates[b"one"].set()
    answers = [await peer.answer() for _ in range(3)]
    is_taken_after = handler.later[b"one"](b"one is done")

    assert is_taken
    assert is_taken_after
    assert answers == [b"ack:one", b"ack:two", b"two is done"]
    assert await peer.answer() == b"one is done"


async def test_nothing_is_sent_later_on_a_connection_that_is_gone_or_ending(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    server = await serve()
    peer, leaving = await connect(server), await connect(server)
    handler.gates = {b"leaving": asyncio.Event()}
    await peer.ask(b"one")
    await leaving.send(encode_frame(b"leaving"))
    leaving.writer.write_eof()
    await handler.until(lambda: b"leaving" in handler.taken)
    peer.reset()
    await gone(server, left=1)
    (connection,) = server.admission.connections
    while connection._ending is None:
        await asyncio.sleep(0.001)

    assert not handler.later[b"one"](b"too late")
    assert not handler.later[b"leaving"](b"its sender has shut its half")
    handler.gates[b"leaving"].set()
    assert await leaving.answer() == b"ack:leaving"


async def test_an_answer_that_fails_closes_the_connection_after_the_answers_before_it(
    serve: Serve, connect: Connect
) -> None:
    server = await serve()
    peer = await connect(server)

    with capture_logs() as logs:
        await peer.send(b"".join(map(encode_frame, (b"one", b"boom", b"two"))))
        answer = await peer.answer()
        is_closed = await peer.is_closed()

    assert (answer, is_closed) == (b"ack:one", True)
    failed = next(line for line in logs if line["event"] == "mllp.answer_failed")
    assert failed["error_class"] == "ValueError"
    assert "CANARY" not in repr(logs)
    assert server.stats.answers_failed == 1
    assert server.stats.answers_sent == 1


@pytest.mark.parametrize(
    ("payload", "commit", "answers"),
    [(b"one", b"\x06", [b"ack:one"]), (b"a+b", b"\x06", [b"ack:a", b"ack:b"])],
)
async def test_release_2_says_that_a_message_is_on_disk_before_it_answers(
    serve: Serve, connect: Connect, payload: bytes, commit: bytes, answers: list[bytes]
) -> None:
    peer = await connect(await serve(ListenerTerms(release=2)))

    await peer.send(encode_frame(payload))

    assert await peer.answer() == commit
    assert [await peer.answer() for _ in answers] == answers


async def test_release_2_says_no_to_what_is_not_on_disk_and_nothing_of_an_abandoned_frame(
    serve: Serve, connect: Connect
) -> None:
    peer = await connect(await serve(ListenerTerms(release=2)))

    await peer.send(b"\x0babandoned" + encode_frame(b"silent") + MESSAGE + b"\x1c\r")

    assert await peer.answer() == b"\x15"
    assert [await peer.answer() for _ in range(2)] == [b"\x15", b"nak:not_framed"]


@pytest.mark.parametrize("release", [1, 2])
@pytest.mark.parametrize("commit", [b"\x06", b"\x15"])
async def test_a_peers_commit_byte_is_never_answered(
    serve: Serve, connect: Connect, handler: Handler, release: Literal[1, 2], commit: bytes
) -> None:
    peer = await connect(await serve(ListenerTerms(release=release)))

    await peer.send(encode_frame(commit) + encode_frame(b"silent") + encode_frame(b"one"))
    answers = [await peer.answer() for _ in range(1 if release == 1 else 3)]

    assert answers[-1] == b"ack:one" if release == 1 else answers == [b"\x15", b"\x06", b"ack:one"]
    assert handler.taken == [b"silent", b"one"]


async def test_what_may_come_later_is_bounded_when_the_peer_does_not_take_it(
    serve: Serve, connect: Connect, handler: Handler
) -> None:
    peer = await connect(await serve(in_flight_max=3))
    handler.gates = {b"one": asyncio.Event()}
    await peer.send(encode_frame(b"one"))
    await handler.until(lambda: b"one" in handler.taken)

    taken = [handler.later[b"one"](b"%d" % number) for number in range(4)]
    handler.gates[b"one"].set()
    answers = [await peer.answer() for _ in range(4)]

    assert taken == [True, True, True, False]
    assert answers == [b"ack:one", b"0", b"1", b"2"]
    assert handler.later[b"one"](b"there is room again")
    assert await peer.answer() == b"there is room again"
