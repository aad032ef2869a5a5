"""The chance of a redraft follows from its prompt and its number, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from mappings.domain import Prompt, PromptPiece
from model.chance import seed_of

PROMPT = Prompt((PromptPiece("Findings: A nodule.", is_trusted=True),), "", None, "1", 64)


def redraft(number: int, text: str = "Findings: A nodule.") -> Prompt:
    return replace(PROMPT, pieces=(PromptPiece(text, is_trusted=False),), redraft=number)


def test_the_most_probable_draft_needs_no_chance() -> None:
    assert seed_of(PROMPT) is None


def test_the_same_number_of_the_same_prompt_is_the_same_chance() -> None:
    assert seed_of(redraft(3)) == seed_of(redraft(3)) == 1_059_808_611


def test_each_number_and_each_text_is_a_chance_of_its_own() -> None:
    seeds = {seed_of(redraft(n, text)) for n in range(1, 17) for text in ("One.", "Two.", "\ud800")}

    assert len(seeds) == 48
    assert all(seed is not None and 0 <= seed < 2**31 for seed in seeds)
