"""A run goes on from an adapter's own weights, or says why it cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

import torch
from peft import get_peft_model_state_dict

from model.errors import EngineUnavailableError, RecipeRefusedError
from model.training import Recipe, run_training
from model.training.beginning import begin_with
from model.training.finished import read_finished
from model.training.saving import digest_of_weights, save_trained
from model.training.strategies import FullStrategy, LoraStrategy, PrefixStrategy, PTuningStrategy
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import STRATEGIES, disturb, load, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.strategies import Strategy

pytestmark = TRAINING

WITHOUT_ENCODER = [
    one for one in STRATEGIES if not one.is_base and not isinstance(one, PTuningStrategy)
]


def save_adapter(strategy: Strategy, base: Path, out: Path) -> Path:
    """Save an adapter with an effect of its own."""
    recipe = recipe_of(strategy)
    model, tokenizer = load(base, recipe)
    disturb(model)
    save_trained(model, tokenizer, out, base_name="tiny", recipe=recipe)
    return out


@pytest.mark.parametrize("strategy", WITHOUT_ENCODER, ids=lambda one: one.kind)
def test_the_first_weights_are_the_adapters(
    strategy: Strategy, tiny_base: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(strategy, tiny_base, tmp_path / "first")
    recipe = recipe_of(strategy, seed=1)
    model, tokenizer = load(tiny_base, recipe)
    drawn = {name: one.clone() for name, one in get_peft_model_state_dict(model).items()}

    begin_with(model, adapter, recipe)
    save_trained(model, tokenizer, tmp_path / "second", base_name="tiny", recipe=recipe)

    begun = get_peft_model_state_dict(model)
    assert any(not torch.equal(begun[name], one) for name, one in drawn.items())
    assert digest_of_weights(tmp_path / "second") == digest_of_weights(adapter)


@pytest.mark.parametrize(
    "strategy",
    [
        PTuningStrategy(virtual_tokens=5, hidden_size=16),
        PrefixStrategy(virtual_tokens=5, hidden_size=16),
    ],
    ids=lambda one: one.kind,
)
def test_an_adapter_whose_encoder_was_not_kept_is_refused(
    strategy: Strategy, tiny_base: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(strategy, tiny_base, tmp_path / "first")
    recipe = recipe_of(strategy, seed=1)
    model, _ = load(tiny_base, recipe)

    with pytest.raises(RecipeRefusedError):
        begin_with(model, adapter, recipe)


@pytest.mark.parametrize(
    "strategy",
    [
        LoraStrategy(rank=8),
        LoraStrategy(rank=4, alpha=99),
        LoraStrategy(rank=4, upper_layers=1),
        PrefixStrategy(virtual_tokens=5),
        FullStrategy(),
    ],
)
def test_an_adapter_of_another_strategy_is_refused(
    strategy: Strategy, tiny_base: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(LoraStrategy(rank=4), tiny_base, tmp_path / "first")
    recipe = recipe_of(strategy)
    model, _ = load(tiny_base, recipe)

    with pytest.raises(RecipeRefusedError, match="--from"):
        begin_with(model, adapter, recipe)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [None, b"no", b"[]"])
def test_a_folder_without_an_adapter_is_refused(
    name: str, content: bytes | None, tiny_base: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(LoraStrategy(rank=4), tiny_base, tmp_path / "first")
    file = adapter / name
    file.unlink() if content is None else file.write_bytes(content)
    recipe = recipe_of(LoraStrategy(rank=4))
    model, _ = load(tiny_base, recipe)

    with pytest.raises(EngineUnavailableError, match="adapter_unreadable"):
        begin_with(model, adapter, recipe)


@pytest.mark.parametrize("inside", [".", "steps/000002"])
def test_an_adapter_that_the_run_would_write_over_is_refused(
    inside: str, tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(LoraStrategy(rank=4), tiny_base, tmp_path / "out" / inside)
    digest = digest_of_weights(adapter)

    with pytest.raises(RecipeRefusedError, match="--from"):
        run_training(
            recipe_of(LoraStrategy(rank=4)),
            data=small_corpus,
            out=tmp_path / "out",
            base=tiny_base,
            begin=adapter,
        )

    assert digest_of_weights(adapter) == digest


def test_a_run_that_goes_on_is_another_run_and_its_card_says_from_where(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    recipe = Recipe(name="tiny", steps=2, tokens_per_batch=300, learning_rate=0.01, dev_rows=1)
    general, begun, drawn = tmp_path / "general", tmp_path / "begun", tmp_path / "drawn"
    places: dict[str, Any] = {"data": small_corpus, "base": tiny_base}
    run_training(recipe.model_copy(update={"seed": 1}), out=general, **places)

    run_training(recipe, out=begun, begin=general, **places)
    run_training(recipe, out=drawn, **places)

    digest = digest_of_weights(general)
    assert digest_of_weights(begun) != digest_of_weights(drawn)
    assert json.loads((begun / "card.json").read_text())["begun_from"] == digest
    assert "begun_from" not in json.loads((drawn / "card.json").read_text())
    assert f"Went on from the adapter with sha256 `{digest}`." in (begun / "CARD.md").read_text()
    assert read_finished(recipe, out=begun, begin=general, **places) is not None
    assert read_finished(recipe, out=begun, **places) is None
    assert read_finished(recipe, out=drawn, begin=general, **places) is None
