"""Phrases of a table, looked for all at once."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.phrases import any_of, fold, phrase_key, spellings


def test_a_folded_text_has_a_letter_for_each_letter() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))

    assert len(fold(every)) == len(every)
    assert [len(fold(letter)) for letter in every[:0x3000]] == [1] * 0x3000


@given(st.text())
def test_folding_changes_no_place_and_is_done_once(text: str) -> None:
    folded = fold(text)

    assert len(folded) == len(text)
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("phrase", "written"),
    [
        ("CONCLUZIE \u0218I RECOMAND\u0102RI", "Concluzie \u015fi recomand\u0103ri"),
        ("INDICA\u021aIE", "Indicatie"),
        ("R\u00c9SULTATS", "resultats"),
        ("GR\u00dc\u1e9eE", "Gruesse"),
        ("GR\u00dc\u1e9eE", "GRUSSE"),
        ("GR\u00dc\u1e9eE", "gr\u00fc\u00dfe"),
        ("MOTIF DE L'EXAMEN", "Motif de l\u2019examen"),
    ],
)
def test_a_phrase_is_known_however_its_letters_are_written(phrase: str, written: str) -> None:
    assert fold(written) in spellings(phrase)


def test_the_marks_of_another_script_make_another_letter() -> None:
    assert spellings("\u30ac") == {"\u30ac"}


@given(st.lists(st.text("ab /-", min_size=1).filter(str.strip), min_size=1, max_size=8))
def test_each_phrase_is_found_whole_forwards_and_backwards(written: list[str]) -> None:
    phrases = sorted({one for phrase in written for one in spellings(phrase)})
    forwards, backwards = any_of(phrases), any_of(phrases, is_backwards=True)

    for phrase in phrases:
        assert re.fullmatch(forwards, phrase)
        assert re.fullmatch(backwards, phrase[::-1])


def test_the_longest_phrase_is_taken() -> None:
    pattern = re.compile(any_of(["a", "a b", "a b c"]))

    assert pattern.match("a  b d").group() == "a  b"  # type: ignore[union-attr] - it matches


def test_one_key_for_all_ways_to_set_a_phrase() -> None:
    assert {
        phrase_key(one) for one in ("Follow-Up / Plan", "follow up/plan", "FOLLOW  UP /PLAN")
    } == {"follow up/plan"}
