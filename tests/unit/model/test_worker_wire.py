"""The wire between daemon and worker: what goes in comes out, however the bytes are cut."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings.domain import Draft, EngineIdentity, FinishReason, Prompt, PromptPiece
from model.batching import BatchLimits
from model.engine import EngineConfiguration, ServerConfiguration
from model.worker_wire import (
    FRAME_BYTES_MAX,
    Answer,
    Configure,
    DraftRequest,
    FrameReader,
    Ready,
    Refusal,
    Started,
    Unavailable,
    WireError,
    WireMessage,
    Working,
    parse_body,
    render_frame,
)

# Every code point, half of a pair too: a report may hold one, and must not end the worker.
TEXT = st.text(st.characters(codec=None), max_size=40)
NAME = st.none() | TEXT
IDS = st.integers(0, 2**53)
SERVERS = st.builds(
    ServerConfiguration,
    url=TEXT,
    base=TEXT,
    key_file=NAME,
    ca=NAME,
    timeout_s=st.floats(0, 60),
    control_tokens=st.lists(TEXT, max_size=2).map(tuple),
    digests=st.dictionaries(TEXT, TEXT, max_size=2),
)
ENGINES = st.builds(
    EngineConfiguration,
    engine=st.sampled_from(["extractive", "transformers", "openai"]),
    server=st.none() | SERVERS,
    base=NAME,
    cache=NAME,
    adapters=st.dictionaries(TEXT, TEXT, max_size=3),
    device=TEXT,
    threads=st.integers(0, 64),
    delay_s=st.floats(0, 60),
    is_demo=st.booleans(),
)
LIMITS = st.builds(BatchLimits, st.integers(1, 64), st.integers(1, 9999), st.integers(0, 999))
PIECES = st.lists(st.builds(PromptPiece, TEXT, st.booleans()), max_size=3).map(tuple)
PROMPTS = st.builds(
    Prompt, PIECES, TEXT, NAME, TEXT, st.integers(1, 999), redraft=st.integers(0, 16)
)
IDENTITIES = st.builds(
    EngineIdentity,
    engine=st.sampled_from(["extractive", "transformers"]),
    engine_version=TEXT,
    base=NAME,
    base_digest=NAME,
    adapter=NAME,
    adapter_digest=NAME,
    template_version=TEXT,
    dtype=NAME,
    is_demo=st.booleans(),
    redraft=st.integers(0, 16),
)
DRAFTS = st.builds(Draft, TEXT, st.sampled_from(FinishReason), IDS, IDS, IDENTITIES)
MESSAGES: st.SearchStrategy[WireMessage] = st.one_of(
    st.builds(Configure, ENGINES, LIMITS),
    st.builds(DraftRequest, IDS, PROMPTS, is_alone=st.booleans()),
    st.builds(Ready, IDENTITIES, st.lists(TEXT, max_size=3).map(tuple)),
    st.builds(Unavailable, TEXT, NAME),
    st.builds(Started, st.lists(IDS, max_size=8).map(tuple)),
    st.just(Working()),
    st.builds(Answer, IDS, DRAFTS),
    st.builds(Refusal, IDS, TEXT, NAME),
)


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


@given(MESSAGES)
@example(Refusal(1, "\ud83d", "\ude00"))
@example(Refusal(1, "\ud83d\ude00", "\N{GRINNING FACE}"))
def test_every_message_comes_back_as_it_was(message: WireMessage) -> None:
    assert FrameReader().feed(render_frame(message)) == [message]


@given(st.lists(MESSAGES, max_size=4), st.data())
def test_the_messages_do_not_depend_on_where_the_bytes_are_cut(
    messages: list[WireMessage], data: st.DataObject
) -> None:
    stream = b"".join(map(render_frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    chunks = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]

    assert [message for chunk in chunks for message in reader.feed(chunk)] == messages


def test_bytes_that_come_one_by_one_make_the_same_message() -> None:
    message = Refusal(7, "prompt_too_long", None)
    reader = FrameReader()
    *before, last = [reader.feed(bytes([byte])) for byte in render_frame(message)]

    assert not any(before)
    assert last == [message]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_raise_anything_but_a_wire_error(chunks: list[bytes]) -> None:
    reader = FrameReader()
    try:
        for chunk in chunks:
            reader.feed(chunk)
    except WireError as error:
        assert error.reason in {"frame_too_large", "frame_unreadable"}  # noqa: PT017 - or none


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from([kind.__name__ for kind in WireMessage.__args__]),
    st.dictionaries(
        st.sampled_from(["engine", "limits", "prompt", "draft", "identity", "request_ids"]), JSON
    ),
)
def test_no_json_raises_anything_but_a_wire_error(kind: str, fields: dict[str, object]) -> None:
    try:
        parse_body(json.dumps({"kind": kind, **fields}).encode())
    except WireError as error:
        assert error.reason == "frame_unreadable"  # noqa: PT017 - or it is a message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"7",
        b'{"kind": "Other"}',
        b'{"kind": ["Started"]}',
        b'{"kind": "Started"}',
        b'{"kind": "Started", "request_ids": 7}',
        b'{"kind": "Answer", "request_id": 1, "draft": {"finish": "other"}}',
        b'{"kind": "Configure", "engine": [], "limits": {}}',
        b'{"kind": "Configure", "engine": {}, "limits": {"size_max": 0}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"kind":' * 50_000,
        b"9" * 5000,
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(WireError) as caught:
        FrameReader().feed(framed(body))

    assert (caught.value.reason, caught.value.where) == ("frame_unreadable", "body")


def test_an_error_carries_no_part_of_the_frame(canary_name: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_body(f'{{"kind": "{canary_name}"'.encode())

    assert canary_name not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_a_message_larger_than_a_frame_is_not_sent() -> None:
    with pytest.raises(WireError, match="frame_too_large at Refusal"):
        render_frame(Refusal(1, "x" * FRAME_BYTES_MAX, None))


def test_a_length_beyond_the_limit_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(WireError, match="frame_too_large"):
        FrameReader().feed(struct.pack(">I", FRAME_BYTES_MAX + 1))


def test_a_message_of_exactly_the_limit_goes_through() -> None:
    room = FRAME_BYTES_MAX - (len(render_frame(Refusal(1, "", None))) - 4)
    message = Refusal(1, "x" * room, None)

    assert FrameReader().feed(render_frame(message)) == [message]


def test_no_message_prints_a_patient_s_text(canary_name: str) -> None:
    prompt = Prompt(
        (PromptPiece(canary_name, is_trusted=False),), canary_name, None, "impression/1", 64
    )
    identity = EngineIdentity("extractive", "1", None, None, None, None, "1", None, is_demo=True)
    draft = Draft(canary_name, FinishReason.STOP, 1, 1, identity)
    shown = repr(DraftRequest(1, prompt, is_alone=False)) + repr(Answer(1, draft))

    assert canary_name not in shown
