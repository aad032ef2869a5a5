"""Statements are cut at their ends and nowhere else; no word is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.sentences import split_sentences

CASES = [
    ("Lungs are clear. Heart is normal.", ["Lungs are clear.", "Heart is normal."]),
    ("A 1.2 cm nodule. No mass.", ["A 1.2 cm nodule.", "No mass."]),
    ("Nodule of 1.\nMass.", ["Nodule of 1.", "Mass."]),
    ("It measures 5. Next is a cyst.", ["It measures 5.", "Next is a cyst."]),
    ("Seen by Dr. Roe, approx. 5 mm, cf. prior.", ["Seen by Dr. Roe, approx. 5 mm, cf. prior."]),
    ("Cyst (e.g. simple) vs. mass.", ["Cyst (e.g. simple) vs. mass."]),
    ("Image no. 5 shows it. Rib no. 6 too.", ["Image no. 5 shows it.", "Rib no. 6 too."]),
    ("Effusion: no. Heart is normal.", ["Effusion: no.", "Heart is normal."]),
    ("The right\nupper lobe is clear.", ["The right\nupper lobe is clear."]),
    ("1. A nodule.\n2. A mass.", ["1. A nodule.", "2. A mass."]),
    ("1) A nodule\n2) A mass", ["1) A nodule", "2) A mass"]),
    ("1. A nodule. 2. A mass.", ["1. A nodule.", "2. A mass."]),
    ("- A nodule\n- A mass\n* A cyst", ["- A nodule", "- A mass", "* A cyst"]),
    ("LUNGS: Clear\nHEART: Normal", ["LUNGS: Clear", "HEART: Normal"]),
    ("A nodule\n\nA mass", ["A nodule", "A mass"]),
    ('He said "none." Next.', ['He said "none."', "Next."]),
    ("Is it a mass? No! A cyst; simple.", ["Is it a mass?", "No!", "A cyst;", "simple."]),
    ("右肺结节。左侧积液。", ["右肺结节。", "左侧积液。"]),
    ("A nodule...  A mass.", ["A nodule...", "A mass."]),
    ("", []),
    (" \n\t", []),
]


@pytest.mark.parametrize(("text", "sentences"), CASES)
def test_a_text_is_cut_where_its_statements_end(text: str, sentences: list[str]) -> None:
    assert [one.text for one in split_sentences(text)] == sentences


@given(st.text() | st.text(alphabet="aA1.:;?!-)(\n \t。", max_size=80))
def test_no_character_but_white_space_is_lost_or_doubled(text: str) -> None:
    sentences = split_sentences(text)

    end = 0
    for one in sentences:
        assert not text[end : one.start].strip()
        assert text[one.start : one.end] == one.text == one.text.strip() != ""
        end = one.end
    assert not text[end:].strip()


@pytest.mark.parametrize("filler", ["." * 20_000, "\n" * 20_000, "1. " * 7000, "A. " * 7000])
def test_a_strange_text_takes_no_longer_than_its_length(filler: str) -> None:
    started_s = time.process_time()
    split_sentences(f"{filler}x")

    assert time.process_time() - started_s < 2  # a square would be ten and more


def test_a_sentence_is_not_printed(canary_name: str) -> None:
    (sentence,) = split_sentences(f"{canary_name} has a nodule.")

    assert canary_name not in repr(sentence)


def test_a_number_at_the_end_of_a_wrapped_line_is_no_item() -> None:
    text = "A 5 mm cyst on image\n87.\nVESSELS: Normal.\nA cyst on image\n99. The liver is normal."

    assert [sentence.text for sentence in split_sentences(text)] == [
        "A 5 mm cyst on image\n87.",
        "VESSELS: Normal.",
        "A cyst on image\n99.",
        "The liver is normal.",
    ]
