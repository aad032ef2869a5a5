"""What the tests of training share: a tiny model made ready, and rows for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.corpora.schema import read_corpus
from model.tokenising import PromptTokeniser
from model.training.recipe import Recipe
from model.training.rows import TrainingRow, training_row
from model.training.strategies import (
    FreezeStrategy,
    FullStrategy,
    Ia3Strategy,
    LoraStrategy,
    PrefixStrategy,
    PromptStrategy,
    PTuningStrategy,
    Strategy,
)

if TYPE_CHECKING:
    from pathlib import Path


def load(base: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Return the model made ready and its tokenizer."""
    from model.training.adapting import load_for_training

    return load_for_training(base, recipe)


def training_rows(corpus: Path, tokenizer: Any) -> list[TrainingRow]:  # noqa: ANN401 - a library's
    """Return the rows of the training split."""
    tokeniser = PromptTokeniser(tokenizer)
    reports = read_corpus(corpus / "train.jsonl")
    return [training_row(report, tokeniser, tokenizer.eos_token_id) for report in reports]


STRATEGIES: tuple[Strategy, ...] = (
    LoraStrategy(rank=4),
    Ia3Strategy(),
    PromptStrategy(virtual_tokens=5),
    PTuningStrategy(virtual_tokens=5, hidden_size=16),
    PrefixStrategy(virtual_tokens=5),
    FreezeStrategy(upper_layers=1),
    FullStrategy(),
)
"""Each kind but QLoRA, which is LoRA on a base kept otherwise and needs a library of its own."""


def recipe_of(strategy: Strategy, **changes: object) -> Recipe:
    """Return a recipe of a few steps."""
    told = {"steps": 2, "tokens_per_batch": 900, "learning_rate": 0.02, "warmup_steps": 1}
    return Recipe.model_validate({"name": "tiny", "strategy": strategy, **told, **changes})


def trained_weights(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a library's model
    """Return what a strategy trains, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def disturb(model: Any, size: float = 0.1) -> None:  # noqa: ANN401 - a library's model
    """Let what is trained have an effect: LoRA begins with none."""
    import torch

    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weights in trained_weights(model).values():
            weights.add_(size * torch.randn(weights.shape, generator=chance))
