"""The client against scripted receivers, and against our own listener, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import SendRetryError, UnframeableError
from interfaces.mllp_client import MllpClient, SendResult, run_send, sent_control_id
from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame
from interfaces.mllp_contract import Answer, FrameFault, ListenerLimits
from interfaces.mllp_server import MllpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from interfaces.mllp_client import Awaited
    from interfaces.mllp_contract import Later

    Script = Callable[[bytes], list[bytes]]
    Receive = Callable[[Script], Awaitable[int]]


def message(control_id: bytes) -> bytes:
    return b"MSH|^~\\&|RIS|A|B|C|20260101||ORU^R01|" + control_id + b"|P|2.5.1\r"


def answer(code: bytes, control_id: bytes) -> bytes:
    msh = b"MSH|^~\\&|B|C|RIS|A|20260101||ACK^R01^ACK|x1|P|2.5.1\r"
    return encode_frame(msh + b"MSA|" + code + b"|" + control_id + b"\r")


class Receiver:
    """Writes what its script says for each message; ``b""`` closes the connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.writers: list[asyncio.StreamWriter] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        decoder = FrameDecoder(1_000_000)
        while data := await reader.read(65536):
            for event in decoder.receive(data):
                assert isinstance(event, FrameReceived)
                for piece in self.script(event.payload):
                    writer.write(piece)
                    if not piece:
                        writer.close()


@pytest.fixture
async def receive() -> AsyncIterator[Receive]:
    running: list[tuple[asyncio.Server, Receiver]] = []

    async def start(script: Script) -> int:
        receiver = Receiver(script)
        server = await asyncio.start_server(receiver.talk, "127.0.0.1", 0)
        running.append((server, receiver))
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server, receiver in running:
        server.close()
        for writer in receiver.writers:
            writer.transport.abort()


@pytest.mark.parametrize(("code", "is_accepted"), [(b"AA", True), (b"CA", True), (b"AE", False)])
async def test_the_answer_to_a_message_is_returned(
    receive: Receive,
    code: bytes,
    is_accepted: bool,  # noqa: FBT001 - a parameter of the case, not of an interface
) -> None:
    port = await receive(lambda _: [answer(code, b"17")])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        acknowledgement = await client.send(message(b"17"))

    assert acknowledgement.code == code.decode()
    assert acknowledgement.control_id == b"17"
    assert acknowledgement.is_match
    assert acknowledgement.is_accepted is is_accepted
    assert acknowledgement.raw == answer(code, b"17")[1:-2]
    assert 0 < acknowledgement.seconds < 5


async def test_answers_to_other_messages_are_dropped_and_counted(receive: Receive) -> None:
    port = await receive(
        lambda _: [
            answer(b"AA", b"16"),
            answer(b"AA", b"17 "),
            encode_frame(b"no HL7"),
            answer(b"AA", b""),
            answer(b"AE", b"17"),
            answer(b"AA", b"17"),
        ]
    )

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        acknowledgement = await client.send(message(b"17"))

        assert acknowledgement.code == "AE"
        assert client.discarded_count >= 4


async def test_a_no_from_a_peer_that_could_not_read_the_control_id_is_taken(
    receive: Receive,
) -> None:
    port = await receive(lambda _: [answer(b"AR", b"")])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        acknowledgement = await client.send(message(b"17"))
        streams = client._streams

    assert (acknowledgement.code, acknowledgement.is_match) == ("AR", False)
    assert streams is None  # the next message starts on a connection without a past


async def test_a_late_answer_is_never_taken_for_that_of_the_next_message(
    receive: Receive,
) -> None:
    seen: list[bytes] = []

    def script(payload: bytes) -> list[bytes]:
        seen.append(payload)
        return [] if len(seen) == 1 else [answer(b"AA", b"2")]

    port = await receive(script)

    async with MllpClient("127.0.0.1", port, timeout_s=0.1) as client:
        with pytest.raises(SendRetryError) as failure:
            await client.send(message(b"1"))
        first_streams = client._streams
        acknowledgement = await client.send(message(b"2"))

    assert failure.value.reason == "ack_timeout"
    assert first_streams is None
    assert acknowledgement.control_id == b"2"


async def test_a_connection_closed_without_an_answer_is_told_and_opened_again(
    receive: Receive,
) -> None:
    port = await receive(lambda payload: [b"" if b"|1|" in payload else answer(b"AA", b"2")])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        with pytest.raises(SendRetryError) as failure:
            await client.send(message(b"1"))
        acknowledgement = await client.send(message(b"2"))

    assert failure.value.reason == "connection_lost"
    assert acknowledgement.code == "AA"


async def test_a_connection_that_the_peer_closed_meanwhile_is_opened_again(
    receive: Receive,
) -> None:
    port = await receive(lambda _: [answer(b"AA", b"1"), b""])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        await client.send(message(b"1"))
        assert client._streams is not None
        while not client._streams[0].at_eof():
            await asyncio.sleep(0.001)  # nothing to wait on: reading would take from the client
        acknowledgement = await client.send(message(b"1"))

    assert acknowledgement.code == "AA"


async def test_a_caller_that_gives_up_leaves_no_connection_behind(receive: Receive) -> None:
    arrived = asyncio.Event()

    def script(_: bytes) -> list[bytes]:
        arrived.set()
        return []

    port = await receive(script)
    client = MllpClient("127.0.0.1", port, timeout_s=5)
    sending = asyncio.ensure_future(client.send(message(b"1")))
    await arrived.wait()

    sending.cancel()
    await asyncio.wait([sending])

    assert client._streams is None


async def test_a_commit_byte_of_release_2_is_no_answer(receive: Receive) -> None:
    port = await receive(lambda _: [encode_frame(b"\x06"), answer(b"AA", b"17")])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        acknowledgement = await client.send(message(b"17"))

        assert acknowledgement.code == "AA"
        assert client.discarded_count == 0


async def test_a_peer_that_could_not_commit_is_not_waited_for(receive: Receive) -> None:
    port = await receive(lambda _: [encode_frame(b"\x15")])

    async with MllpClient("127.0.0.1", port, timeout_s=60) as client:
        with pytest.raises(SendRetryError) as failure:
            await client.send(message(b"17"))

        assert failure.value.reason == "not_committed"
        assert client._streams is None


@pytest.mark.parametrize(
    ("said", "code"), [((b"CA", b"AA"), "AA"), ((b"CA", b"AE"), "AE"), ((b"CE",), "CE")]
)
async def test_the_applications_own_answer_can_be_waited_for(
    receive: Receive, said: tuple[bytes, ...], code: str
) -> None:
    port = await receive(lambda _: [answer(each, b"17") for each in said])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        assert (await client.send(message(b"17"), "application")).code == code


async def test_an_application_answer_after_the_accept_is_not_that_of_the_next_message(
    receive: Receive,
) -> None:
    def script(payload: bytes) -> list[bytes]:
        if b"|1|" in payload:
            return [answer(b"CA", b"1"), answer(b"AA", b"1")]
        return [answer(b"CE", b"2")]

    port = await receive(script)

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        first = await client.send(message(b"1"))
        second = await client.send(message(b"2"))

    assert (first.code, second.code) == ("CA", "CE")


async def test_what_nobody_answers_is_told_and_not_waited_for(receive: Receive) -> None:
    heard: list[bytes] = []
    arrived = asyncio.Event()

    def script(payload: bytes) -> list[bytes]:
        heard.append(payload)
        arrived.set()
        return []

    port = await receive(script)

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        await client.tell(message(b"17"))
        await arrived.wait()

    assert heard == [message(b"17")]


async def test_a_no_to_what_nobody_answers_is_not_that_of_the_next_message(
    receive: Receive,
) -> None:
    def script(payload: bytes) -> list[bytes]:
        return [answer(b"AE", b"") if payload == message(b"17") else answer(b"AA", b"18")]

    port = await receive(script)

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        await client.tell(message(b"17"))
        acknowledgement = await client.send(message(b"18"))

    assert acknowledgement.code == "AA"


async def test_a_connection_closed_in_the_middle_of_an_answer_is_told(receive: Receive) -> None:
    port = await receive(lambda _: [answer(b"AA", b"17")[:-12], b""])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        with pytest.raises(SendRetryError) as failure:
            await client.send(message(b"17"))

    assert failure.value.reason == "connection_lost"


async def test_a_peer_that_does_not_read_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with MllpClient("127.0.0.1", port, timeout_s=0.2) as client:
            with pytest.raises(SendRetryError) as failure:
                await client.tell(message(b"17") + b"x" * 32_000_000)

    assert failure.value.reason == "ack_timeout"


async def test_a_peer_that_was_restarted_is_found_again(receive: Receive, unused_port: int) -> None:
    first = await receive(lambda _: [answer(b"AA", b"1"), b""])
    client = MllpClient("127.0.0.1", first, timeout_s=5)
    await client.send(message(b"1"))

    client._port = unused_port  # as if it had stopped
    client.close()
    with pytest.raises(SendRetryError) as failure:
        await client.send(message(b"1"))
    client._port = first
    code = (await client.send(message(b"1"))).code

    client.close()
    assert (failure.value.reason, code) == ("connect_failed", "AA")


@pytest.mark.parametrize(
    ("awaited", "accepted", "reason"),
    [("first", True, None), ("application", False, "connection_lost"), ("none", True, None)],
)
async def test_results_say_whether_the_answer_that_was_asked_for_came(
    receive: Receive,
    awaited: Awaited,
    accepted: bool,  # noqa: FBT001 - a parameter of the case, not of an interface
    reason: str | None,
) -> None:
    port = await receive(lambda _: [answer(b"CA", b"1"), b""])

    sending = run_send([message(b"1")], "127.0.0.1", port, timeout_s=5, awaited=awaited)
    [result] = [each async for each in sending]

    assert (result.is_accepted, result.error_reason) == (accepted, reason)


async def test_an_answer_in_pieces_and_without_its_last_byte_is_read(receive: Receive) -> None:
    whole = answer(b"AA", b"17")
    port = await receive(lambda _: [whole[:9], whole[9:-1], b""])

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        assert (await client.send(message(b"17"))).code == "AA"


async def test_two_senders_of_one_client_take_turns(receive: Receive) -> None:
    def script(payload: bytes) -> list[bytes]:
        return [answer(b"AA", sent_control_id(payload))]

    port = await receive(script)

    async with MllpClient("127.0.0.1", port, timeout_s=5) as client:
        answers = await asyncio.gather(*(client.send(message(b"%d" % n)) for n in range(20)))

        assert [each.control_id for each in answers] == [b"%d" % n for n in range(20)]
        assert client.discarded_count == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "a" * 80])
async def test_nothing_listening_is_told(unused_port: int, host: str) -> None:
    async with MllpClient(host, unused_port, timeout_s=5) as client:
        with pytest.raises(SendRetryError) as failure:
            await client.send(message(b"17"))

    assert failure.value.reason == "connect_failed"


async def test_a_payload_with_framing_bytes_is_not_sent(unused_port: int) -> None:
    async with MllpClient("127.0.0.1", unused_port, timeout_s=5) as client:
        with pytest.raises(UnframeableError):
            await client.send(message(b"17") + b"\x1c\r")


@pytest.mark.parametrize(
    ("payload", "control_id"),
    [
        (message(b"17"), b"17"),
        (b"MSH#^~\\&#A#B#C#D#20260101##ORU^R01#caf\xe9#P#2.5.1\rPID", b"caf\xe9"),
        (b"no HL7", b""),
        (b"", b""),
    ],
)
def test_the_control_id_sent_is_msh_10_byte_for_byte(payload: bytes, control_id: bytes) -> None:
    assert sent_control_id(payload) == control_id


class Echo:
    """Says AA, and to a message ``9`` AE."""

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:
        del door, peer, later
        control_id = sent_control_id(payload)
        return Answer((answer(b"AE" if control_id == b"9" else b"AA", control_id)[1:-2],))

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        del fault, door, peer
        return Answer((answer(b"AR", sent_control_id(head))[1:-2],))


@pytest.fixture
async def our_server() -> AsyncIterator[MllpServer]:
    limits = ListenerLimits(frame_bytes_max=5000)
    server = MllpServer(Echo(), limits, door="test", port=0)
    await server.start()
    yield server
    await server.drain(1)


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_many_messages_over_several_connections_get_one_result_each(
    our_server: MllpServer, concurrency: int
) -> None:
    payloads = (message(b"%d" % number) for number in range(100))

    results = [
        result
        async for result in run_send(
            payloads, "127.0.0.1", our_server.port, concurrency=concurrency, timeout_s=5
        )
    ]

    assert sorted(result.index for result in results) == list(range(100))
    assert [result.index for result in results if result.code == "AE"] == [9]
    assert all(result.control_id == b"%d" % result.index for result in results)
    assert our_server.stats.connections_opened == concurrency


async def test_a_message_that_fails_does_not_stop_the_others(our_server: MllpServer) -> None:
    payloads = [message(b"1") + b"\x0b", message(b"2") + b"x" * 6000, message(b"3")]

    results = [result async for result in run_send(payloads, "127.0.0.1", our_server.port)]

    assert [(result.code, result.error_reason) for result in results] == [
        (None, "framing_byte_in_payload"),
        ("AR", None),
        ("AA", None),
    ]


async def test_a_source_that_breaks_is_told_after_the_results_before_it(
    our_server: MllpServer,
) -> None:
    results: list[SendResult] = []

    def source() -> Iterator[bytes]:
        yield message(b"1")
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - bare on purpose
        results.extend([each async for each in run_send(source(), "127.0.0.1", our_server.port)])

    assert our_server.stats.frames_received == 1


async def test_a_reader_that_stops_early_leaves_nothing_running(our_server: MllpServer) -> None:
    payloads = [message(b"%d" % number) for number in range(100)]

    sending = run_send(payloads, "127.0.0.1", our_server.port, concurrency=4)
    first = await anext(sending)
    await sending.aclose()

    assert first.code == "AA"
    assert our_server.stats.frames_received < 100
    assert [task for task in asyncio.all_tasks() if "run_send" in repr(task)] == []


def test_results_show_no_content() -> None:
    assert "CANARY" not in repr(SendResult(0, "AA", b"CANARY", 0.1, None))


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
