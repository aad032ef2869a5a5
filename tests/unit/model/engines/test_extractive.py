"""The engine without weights: it copies what is abnormal, and only that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Draft, Exam, Findings, FinishReason, Prompt
from model.draft_checks import check_draft, is_withheld
from model.engine import Prepared
from model.engines.extractive import ALL_NORMAL, ExtractiveEngine, extract_impression
from model.sentences import split_sentences

CHEST = (
    "LUNGS: There is a 1.2 cm nodule in the right upper lobe. No consolidation.\n"
    "PLEURA: Small left pleural effusion. No pneumothorax.\n"
    "HEART: Normal in size."
)
NORMAL = (
    "There is no pleural effusion or pneumothorax. The lungs are clear. Heart size is normal."
    " No acute fracture of the ribs."
)
PARTS = [
    "There is a 1.2 cm nodule in the right upper lobe.",
    "Small left pleural effusion.",
    "No pneumothorax.",
    "Heart size is normal.",
    "Fracture of the left 5th rib.",
    "A fracture of L4 cannot be excluded.",
    "The liver is normal except for a 5 mm cyst.",
    "1. Degenerative change at L4-L5.",
]


def prompt(findings: str, output_tokens_max: int = 320) -> Prompt:
    return Prompt((), findings, "site.one", "impression/1", output_tokens_max)


def draft_of(findings: str, output_tokens_max: int = 320) -> Draft:
    engine = ExtractiveEngine()
    (draft,) = engine.generate([engine.prepare(prompt(findings, output_tokens_max))])
    return draft


def test_abnormal_sentences_are_copied_in_their_order() -> None:
    draft = draft_of(CHEST)

    assert draft.finish is FinishReason.STOP
    assert draft.text == (
        "LUNGS: There is a 1.2 cm nodule in the right upper lobe."
        " PLEURA: Small left pleural effusion."
    )


@pytest.mark.parametrize(
    "findings", [NORMAL, "The knee joint is intact.", "Normal bowel gas pattern. No free air."]
)
def test_findings_that_are_all_normal_give_the_normal_sentence(findings: str) -> None:
    assert draft_of(findings).text == ALL_NORMAL


def test_a_denied_finding_is_not_copied() -> None:
    assert "pneumothorax" not in draft_of(CHEST).text


@pytest.mark.parametrize(
    ("findings", "text"),
    [
        ("Findings: small left effusion", "Small left effusion."),
        ("1. A nodule;\n2) A mass", "A nodule. A mass."),
        ("- a nodule\n* a mass", "A nodule. A mass."),
        ("A nodule in the\n   left lung.", "A nodule in the left lung."),
        ("A nodule. A nodule. A mass.", "A nodule. A mass."),
        ("右肺上叶结节。", "右肺上叶结节。"),
    ],
)
def test_a_sentence_is_copied_as_one_tidy_line(findings: str, text: str) -> None:
    assert draft_of(findings).text == text


def test_sentences_beyond_the_limit_are_left_out_and_the_draft_says_so() -> None:
    text, is_whole = extract_impression("A first nodule. A second nodule. A third.", 35)

    assert text == "A first nodule. A second nodule."
    assert not is_whole
    assert draft_of("A nodule of the lung. " * 2 + "A mass. " * 2, 4).finish is FinishReason.LENGTH


@given(st.lists(st.sampled_from(PARTS), max_size=8), st.integers(0, 200))
def test_no_more_is_written_than_the_limit(parts: list[str], characters_max: int) -> None:
    text, is_whole = extract_impression(" ".join(parts), characters_max)

    assert len(text) <= characters_max or (is_whole and text == ALL_NORMAL)


@given(st.text())
def test_the_same_findings_always_give_the_same_draft(findings: str) -> None:
    assert draft_of(findings) == draft_of(findings)
    assert draft_of(findings).text


@given(st.lists(st.sampled_from(PARTS), unique=True))
def test_each_copied_sentence_is_one_of_the_findings(parts: list[str]) -> None:
    findings = " ".join(parts)
    copied = [one.text for one in split_sentences(draft_of(findings).text)]

    assert copied == [ALL_NORMAL] or all(one in findings for one in copied)
    assert copied == [ALL_NORMAL] or copied == sorted(copied, key=findings.index)


@given(st.lists(st.sampled_from(PARTS), min_size=1, unique=True))
def test_its_drafts_pass_the_checks(parts: list[str]) -> None:
    findings = Findings("\n".join(parts), None, Exam(), "site", "en")
    draft = draft_of(findings.text)

    assert not is_withheld(check_draft(findings, draft)), draft.text


def test_each_prompt_of_a_batch_gets_its_own_draft_in_order() -> None:
    engine = ExtractiveEngine()
    drafts = engine.generate([Prepared(prompt("A nodule.")), Prepared(prompt("A mass."))])

    assert [draft.text for draft in drafts] == ["A nodule.", "A mass."]


def test_the_identity_says_that_it_is_a_demo_without_weights() -> None:
    identity = draft_of("A nodule.").engine

    assert identity == ExtractiveEngine().identity(None, "impression/1")
    assert identity.is_demo
    assert identity.engine == "extractive"
    assert (identity.base, identity.adapter) == (None, None)


@pytest.mark.parametrize(("delay_s", "slept"), [(0.0, []), (1.5, [1.5])])
def test_the_extra_seconds_come_once_a_batch(delay_s: float, slept: list[float]) -> None:
    seconds: list[float] = []
    engine = ExtractiveEngine(delay_s=delay_s, sleep=seconds.append)
    engine.generate([Prepared(prompt("A nodule.")), Prepared(prompt("A mass."))])

    assert seconds == slept


def test_a_probe_costs_no_delay() -> None:
    seconds: list[float] = []
    ExtractiveEngine(delay_s=1.5, sleep=seconds.append).probe()

    assert seconds == []
