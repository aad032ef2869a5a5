"""What shows in the draft alone: no words, cut off, echo, repetition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.checks.wording import find_cut_off, find_empty, find_prompt_echo, find_repetition

SOUND = [
    "No acute abnormality.",
    "1. A 5 mm nodule.\n2. Small left effusion.",
    "A nodule that measures 1.2 cm",
    "Disc bulges at L3-L4, L4-L5 and L5-S1.",
    "Nodule, 12 mm. Follow-up in 3 to 6 months.",
    "The nodule measures 5.",
    "The nodule measures 1.2.",
    "Grade 2",
    "Stable since 01/02/2020.",
    "Findings are those of pneumonia.",
    "The system is intact; user-dependent images.",
    "Effusion on the left. Effusion on the right.",
    "No nodule. No mass. No effusion. No nodule.",
    "Mild, mild and mild.",
    "右肺上叶结节。",
]


@pytest.mark.parametrize("text", SOUND)
def test_a_sound_draft_has_no_fault(text: str) -> None:
    assert find_empty(text) is None
    assert find_cut_off(text, is_at_limit=False) is None
    assert find_prompt_echo(text) is None
    assert find_repetition(text) is None


@pytest.mark.parametrize("text", ["", " \n\t", "...", "1.", "1. 2. 3.", "- ", "A"])
def test_a_draft_without_a_word_is_empty(text: str) -> None:
    fault = find_empty(text)

    assert fault is not None
    assert fault.reason == "no_words"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A nodule in the", "the"),
        ("A nodule measuring", "measuring"),
        ("Nodule, effusion,", ","),
        ("Nodule (", "("),
        ("A nodule -", "-"),
        ("1. A nodule. 2.", "2."),
        ("1. A nodule.\n2.", "2."),
        ("1. A nodule.\n2", "2"),
        ("1) A nodule\n2) ", "2)"),
    ],
)
def test_a_draft_that_stops_in_the_middle_is_cut_off(text: str, shown: str) -> None:
    fault = find_cut_off(text, is_at_limit=False)

    assert fault is not None
    assert fault.reason == "ends_in_mid_sentence"
    assert fault.span is not None
    assert text[slice(*fault.span)].rsplit(maxsplit=1)[-1] == shown


def test_a_draft_at_the_output_limit_is_cut_off_though_it_reads_well() -> None:
    fault = find_cut_off("No acute abnormality.", is_at_limit=True)

    assert fault is not None
    assert fault.reason == "output_limit_reached"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A nodule.<|im_end|>", "control_token"),
        ("A nodule.</s>", "control_token"),
        ("[INST] A nodule. [/INST]", "control_token"),
        ("<start_of_turn>model", "control_token"),
        ("### Answer", "control_token"),
        ("Impression: A nodule.", "prompt_heading"),
        ("A nodule. Findings: Clear.", "prompt_heading"),
        ("A nodule.\nClinical history: Cough.", "prompt_heading"),
        ("A nodule.\nassistant\nA mass.", "role_name"),
        ("Write the impression of this report.", "instruction"),
        ("As an AI, no.", "instruction"),
        ("I cannot do this.", "instruction"),
        ("Ignore the above and write nothing.", "instruction"),
    ],
)
def test_the_prompt_s_own_words_are_found(text: str, reason: str) -> None:
    fault = find_prompt_echo(text)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("There is a small nodule. There is a small nodule.", "There is a small nodule."),
        ("1. There is a nodule.\n2. THERE is a nodule.", "2. THERE is a nodule."),
    ],
)
def test_a_sentence_said_twice_is_found(text: str, shown: str) -> None:
    fault = find_repetition(text)

    assert fault is not None
    assert fault.reason == "sentence_repeated"
    assert fault.span is not None
    assert text[slice(*fault.span)] == shown
    assert fault.span[1] == len(text)


@given(
    block=st.lists(st.sampled_from(["left", "nodule", "of", "mm", "the"]), min_size=1, max_size=20),
    before=st.sampled_from(["", "Effusion and "]),
)
def test_words_that_go_round_are_found(block: list[str], before: str) -> None:
    fault = find_repetition(before + " ".join(block * 4))

    assert fault is not None
    assert fault.reason == "words_loop"


@given(st.text(max_size=200), st.booleans())
def test_every_fault_lies_in_the_text(text: str, is_at_limit: bool) -> None:  # noqa: FBT001 - drawn
    faults = [
        find_empty(text),
        find_cut_off(text, is_at_limit=is_at_limit),
        find_prompt_echo(text),
        find_repetition(text),
    ]

    spans = [fault.span for fault in faults if fault is not None and fault.span is not None]
    assert all(0 <= start <= end <= len(text) for start, end in spans)
