"""Files with several messages."""

from __future__ import annotations

from pathlib import Path

from mappings.hl7_batch import split_messages
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
    assert split_messages(b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r") == [
        ONE + b"\r",
        TWO + b"\r",
    ]


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
