"""Escape sequences: nothing is ever dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.hl7_escape import escape, unescape
from mappings.hl7_separators import DEFAULT_SEPARATORS, Separators

CUSTOM = Separators("#", "*", "+", "!", "@", "$")


def read(text: str, codec: str = "utf-8") -> str:
    return unescape(text, DEFAULT_SEPARATORS, codec)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a \T\ b", "a & b"),
        (r"\F\\S\\R\\E\ ", "|^~\\ "),
        (r"line 1\.br\line 2", "line 1\nline 2"),
        (r"a\.sp3\b\.sp\c", "a\n\n\nb\nc"),
        (r"a\.ce\b\.sk2\c\.in+4\d\.ti-2\e\.fi\f\.nf\g", "a\nb  cdefg"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"caf\XC3A9\ ", "café "),
        (r"caf\XC3\\XA9\ ", "café "),
        (r"a\X0D\\X0A\b", "a\nb"),
        (r"\E\x09\E\ ", r"\x09\ "),
    ],
)
def test_a_known_sequence_is_read(sent: str, meant: str) -> None:
    assert read(sent) == meant


@pytest.mark.parametrize(
    "sent",
    [
        r"5\10 mm",
        r"C:\temp\x",
        r"\XABC\ ",
        r"\X00\ ",
        r"\XC3\ ",
        r"\C2842\ \M243D\ ",
        r"\Z12\ ",
        r"\.xx\ ",
        r"\P\ ",
        "ends in \\",
        r"\.sp99999\ ",
    ],
)
def test_an_unknown_or_broken_sequence_stays_as_it_was_sent(sent: str) -> None:
    assert read(sent) == sent


def test_a_lone_escape_character_does_not_hide_the_sequence_after_it() -> None:
    assert read(r"5\10 mm \T\ 3 mm") == r"5\10 mm & 3 mm"


def test_hexadecimal_bytes_are_in_the_character_set_of_the_message() -> None:
    assert read(r"\XE9\ ", "iso8859-1") == "é "


def test_a_space_command_cannot_make_a_long_text() -> None:
    assert read(r"\.sp9999\ ") == "\n" * 20 + " "


def test_the_separators_are_those_of_the_message() -> None:
    assert unescape("!S! !P! !T! !R! !E! !F!", CUSTOM, "utf-8") == "* $ @ + ! #"
    assert unescape(r"\S\ ", CUSTOM, "utf-8") == r"\S\ "


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_what_is_escaped_is_read_back(text: str) -> None:
    for separators in (DEFAULT_SEPARATORS, CUSTOM):
        written = escape(text, separators)

        assert unescape(written, separators, "utf-8") == text
        assert separators.field not in written
        assert "\n" not in written


@given(st.text(alphabet="\\XFSTREPHN.brspksk0123456789ACab \n", max_size=60))
def test_any_run_of_marks_is_read_without_error_and_keeps_its_words(text: str) -> None:
    assert read(text + "nodule").endswith("nodule")
