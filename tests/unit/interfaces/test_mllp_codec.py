"""What MLLP bytes mean: every framing row of the behaviour matrix, and any cutting of any bytes."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.errors import UnframeableError
from interfaces.mllp_codec import (
    HEAD_BYTES,
    FrameAbandoned,
    FrameDecoder,
    FrameEvent,
    FrameReceived,
    FrameTooLarge,
    FrameWithoutStart,
    GarbageSkipped,
    encode_frame,
)

MESSAGE = b"MSH|^~\\&|RIS|A|B|C|20260101||ORU^R01|17|P|2.5.1\rOBX|1|TX\r"
# Few letters, so that framing bytes meet each other often.
STREAMS = st.lists(
    st.sampled_from(
        [
            b"\x0b",
            b"\x1c",
            b"\r",
            b"MSH",
            b"MS",
            b"H",
            b"\n",
            b"\x00",
            b"a",
            b"bc",
            b"\x1c\r",
            b"\x0b\x0b",
        ]
    )
    | st.binary(max_size=6)
).map(b"".join)


def decode(*pieces: bytes, limit: int = 1000) -> list[FrameEvent]:
    decoder = FrameDecoder(limit)
    events = [event for piece in pieces for event in decoder.receive(piece)]
    return events + decoder.finish()


def test_a_frame_gives_its_payload() -> None:
    assert decode(encode_frame(MESSAGE)) == [FrameReceived(MESSAGE)]


def test_a_frame_split_over_single_bytes_is_whole() -> None:
    pieces = [bytes([byte]) for byte in encode_frame(MESSAGE)]

    assert decode(*pieces) == [FrameReceived(MESSAGE)]


def test_three_frames_in_one_piece_are_three_messages() -> None:
    stream = encode_frame(b"one") + encode_frame(b"two") + encode_frame(b"three")

    assert decode(stream) == [FrameReceived(b"one"), FrameReceived(b"two"), FrameReceived(b"three")]


def test_a_frame_without_end_block_is_abandoned_at_the_next_start_and_never_merged() -> None:
    stream = b"\x0bfirst patient\r" + encode_frame(b"second patient")

    assert decode(stream) == [
        FrameAbandoned(b"first patient\r", 14),
        FrameReceived(b"second patient"),
    ]


def test_a_frame_cut_off_by_the_end_of_the_stream_is_abandoned() -> None:
    assert decode(b"\x0bhalf") == [FrameAbandoned(b"half", 4)]


def test_doubled_start_bytes_and_doubled_end_blocks_are_one_frame() -> None:
    assert decode(b"\x0b\x0b\x0bone\x1c\r\x1c\r") == [FrameReceived(b"one")]


@pytest.mark.parametrize("noise", [b"\r\n", b"\x00\x00", b"\x1c\r", b"\n\x1c\x00\r"])
def test_noise_between_frames_is_no_event(noise: bytes) -> None:
    stream = noise + encode_frame(b"one") + noise + encode_frame(b"two") + noise

    assert decode(stream) == [FrameReceived(b"one"), FrameReceived(b"two")]


def test_garbage_before_a_start_byte_is_counted_and_the_frame_taken() -> None:
    assert decode(b"\r\nxyz\r" + encode_frame(b"one")) == [GarbageSkipped(3), FrameReceived(b"one")]


def test_a_message_that_lost_its_start_byte_is_told_at_its_end_block() -> None:
    assert decode(b"\r\n" + MESSAGE + b"\x1c\r" + encode_frame(b"next")) == [
        FrameWithoutStart(MESSAGE, len(MESSAGE.replace(b"\r", b""))),
        FrameReceived(b"next"),
    ]


def test_the_rest_of_a_message_that_held_an_end_block_is_garbage() -> None:
    assert decode(b"\x0bone\x1c\rrest\x1c\r") == [FrameReceived(b"one"), GarbageSkipped(4)]


def test_an_end_byte_inside_a_message_is_content() -> None:
    assert decode(b"\x0bone\x1ctwo\x1c\x1c\r") == [FrameReceived(b"one\x1ctwo\x1c")]


def test_an_end_byte_without_carriage_return_waits_for_what_follows() -> None:
    decoder = FrameDecoder(1000)

    assert decoder.receive(b"\x0bone\x1c") == []
    assert decoder.is_unfinished
    assert decoder.receive(b"\r") == [FrameReceived(b"one")]
    assert not decoder.is_unfinished


def test_an_end_byte_directly_before_a_start_byte_ends_the_frame() -> None:
    assert decode(b"\x0bone\x1c" + encode_frame(b"two")) == [
        FrameReceived(b"one"),
        FrameReceived(b"two"),
    ]


def test_an_end_byte_at_the_end_of_the_stream_ends_the_frame() -> None:
    assert decode(b"\x0bone\x1c") == [FrameReceived(b"one")]


def test_an_empty_frame_is_an_empty_payload() -> None:
    assert decode(b"\x0b\x1c\r") == [FrameReceived(b"")]


@pytest.mark.parametrize("payload", [b"a\nb\n", b"a\r\nb\r\n", b"a\r\rb", "é".encode("latin-1")])
def test_the_payload_is_never_touched(payload: bytes) -> None:
    assert decode(encode_frame(payload)) == [FrameReceived(payload)]


def test_the_limit_itself_is_still_taken() -> None:
    assert decode(encode_frame(b"x" * 10), limit=10) == [FrameReceived(b"x" * 10)]


def test_a_frame_over_the_limit_keeps_its_head_and_the_next_is_taken() -> None:
    stream = encode_frame(MESSAGE + b"x" * 9000) + encode_frame(b"next")

    large, following = decode(stream, limit=5000)

    assert isinstance(large, FrameTooLarge)
    assert large.head == (MESSAGE + b"x" * 9000)[:HEAD_BYTES]
    assert large.bytes_count == len(MESSAGE) + 9000
    assert following == FrameReceived(b"next")


def test_a_frame_over_the_limit_without_end_is_told_at_the_next_start() -> None:
    assert decode(b"\x0b" + b"x" * 11 + encode_frame(b"next"), limit=10) == [
        FrameTooLarge(b"x" * 11, 11),
        FrameReceived(b"next"),
    ]


def test_a_huge_frame_in_small_pieces_takes_linear_time_and_bounded_memory() -> None:
    piece = b"x" * 1024
    decoder = FrameDecoder(1024 * 1024)
    decoder.receive(b"\x0b")
    tracemalloc.start()
    started_s = time.process_time()

    for _ in range(30 * 1024):
        decoder.receive(piece)
    spent_s = time.process_time() - started_s
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(decoder._kept) == HEAD_BYTES
    assert decoder.receive(b"\x1c\r") == [FrameTooLarge(b"x" * HEAD_BYTES, 30 * 1024 * 1024)]
    assert peak_bytes < 4 * 1024 * 1024
    assert spent_s < 5


@pytest.mark.parametrize("mark", [b"\x0b", b"\x1c", b"\x1cx", b"\x0bx"])
def test_a_flood_of_framing_bytes_takes_linear_time(mark: bytes) -> None:
    started_s = time.process_time()

    FrameDecoder(1_000_000).receive(mark * 200_000)

    assert time.process_time() - started_s < 5  # seconds when linear: 0.3; when quadratic: 1,000


@given(STREAMS, st.data())
def test_any_cutting_of_a_stream_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]

    assert decode(*pieces, limit=4) == decode(stream, limit=4)


@given(STREAMS)
def test_no_byte_of_a_frame_is_lost_or_told_twice(stream: bytes) -> None:
    told = 0
    for event in decode(stream):
        told += len(event.payload) if isinstance(event, FrameReceived) else event.bytes_count

    kept = sum(1 for byte in stream if byte not in b"\x0b\r\n\x00\x1c")
    assert kept <= told <= len(stream)


@given(st.binary())
def test_what_is_encoded_arrives_as_it_was_or_is_refused(payload: bytes) -> None:
    try:
        frame = encode_frame(payload)
    except UnframeableError:
        assert decode(b"\x0b" + payload + b"\x1c\r") != [FrameReceived(payload)]
    else:
        assert decode(frame) == [FrameReceived(payload)]


@pytest.mark.parametrize(
    ("payload", "where"),
    [(b"ab\x0bc", "byte 2"), (b"a\x1c\rb", "byte 1")],
)
def test_a_payload_that_would_not_arrive_whole_is_refused(payload: bytes, where: str) -> None:
    with pytest.raises(UnframeableError) as refusal:
        encode_frame(payload)

    assert (refusal.value.reason, refusal.value.where) == ("framing_byte_in_payload", where)


def test_an_event_shows_no_content() -> None:
    for event in decode(b"CANARY" + b"\x0bCANARY" + encode_frame(b"CANARY") + b"MSH|CANARY\x1c\r"):
        assert "CANARY" not in repr(event)
