"""Rows ask what is asked at work; batches keep their limit and can be repeated."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from model.corpora.asking import prompt_of
from model.corpora.schema import parse_row
from model.errors import PromptRefusedError
from model.synth.corpus import report_row
from model.tokenising import PromptTokeniser
from model.training.rows import TrainingRow, batches, training_row

if TYPE_CHECKING:
    from collections.abc import Iterator

END = 1_114_112


class Letters:
    """A tokenizer with a token for each character, and one control token, END."""

    all_special_ids = (END,)
    added_tokens_decoder: dict[int, Any] = {END: SimpleNamespace(special=True)}  # noqa: RUF012 - as the library has it

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [END if letter == "\0" else ord(letter) for letter in text]}

    def decode(self, token_ids: list[int]) -> str:
        return "".join(map(chr, token_ids))


@pytest.fixture
def tokeniser() -> PromptTokeniser:
    return PromptTokeniser(Letters())


def rows(*lengths: int) -> list[TrainingRow]:
    """Rows that can be told apart by their first token."""
    return [
        TrainingRow((index, *[0] * (length - 1)), prompt_tokens=1)
        for index, length in enumerate(lengths)
    ]


def epoch(source: list[TrainingRow], *, tokens_max: int, seed: int) -> list[list[TrainingRow]]:
    """The batches until every row was met once."""
    stream: Iterator[list[TrainingRow]] = batches(source, tokens_max=tokens_max, seed=seed)
    taken: list[list[TrainingRow]] = []
    while sum(map(len, taken)) < len(source):
        taken.append(next(stream))
    return taken


def test_a_row_is_the_prompt_of_work_then_the_impression_then_the_end(
    tokeniser: PromptTokeniser,
) -> None:
    report = parse_row(report_row(0, "train", 4), 5)

    row = training_row(report, tokeniser, END)

    prompt, answer = row.token_ids[: row.prompt_tokens], row.token_ids[row.prompt_tokens :]
    asked = "".join(piece.text for piece in prompt_of(report).pieces)
    assert "".join(map(chr, prompt)) == asked
    assert "".join(map(chr, answer[:-1])) == report.impression
    assert answer[-1] == END


def test_a_control_token_in_a_report_is_never_learned(tokeniser: PromptTokeniser) -> None:
    report = parse_row(report_row(0, "train", 4), 5)

    with pytest.raises(PromptRefusedError, match="control_token_in_report"):
        training_row(replace(report, findings="Small \0effusion."), tokeniser, END)
    with pytest.raises(PromptRefusedError, match="control_token_in_report"):
        training_row(replace(report, impression="Small \0effusion."), tokeniser, END)


LENGTHS = tuple(10 + (index * 37) % 90 for index in range(600))


def test_no_batch_passes_the_token_limit_padding_counted() -> None:
    for batch in islice(batches(rows(*LENGTHS), tokens_max=240, seed=1), 500):
        assert len(batch) * max(len(row.token_ids) for row in batch) <= 240


def test_a_row_longer_than_the_limit_goes_alone() -> None:
    taken = epoch(rows(300, 20, 20), tokens_max=100, seed=0)

    assert sorted(len(batch) for batch in taken) == [1, 2]


def test_each_row_is_met_once_before_any_is_met_again() -> None:
    source = rows(*LENGTHS)

    met = [row.token_ids[0] for batch in epoch(source, tokens_max=240, seed=1) for row in batch]

    assert sorted(met) == list(range(len(source)))


def test_the_same_seed_gives_the_same_batches_and_another_seed_others() -> None:
    first, again, other = (
        list(islice(batches(rows(*LENGTHS), tokens_max=240, seed=seed), 300)) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_little_is_padded() -> None:
    taken = epoch(rows(*LENGTHS), tokens_max=400, seed=1)
    room = sum(len(batch) * max(len(row.token_ids) for row in batch) for batch in taken)

    assert sum(LENGTHS) / room > 0.9
