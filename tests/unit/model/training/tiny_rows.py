"""What the tests of training share: a tiny model made ready, and rows for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.synth import read_rows
from model.tokenising import PromptTokeniser
from model.training.rows import TrainingRow, training_row

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.recipe import Recipe


def load(base: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Return the model made ready and its tokenizer."""
    from model.training.adapting import load_for_training

    return load_for_training(base, recipe)


def training_rows(corpus: Path, tokenizer: Any) -> list[TrainingRow]:  # noqa: ANN401 - a library's
    """Return the rows of the training split."""
    tokeniser = PromptTokeniser(tokenizer)
    reports = read_rows(corpus / "train.jsonl")
    return [training_row(report, tokeniser, tokenizer.eos_token_id) for report in reports]
