"""Bytes to text by MSH-18."""

from __future__ import annotations

import pytest

from mappings.charset import decode_text, find_codec
from mappings.errors import UnreadableContentError


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("ASCII", "ascii"),
        ("UNICODE UTF-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8", "utf-8"),
        ("8859/1", "iso8859-1"),
        ("8859/15", "iso8859-15"),
        ("ISO-8859-1", "iso8859-1"),
        ("LATIN1", "iso8859-1"),
        ("ISO IR100", "iso8859-1"),
        ("WINDOWS-1252", "cp1252"),
        ("GB 18030-2000", "gb18030"),
        ("KS X 1001", "euc_kr"),
        ("BIG-5", "cp950"),
        ("ISO IR87", "iso2022_jp"),
        ("ISO IR159", "iso2022_jp_1"),
    ],
)
def test_names_of_table_0211_and_of_the_field_find_their_codec(declared: str, codec: str) -> None:
    assert find_codec(declared) == codec
    assert "x".encode(codec).decode(codec) == "x"


@pytest.mark.parametrize("declared", ["UTF-16", "UNICODE UTF-32", "CNS 11643-1992", "8859/12", "?"])
def test_a_character_set_that_cannot_be_framed_or_read_has_no_codec(declared: str) -> None:
    assert find_codec(declared) is None


def test_undeclared_text_is_utf_8_and_else_windows_1252() -> None:
    assert decode_text("é".encode(), "") == ("é", "utf-8")
    assert decode_text(b"\x80 5 mm", " ") == ("€ 5 mm", "cp1252")


@pytest.mark.parametrize(
    ("payload", "declared"),
    [(b"caf\xe9", "UNICODE UTF-8"), (b"caf\xe9", "ASCII"), (b"\x81", ""), (b"x", "CNS 11643-1992")],
)
def test_bytes_that_are_not_what_was_declared_are_unreadable(payload: bytes, declared: str) -> None:
    with pytest.raises(UnreadableContentError, match="undecodable_content at MSH-18"):
        decode_text(payload, declared)
