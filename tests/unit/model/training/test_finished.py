"""A run has ended where its card is; another run, or other weights, make it none."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from model.training import Recipe, Trained, run_training
from model.training.finished import read_finished
from tests.unit.model.marks import TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Reader = Callable[[Recipe], Trained | None]

pytestmark = TRAINING

RECIPE = Recipe(name="tiny", steps=1, tokens_per_batch=300, learning_rate=0.01, dev_rows=1)


@pytest.fixture
def trained(tiny_base: Path, small_corpus: Path, tmp_path: Path) -> Trained:
    return run_training(RECIPE, data=small_corpus, out=tmp_path / "out", base=tiny_base)


@pytest.fixture
def read(trained: Trained, tiny_base: Path, small_corpus: Path) -> Reader:
    return partial(read_finished, data=small_corpus, out=trained.folder, base=tiny_base)


def test_what_a_run_left_is_told_with_no_cost(trained: Trained, read: Reader) -> None:
    found = read(RECIPE)

    assert found is not None
    assert (found.wall_s, found.cpu_s) == (0, 0)
    assert found.dev_losses == trained.dev_losses
    assert (found.rows, found.steps, found.kept_step) == (12, 1, 1)
    assert found.parameters == trained.parameters


@pytest.mark.parametrize("text", [None, "no", "[1]", "{}"])
def test_without_a_card_of_ours_nothing_has_ended(
    text: str | None, trained: Trained, read: Reader
) -> None:
    card = trained.folder / "card.json"
    card.unlink() if text is None else card.write_text(text)

    assert read(RECIPE) is None


def test_a_card_older_than_a_field_of_the_recipe_is_of_a_run_without_it(
    trained: Trained, read: Reader
) -> None:
    card = trained.folder / "card.json"
    told = json.loads(card.read_text())
    del told["recipe"]["workers"], told["recipe"]["packing"]
    card.write_text(json.dumps(told))

    assert read(RECIPE) is not None
    assert read(RECIPE.model_copy(update={"packing": True})) is None


def test_a_run_is_the_same_with_other_workers_and_another_with_other_batches(
    trained: Trained, read: Reader
) -> None:
    card = json.loads((trained.folder / "card.json").read_text())

    assert card["recipe"]["workers"] == 1
    assert read(RECIPE.model_copy(update={"workers": 2})) is not None
    assert read(RECIPE.model_copy(update={"accumulation": 2})) is None


def test_another_recipe_corpus_or_base_has_not_ended(trained: Trained, read: Reader) -> None:
    other = RECIPE.model_copy(update={"seed": 4})
    card = trained.folder / "card.json"
    told = json.loads(card.read_text())

    assert read(other) is None
    for part, change in (
        ("data", told["data"] | {"sha256": {"train": "x", "dev": "y"}}),
        ("base", told["base"] | {"sha256": "x"}),
    ):
        card.write_text(json.dumps(told | {part: change}))
        assert read(RECIPE) is None


def test_weights_that_are_no_longer_those_of_the_card_are_trained_again(
    trained: Trained, read: Reader
) -> None:
    (trained.folder / "adapter_model.safetensors").unlink()

    assert read(RECIPE) is None
