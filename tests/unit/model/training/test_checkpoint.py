"""A checkpoint is whole or not there, and brings back optimiser and chance, not weights alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

import torch

from model.errors import RecipeRefusedError
from model.training.checkpoint import (
    FOLDER,
    NAME,
    remove_checkpoint,
    restore_checkpoint,
    save_checkpoint,
)
from model.training.loop import Trainer
from model.training.strategies import LoraStrategy
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import load, recipe_of, training_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = TRAINING
RECIPE = recipe_of(LoraStrategy(rank=4), dev_every=1)
RUN = {"recipe": RECIPE.as_run()}


@pytest.fixture
def trainer(tiny_base: Path, small_corpus: Path) -> Trainer:
    model, tokenizer = load(tiny_base, RECIPE)
    rows = training_rows(small_corpus, tokenizer)
    return Trainer(model, rows[:4], rows[:1], RECIPE)


def test_everything_comes_back(trainer: Trainer, tmp_path: Path) -> None:
    trainer.run(lambda *_: None)
    save_checkpoint(trainer, tmp_path, RUN)
    drawn = torch.rand(3)
    weights = {name: value.detach().clone() for name, value in trainer.trained.items()}
    moments = trainer.optimiser.state_dict()["state"]
    moments = {place: {k: v.clone() for k, v in one.items()} for place, one in moments.items()}
    position = trainer.position.as_dict()
    trainer.position.step = 0
    trainer.run(lambda *_: None)

    assert restore_checkpoint(trainer, tmp_path, RUN)

    assert trainer.position.as_dict() == position
    assert torch.rand(3).equal(drawn)
    assert all(value.equal(weights[name]) for name, value in trainer.trained.items())
    again = trainer.optimiser.state_dict()["state"]
    assert all(v.equal(again[place][k]) for place, one in moments.items() for k, v in one.items())
    assert moments


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(
    trainer: Trainer, tmp_path: Path
) -> None:
    assert not restore_checkpoint(trainer, tmp_path, RUN)
    remove_checkpoint(tmp_path)
    save_checkpoint(trainer, tmp_path, RUN)
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [NAME]
    remove_checkpoint(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_run_or_a_broken_one_is_refused(
    trainer: Trainer, tmp_path: Path
) -> None:
    save_checkpoint(trainer, tmp_path, RUN)
    with pytest.raises(RecipeRefusedError, match="checkpoint_of_another_run"):
        restore_checkpoint(trainer, tmp_path, {"recipe": RUN["recipe"] | {"seed": 2}})
    path = tmp_path / FOLDER / NAME
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(RecipeRefusedError, match="checkpoint_unreadable"):
        restore_checkpoint(trainer, tmp_path, RUN)


def test_a_checkpoint_that_tells_of_workers_or_lacks_a_field_is_of_the_same_run(
    trainer: Trainer, tmp_path: Path
) -> None:
    older = {name: value for name, value in RUN["recipe"].items() if name != "packing"}

    for recipe in (RUN["recipe"] | {"workers": 1}, older):
        save_checkpoint(trainer, tmp_path, {"recipe": recipe})
        assert restore_checkpoint(trainer, tmp_path, RUN)


@pytest.mark.parametrize("run", [{}, {"recipe": {"seed": 1}}, {"recipe": None}, None])
def test_a_checkpoint_of_no_recipe_is_refused(trainer: Trainer, tmp_path: Path, run: Any) -> None:  # noqa: ANN401 - anything
    save_checkpoint(trainer, tmp_path, run)

    with pytest.raises(RecipeRefusedError, match="checkpoint_unreadable"):
        restore_checkpoint(trainer, tmp_path, RUN)
