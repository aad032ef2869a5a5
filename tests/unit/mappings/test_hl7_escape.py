"""Escape sequences: nothing is ever dropped."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.hl7_escape import escape, unchain, unescape
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
        (r"line 1\.BR\line 2\.Sp2\3", "line 1\nline 2\n\n3"),
        (r"a\.sp3\b\.sp\c", "a\n\n\nb\nc"),
        (r"a\.ce\b\.sk2\c", "a\nb  c"),
        (r"a\.fi\b\.br\\.nf\c", "a\nb\nc"),
        (r"a\.in+4\b\.br\c\.in-2\d\.in0\e", "a\n    b\n    c\n  d\ne"),
        (r"\.in2\a\.ti+2\b\.br\c\.ti-9\d\.br\e", "  a\n    b\n  c\nd\n  e"),
        (r"\.in2\a\.sp2\b\.in\c", "  a\n\n  b\nc"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"caf\XC3A9\ ", "café "),
        (r"caf\XC3\\XA9\ ", "café "),
        (r"a\X0D\\X0A\b", "a\nb"),
        (r"\E\x09\E\ ", r"\x09\ "),
        (r"\E\.br\E\ ", r"\.br\ "),
        (r"\X0B\\X1C\ ", "\x0b\x1c "),
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
        r"\Zcustom\ ",
        r"\C2842\\M2442\ ",
        r"\x0D\ ",
        r"\X1B\ ",
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


def test_an_indent_cannot_make_a_long_text() -> None:
    assert read(r"\.in9999\a\.in-9999\b") == " " * 40 + "a\nb"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\E\.br\E\b", r"a\.br\b"),
        (r"a\E\x09\E\b", r"a\X09\b"),
        (r"\E\X0D\E\\E\X0A\E\b", r"\X0D\\X0A\b"),
        (r"a \E\T\E\ b", r"a \T\ b"),
        (r"\E\E\E\.br\E\E\E\b", r"\.br\b"),
        (r"a\E\.sp2\E\b", r"a\.sp2\b"),
        (r"C:\E\temp\E\x", r"C:\E\temp\E\x"),
        (r"\E\\E\ ", r"\E\\E\ "),
        (r"5\E\10 mm", r"5\E\10 mm"),
        ("plain", "plain"),
    ],
)
def test_sequences_that_were_escaped_on_the_way_become_sequences_again(
    sent: str, meant: str
) -> None:
    assert unchain(sent, DEFAULT_SEPARATORS) == meant


def test_the_separators_are_those_of_the_message() -> None:
    assert unescape("!S! !P! !T! !R! !E! !F!", CUSTOM, "utf-8") == "* $ @ + ! #"
    assert unescape(r"\S\ ", CUSTOM, "utf-8") == r"\S\ "


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_escaped_is_read_back(text: str) -> None:
    for separators in (DEFAULT_SEPARATORS, CUSTOM):
        written = escape(text, separators)

        assert unescape(written, separators, "utf-8") == re.sub("\r\n|\r", "\n", text)
        assert not {separators.field, "\n", "\r", "\x0b", "\x1c"} & set(written)


@pytest.mark.parametrize(
    "piece", ["\\X41", "\\X41\\", "\\E\\", "\\E\\X41", "\\.in9\\a", "\\", "\\E\\.br", "41"]
)
def test_hostile_text_is_read_in_the_time_of_its_length(piece: str) -> None:
    text = "\\X" + piece * (400_000 // len(piece))
    start_s = time.process_time()

    read(unchain(text, DEFAULT_SEPARATORS))

    assert time.process_time() - start_s < 5


@given(st.text(alphabet="\\XFSTREPHN.brspksk0123456789ACab \n", max_size=60))
def test_any_run_of_marks_is_read_without_error_and_keeps_its_words(text: str) -> None:
    assert read(text + "nodule").endswith("nodule")
