"""MSH cut into fields where a separator may be half of a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.hl7_header import judge_header, peek_header
from mappings.msh_fields import split_fields

HEAD = "MSH|^~\\&|RIS|{0}|||2026||ORU^R01|{1}|P|2.5||||||{2}"
# Characters with a second byte 0x7C or 0x5E, the bytes of "|" and "^".
HALVES = {
    "GB 18030-2000": "gb18030",
    "BIG-5": "cp950",
    "SHIFT_JIS": "cp932",
}


def half_characters(codec: str) -> list[str]:
    """Return characters of two bytes whose second is the field or the component separator."""
    found = []
    for lead in range(0x81, 0xFD):
        for trail in b"|^":
            try:
                text = bytes((lead, trail)).decode(codec)
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found.append(text)
    return found


@pytest.mark.parametrize(("name", "codec"), list(HALVES.items()))
def test_a_character_that_holds_a_separator_is_no_separator(name: str, codec: str) -> None:
    for character in half_characters(codec):
        name_of_place, control_id = f"A{character}B", f"{character}7"
        payload = HEAD.format(name_of_place, control_id, name).encode(codec) + b"\r"
        header = peek_header(payload)

        judge_header(header)
        assert header.control_id_bytes == control_id.encode(codec)
        assert header.sending_facility == name_of_place
        assert header.charsets == (name,)


@pytest.mark.parametrize(
    ("place", "declared"),
    [
        (b"\x1b$B;3\x3e|EE\x1b(B", b"ISO IR87"),
        (b"\x1b$B;3\x3e|EE\x1b(B", b"ASCII~ISO IR87"),
        (b"\x1b$B;3EE", b"~ISO IR87"),
        (b"\x0e0!0|\x0f", b"ISO-2022-KR"),
    ],
)
def test_characters_that_are_switched_to_are_covered_too(place: bytes, declared: bytes) -> None:
    segment = b"MSH|^~\\&|RIS|%b|||2026||ORU^R01|7|P|2.5||||||%b" % (place, declared)

    fields = split_fields(segment, b"|")

    assert (fields[3], fields[9], fields[17]) == (place, b"7", declared)


def test_bytes_of_one_character_each_are_cut_as_they_are() -> None:
    segment = "MSH|^~\\&|RIS|Klinikum M\u00fcnchen\u00e9|x|||||7|P|2.5||||||8859/1".encode(
        "latin-1"
    )

    assert split_fields(segment, b"|") == segment.split(b"|")


@pytest.mark.parametrize("mark", [b"\x0e", b"\x1b", b"\xe4", b"\x81"])
def test_a_separator_that_looks_like_a_character_still_separates(mark: bytes) -> None:
    segment = mark.join((b"MSH", b"^~\\&|RIS\x91", b"", b"GB 18030-2000"))

    assert len(split_fields(segment, mark)) >= 2


@given(st.binary(max_size=200), st.sampled_from([b"|", b"#", b"^", b"\x0e", b"\xe4"]))
def test_the_fields_put_together_are_the_segment(data: bytes, mark: bytes) -> None:
    segment = b"MSH" + mark + data + mark + b"GB 18030-2000"

    assert mark.join(split_fields(segment, mark)) == segment
