"""Files with several messages."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import MessageRefusedError
from mappings.hl7_batch import is_batch, render_batch, split_batch, split_messages
from mappings.hl7_header import peek_header

VECTORS = Path(__file__).parents[2] / "vectors" / "hl7"
ONE = b"MSH|^~\\&|A|B|||2026||ORU^R01|1|P|2.4\rPID|1\r"
TWO = ONE.replace(b"|1|P", b"|2|P")


def control_ids(data: bytes) -> list[str]:
    return [peek_header(payload).control_id for payload in split_messages(data)]


def test_one_message_comes_back_as_it_is() -> None:
    assert split_messages(ONE) == [ONE]


def test_messages_one_after_the_other_are_cut_apart() -> None:
    assert split_messages(ONE + TWO) == [ONE, TWO]
    assert split_messages(ONE + b"\r\n" + TWO)[1] == TWO


def test_mllp_frames_are_taken_off() -> None:
    assert split_messages(b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r") == [ONE, TWO]


def test_a_batch_envelope_is_taken_off_and_each_message_keeps_its_separators() -> None:
    data = (VECTORS / "batch.hl7").read_bytes()

    assert control_ids(data) == ["V-8A", "V-8B"]
    assert not any(
        mark in payload
        for payload in split_messages(data)
        for mark in (b"FHS", b"BHS", b"BTS", b"FTS")
    )


def test_a_byte_order_mark_does_not_hide_the_first_message() -> None:
    assert control_ids(b"\xef\xbb\xbf" + ONE) == ["1"]


def test_a_word_in_the_text_does_not_cut_a_message() -> None:
    payload = ONE + b"OBX|1|TX|||see MSH|3 and\rMSHA|x\r"

    assert split_messages(payload) == [payload]


def test_what_holds_no_message_is_one_piece_to_be_refused() -> None:
    assert split_messages(b"") == [b""]
    assert split_messages(b"hello") == [b"hello"]


HASH = b"MSH#*+!@#A#B###2026##ORU*R01#3#P#2.4\rPID#1\r"
NOW = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (ONE + HASH, [ONE, HASH]),
        (HASH + ONE + TWO, [HASH, ONE, TWO]),
        (b"FHS#*+!@#X\rBHS$^~\\&$Y\r" + ONE + b"BTS$1\rFTS#1\r", [ONE]),
        (b"BHS|^~\\&|X\r" + ONE + b"BTS|1\rBHS|^~\\&|X\r" + TWO + b"BTS|1\r", [ONE, TWO]),
        (b"\xef\xbb\xbf" + ONE + b"\xef\xbb\xbf" + TWO, [ONE, TWO]),
        (ONE + b"\x00\x00" + TWO, [ONE, TWO]),
        (ONE + b"\r\n\r\n" + TWO + b"\r\n\n", [ONE, TWO]),
        (ONE.replace(b"\r", b"\n") + TWO, [ONE.replace(b"\r", b"\n"), TWO]),
    ],
)
def test_each_message_keeps_its_own_separators_and_line_ends(
    data: bytes, messages: list[bytes]
) -> None:
    assert split_messages(data) == messages


@pytest.mark.parametrize(
    "text",
    [
        b"OBX|1|TX|||see\rMSH: normal\r",
        b"OBX|1|TX|||see\rBHS: normal\r",
        b"OBX|1|TX|||see\rBTS: normal\r",
        b"OBX|1|TX|||caf\xbfMSH|x\r",
        b"OBX|1|TX|||a MSH|^~\\&|b\r",
        b"OBX|1|TX|||MSH|^~\\&|b\r",
        b"OBX|1|TX|||\xb1\xe7MSH\r",
    ],
)
def test_words_in_a_text_neither_cut_a_message_nor_are_dropped(text: bytes) -> None:
    assert split_messages(ONE + text) == [ONE + text]


def test_what_belongs_to_no_message_is_a_piece_of_its_own_and_never_dropped() -> None:
    assert split_messages(b"PID|9\r" + ONE) == [b"PID|9\r", ONE]
    assert split_messages(b"BHS|^~\\&\r" + ONE + b"BTS|1\rPID|9\r") == [ONE, b"PID|9\r"]


def test_a_message_with_bad_separators_does_not_take_the_next_with_it() -> None:
    assert split_messages(b"MSH|ABCD|1\r" + ONE) == [b"MSH|ABCD|1\r", ONE]
    assert split_messages(ONE + b"MSH|ABCD|1\r" + TWO) == [ONE, b"MSH|ABCD|1\r", TWO]


def test_an_envelope_without_a_message_is_one_piece_to_be_refused() -> None:
    empty = b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r"

    assert split_messages(empty) == [empty]


def test_a_flood_of_messages_or_envelopes_is_refused_without_reading_to_its_end() -> None:
    for flood in (ONE * 50, b"BHS|^~\\&\r" * 5000 + ONE, b"BTS|\r" * 5000 + ONE):
        with pytest.raises(MessageRefusedError, match="too_many"):
            split_batch(flood, messages_max=10)

    assert len(split_batch(ONE * 10, messages_max=10).messages) == 10


def test_batches_of_one_message_each_are_no_flood() -> None:
    one_by_one = b"".join(
        b"FHS|^~\\&\rBHS|^~\\&\r" + message + b"BTS|1\rFTS|1\r" for message in [ONE, TWO] * 5
    )

    assert len(split_batch(one_by_one, messages_max=10).messages) == 10


@pytest.mark.parametrize(
    ("payload", "is_one"),
    [
        (ONE, False),
        (ONE + TWO, True),
        (b"FHS|^~\\&\r" + ONE, True),
        (b"\r\n\xef\xbb\xbfBHS|^~\\&\r" + ONE, True),
        (b"", False),
    ],
)
def test_a_batch_is_known_cheaply(payload: bytes, *, is_one: bool) -> None:
    assert is_batch(payload) is is_one


def test_the_answer_to_a_batch_has_its_separators_its_parties_and_its_control_id() -> None:
    sent = b"BHS#*+!@#RIS#HOSP#IN#HUB#2026###c#B7\r"
    envelope = split_batch(sent + ONE).envelope

    answer = render_batch(envelope, [b"MSH|1\r", b"MSH|2\r"], control_id="P1", now=NOW)

    assert answer == (b"BHS#*+!@#IN#HUB#RIS#HOSP#20260201083000####P1#B7\rMSH|1\rMSH|2\rBTS#2\r")


def test_the_answer_to_messages_without_an_envelope_has_the_usual_separators() -> None:
    assert render_batch(None, [], control_id="P1", now=NOW) == (
        b"BHS|^~\\&|||||20260201083000||||P1|\rBTS|0\r"
    )


FILLER = st.sampled_from([b"", b"\r", b"\r\n", b"\x00", b"BTS|1\r", b"BHS|^~\\&|A\r", b"FTS|1\r"])


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO, HASH]), FILLER), min_size=1, max_size=8))
def test_any_row_of_messages_comes_apart_as_it_was_put_together(
    parts: list[tuple[bytes, bytes]],
) -> None:
    data = b"BHS|^~\\&|A\r" + b"".join(message + filler for message, filler in parts)

    assert split_messages(data) == [message for message, _ in parts]


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"MSH",
                b"FHS",
                b"BHS",
                b"BTS",
                b"|",
                b"^~\\&",
                b"\r",
                b"\n",
                b"\x00",
                b"\x1c",
                b"\xef\xbb\xbf",
                b"x",
            ]
        ),
        max_size=40,
    ).map(b"".join)
)
def test_any_bytes_come_apart_and_only_envelopes_and_blanks_are_dropped(data: bytes) -> None:
    batch = split_batch(data)

    position = 0
    for message in batch.messages:
        body = message.rstrip(b"\r\n")
        position = data.index(body, position) + len(body)
    if batch.envelope is None:
        kept = b"".join(batch.messages)
        noise = b"\xef\xbb\xbf\x00\x0b\x1c\r\n\t "
        assert kept.translate(None, noise) == data.translate(None, noise)
