"""The loop on a tiny random Llama: what is learned, what stays, when it ends."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

from model.errors import RecipeRefusedError
from model.training.loop import Position, Trainer
from model.training.recipe import Recipe
from model.training.strategies import LoraStrategy
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import load, training_rows

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.rows import TrainingRow

pytestmark = TRAINING

RECIPE = Recipe(
    name="tiny",
    steps=12,
    tokens_per_batch=900,
    learning_rate=0.02,
    warmup_steps=2,
    strategy=LoraStrategy(rank=4),
)


def trainer_of(tiny_base: Path, small_corpus: Path, **changes: object) -> Trainer:
    recipe = Recipe.model_validate({**RECIPE.model_dump(), **changes})
    model, tokenizer = load(tiny_base, recipe)
    rows = training_rows(small_corpus, tokenizer)
    return Trainer(model, rows[:4], rows[:2], recipe)


def weights_of(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a library's model
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def test_training_learns_the_impression_and_leaves_the_base_as_it_was(
    tiny_base: Path, small_corpus: Path
) -> None:
    trainer = trainer_of(tiny_base, small_corpus)
    before = weights_of(trainer.model)
    reported: list[tuple[int, float, float | None]] = []

    trainer.run(lambda *numbers: reported.append(numbers))

    after = weights_of(trainer.model)
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    assert [step for step, _, _ in reported] == list(range(1, RECIPE.steps + 1))
    assert reported[-1][1] < reported[0][1]
    assert trainer.position.dev_losses == {RECIPE.steps: reported[-1][2]}


def test_a_look_at_the_dev_rows_learns_nothing_and_takes_no_more_of_them_than_told(
    tiny_base: Path, small_corpus: Path
) -> None:
    trainer = trainer_of(tiny_base, small_corpus, dev_rows=1)
    other = trainer_of(tiny_base, small_corpus)

    loss = trainer._dev_loss()

    assert len(trainer._dev_rows) == 1
    assert loss != other._dev_loss()
    assert all(value.grad is None for value in trainer.model.parameters())
    assert trainer.model.training


def test_an_adapter_can_be_kept_to_the_upper_layers(tiny_base: Path, small_corpus: Path) -> None:
    trainer = trainer_of(tiny_base, small_corpus, strategy=LoraStrategy(rank=4, upper_layers=1))

    assert trainer.trained
    assert all(".layers.1." in name for name in trainer.trained)


def test_the_learning_rate_rises_to_its_peak_and_falls_towards_zero(
    tiny_base: Path, small_corpus: Path
) -> None:
    trainer = trainer_of(tiny_base, small_corpus)
    shares = []
    for step in range(RECIPE.steps + 1):
        trainer.position.step = step
        shares.append(trainer._rate())

    assert max(shares) == 1.0
    assert shares.index(1.0) == RECIPE.warmup_steps - 1
    assert shares[0] > 0
    assert shares[RECIPE.warmup_steps :] == sorted(shares[RECIPE.warmup_steps :], reverse=True)
    assert shares[-1] == 0.0


def test_batches_gathered_into_one_step_learn_as_one_batch(
    tiny_base: Path, small_corpus: Path
) -> None:
    one = trainer_of(tiny_base, small_corpus, packing=True, tokens_per_batch=5_000)
    four = trainer_of(tiny_base, small_corpus, tokens_per_batch=1, accumulation=4)

    (whole,) = next(one._groups())
    parts = next(four._groups())
    losses = (one._step([whole]), four._step(parts))

    assert (len(whole), [len(part) for part in parts]) == (4, [1, 1, 1, 1])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, weights in one.trained.items():
        assert weights.allclose(four.trained[name], atol=1e-5), name


@pytest.mark.parametrize("workers", [2, 3])  # fewer than batches, and as many
def test_batches_learned_side_by_side_leave_the_bytes_of_batches_in_turn(
    workers: int, tiny_base: Path, small_corpus: Path
) -> None:
    told = {"device": "cpu", "tokens_per_batch": 1, "accumulation": 3, "dev_every": 4}
    in_turn = trainer_of(tiny_base, small_corpus, **told)
    together = trainer_of(tiny_base, small_corpus, **told, workers=workers)

    for trainer in (in_turn, together):
        trainer.run(lambda *_: None)

    assert together.position == in_turn.position
    assert together.position.step == RECIPE.steps
    for name, weights in in_turn.trained.items():
        assert weights.equal(together.trained[name]), name


def test_batches_are_not_learned_side_by_side_where_a_base_leaves_things_out_by_chance(
    tiny_base: Path, small_corpus: Path
) -> None:
    import torch

    told = {"device": "cpu", "accumulation": 2}
    trainer = trainer_of(tiny_base, small_corpus, **told)
    model, recipe = trainer.model, trainer._recipe
    together = recipe.model_copy(update={"workers": 2})

    def make(recipe: Recipe) -> Trainer:
        return Trainer(model, trainer._rows, trainer._dev_rows, recipe)

    def refuse() -> None:
        with pytest.raises(RecipeRefusedError, match="dropout of its own") as caught:
            make(together)
        assert caught.value.where == "workers"
        make(recipe)  # in turn, chance is drawn in one order

    make(together)
    model.config.attention_dropout = 0.1
    refuse()
    model.config.attention_dropout = 0.0
    model.get_base_model().model.add_module("left_out", torch.nn.Dropout(0.0))
    make(together)
    model.get_base_model().model.left_out.p = 0.1
    refuse()


def test_epochs_go_through_the_data_so_often(tiny_base: Path, small_corpus: Path) -> None:
    trainer = trainer_of(
        tiny_base, small_corpus, steps=None, epochs=2, tokens_per_batch=1, accumulation=3
    )
    seen: list[TrainingRow] = [row for group in trainer._groups() for (row,) in group]

    assert trainer.steps == 3  # 8 rows, one a batch, three a step
    assert sorted(map(hash, seen)) == sorted(map(hash, [*trainer._rows, *trainer._rows]))


def test_the_places_of_some_steps_are_what_they_learn_each_once(
    tiny_base: Path, small_corpus: Path
) -> None:
    trainer = trainer_of(tiny_base, small_corpus, tokens_per_batch=1)
    rows = [row for (batch,) in list(islice(trainer._groups(), 3)) for row in batch]

    places = trainer.places_of(3)

    assert {id(trainer._rows[place]) for place in places} == {id(row) for row in rows}
    assert trainer.places_of(RECIPE.steps or 0) == [0, 1, 2, 3]


def test_the_run_ends_when_the_dev_loss_gets_no_better(
    tiny_base: Path, small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(tiny_base, small_corpus, dev_every=2, early_stopping_patience=2)
    losses = iter((3.0, 3.5, 2.0, 2.5, 2.1, 1.0))
    monkeypatch.setattr(trainer, "_dev_loss", lambda: next(losses))
    looks: list[bool] = []

    trainer.run(lambda *_: None, looks.append)

    assert looks == [True, False, True, False, False]
    assert (trainer.position.best_step, trainer.position.step) == (6, 10)
    assert trainer.position.step < trainer.steps


def test_a_run_that_has_lost_its_way_stops(tiny_base: Path, small_corpus: Path) -> None:
    import torch

    trainer = trainer_of(tiny_base, small_corpus)
    with torch.no_grad():
        next(iter(trainer.trained.values())).fill_(math.inf)

    with pytest.raises(RecipeRefusedError, match="became infinite"):
        trainer.run(lambda *_: None)


def test_in_bfloat16_what_is_trained_stays_in_float32(tiny_base: Path, small_corpus: Path) -> None:
    import torch

    trainer = trainer_of(tiny_base, small_corpus, dtype="bfloat16")

    trainer.run(lambda *_: None)

    assert {value.dtype for value in trainer.trained.values()} == {torch.float32}
    frozen = [value for value in trainer.model.parameters() if not value.requires_grad]
    assert {value.dtype for value in frozen} == {torch.bfloat16}
    assert trainer.position.losses[-1] < trainer.position.losses[0]


def test_a_position_is_the_same_after_json() -> None:
    import json

    position = Position(step=4, losses=[1.0, 0.5], dev_losses={2: 0.75}, best_step=2)

    assert Position.from_dict(json.loads(json.dumps(position.as_dict()))) == position
