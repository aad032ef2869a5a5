"""Text that switches between character sets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.iso_2022 import decode_switched, has_switch

KANJI = "學俐亨京側肺"  # their second bytes are those of the separators


def hl7(text: str) -> bytes:
    """Write kanji as HL7 does: its own escape sequences, no ESC."""
    inner = text.encode("iso2022_jp").removeprefix(b"\x1b$B").removesuffix(b"\x1b(B")
    return b"\\M2442\\" + inner + b"\\C2842\\"


def read(payload: bytes, codec: str = "ascii") -> str:
    return decode_switched(payload, codec, "\\")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (KANJI.encode("iso2022_jp") + b"|x", f"{KANJI}|x"),
        (hl7(KANJI) + b"|x", f"{KANJI}|x"),
        (b"\x1b$@" + "肺".encode("iso2022_jp")[3:], "肺"),
        (b"\x1b(J5 mm|\x1b(B", "5 mm|"),
        (b"\x1b(I" + bytes([0x31, 0x32]) + b"\x1b(B a", "ｱｲ a"),
        (b"\x1b)I\xb1\xb2 a", "ｱｲ a"),
        (b"\\C2949\\\xb1\xb2 a", "ｱｲ a"),
        (b"\x1b$(D" + "丂".encode("iso2022_jp_1")[4:], "丂"),
        (b"\\M242844\\" + "丂".encode("iso2022_jp_1")[4:-3] + b"\\C2842\\", "丂"),
        (b"\x1b$B\x2d\x21\x2d\x35\x1b(B", "①Ⅰ"),  # what vendors added to the kanji
        (b"\x1b$)C" + "폐".encode("euc_kr") + b" a", "폐 a"),
        (b"\x1b$)A" + "肺".encode("gb2312") + b" a", "肺 a"),
        (b"\x1b$(C\x46\x73\x1b(B", bytes([0xC6, 0xF3]).decode("euc_kr")),
        (b"\\C2D4C\\" + "Лёгкие".encode("iso8859-5"), "Лёгкие"),
        (b"\\C2D46\\" + "Καλά".encode("iso8859-7") + b"\\C2D41\\\xe9", "Καλάé"),
    ],
)
def test_a_switch_is_read(payload: bytes, text: str) -> None:
    assert has_switch(payload, "\\")
    assert read(payload) == text


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_at_the_end_of_a_segment_the_first_set_holds_again(end: bytes) -> None:
    assert read(b"\x1b-L\xd6" + end + b"\xe9", "iso8859-1") == f"ж{end.decode()}é"
    assert read(b"\x1b$B\x47\x59" + end + b"OBX|1") == f"肺{end.decode()}OBX|1"


@pytest.mark.parametrize("mark", ["|", "~"])
def test_a_separator_that_begins_no_kanji_ends_them_where_the_sender_forgot(mark: str) -> None:
    assert read(b"\x1b$B\x47\x59" + mark.encode() + b"F") == f"肺{mark}F"


def test_blanks_between_kanji_do_not_end_them() -> None:
    assert read(b"\x1b$B\x47\x59 \x47\x59\x1b(B") == "肺 肺"


def test_the_first_set_may_be_any() -> None:
    assert read("é".encode("latin-1") + hl7("肺"), "iso8859-1") == "é肺"
    assert read("ｱ".encode("cp932") + hl7("肺"), "cp932") == "ｱ肺"


def test_the_escape_separator_is_the_messages_own() -> None:
    payload = hl7("肺").replace(b"\\", b"!")

    assert decode_switched(payload, "ascii", "!") == "肺"
    assert not has_switch(payload, "\\")


@pytest.mark.parametrize("text", [b"\x1b(s3B", b"\x1b&l0O", b"\x1b[1m", b"\x1b(0", b"\x1bE"])
def test_a_printers_sequences_are_no_switch_and_lose_no_text(text: bytes) -> None:
    assert not has_switch(text, "\\")
    assert read(text + b" nodule") == text.decode() + " nodule"
    assert read(text + b"\x1b$B\x47\x59\x1b(B") == text.decode() + "\u80ba"


@pytest.mark.parametrize(
    "text", [b"C:\\C2\\x", b"\\C28\\", b"\\Z2842\\", b"5\\10 mm", b"\\C2830\\"]
)
def test_what_is_no_switch_stays(text: bytes) -> None:
    assert not has_switch(text, "\\")
    assert read(text) == text.decode()


@pytest.mark.parametrize(
    "payload", [b"ab\x1b$(G!!", b"ab\x1b$)G!!", b"ab\x1b$(D\x21\x21", b"ab\xe9"]
)
def test_an_unknown_set_or_character_is_refused_with_its_place(payload: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        read(payload)

    assert 2 <= caught.value.start <= 6


@pytest.mark.parametrize(
    "piece",
    [b"\x1b$B", b"\x1b$B ", b" ", b"\x1b(B", b"\x1b    ", b"\\M2442\\", b"\x30\x21", b"a\r"],
)
def test_hostile_text_is_read_in_the_time_of_its_length(piece: bytes) -> None:
    payload = b"\x1b$B" + piece * (400_000 // len(piece))
    start_s = time.process_time()

    read(payload)

    assert time.process_time() - start_s < 5


@given(st.text(alphabet="a|^~\\& \r肺學亨", max_size=60))
def test_what_python_writes_is_read_back(text: str) -> None:
    assert read(text.encode("iso2022_jp")) == text


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused_with_a_place_inside(payload: bytes) -> None:
    error: UnicodeDecodeError | None = None
    try:
        read(payload, "iso8859-1")
    except UnicodeDecodeError as caught:
        error = caught

    assert error is None or 0 <= error.start < len(payload)
