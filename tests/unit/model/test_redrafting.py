"""Which draft is taken: the first that passes, in the order of their numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Draft, Exam, Findings, FinishReason
from model.engines.extractive import ExtractiveEngine
from model.prompt import build_prompt
from model.redrafting import Choice

FINDINGS = Findings("There is a 12 mm nodule in the right upper lobe.", None, Exam(), "a", "en")
ENGINE = ExtractiveEngine().identity(None, "1")
PROMPT = build_prompt(FINDINGS)
GOOD = "12 mm nodule in the right upper lobe."
LEFT = "12 mm nodule in the left upper lobe."
LARGER = "21 mm nodule in the right upper lobe."


def draft_of(text: str, redraft: int) -> Draft:
    return Draft(text, FinishReason.STOP, 40, 10, replace(ENGINE, redraft=redraft))


def choose(texts: list[str], redrafts_max: int) -> tuple[Choice, list[int]]:
    """Let a model write one text after the other; return the choice and what it asked for."""
    choice = Choice(FINDINGS, PROMPT, redrafts_max)
    asked: list[int] = []
    while (prompt := choice.wanted) is not None:
        assert replace(prompt, redraft=0) == PROMPT
        choice.judge(draft_of(texts[len(asked)], prompt.redraft))
        asked.append(prompt.redraft)
    return choice, asked


@pytest.mark.parametrize(
    ("texts", "redrafts_max", "asked", "taken"),
    [
        ([GOOD], 4, [0], GOOD),
        ([LEFT, LARGER, GOOD, GOOD], 4, [0, 1, 2], GOOD),
        ([LEFT, GOOD], 0, [0], LEFT),
        ([LEFT, LARGER, LARGER], 2, [0, 1, 2], LEFT),
    ],
)
def test_the_first_draft_that_passes_is_taken_else_the_first_of_all(
    texts: list[str], redrafts_max: int, asked: list[int], taken: str
) -> None:
    choice, numbers = choose(texts, redrafts_max)

    assert numbers == asked
    assert choice.taken.draft.text == taken
    assert (choice.taken.refusal is None) == (taken == GOOD)


def test_what_is_withheld_has_the_reason_that_it_would_have_without_redrafts() -> None:
    alone, _ = choose([LEFT], 0)
    redrafted, _ = choose([LEFT, LARGER], 1)

    assert alone.taken.refusal is not None
    assert redrafted.taken == alone.taken


def test_each_draft_is_judged_as_it_comes() -> None:
    choice = Choice(FINDINGS, PROMPT, 1)

    refusal = choice.judge(draft_of(LEFT, 0)).refusal

    assert refusal is not None
    assert refusal.check == "side_not_in_findings"
    assert choice.judge(draft_of(GOOD, 1)).refusal is None
