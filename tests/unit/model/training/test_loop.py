"""The loop on a tiny random Llama: what is learned, what stays, and how the rate goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model.synth import read_rows
from model.tokenising import PromptTokeniser
from model.training.loop import _rate, dev_loss, impression_loss, load_for_training, run_steps
from model.training.recipe import Recipe
from model.training.rows import TrainingRow, training_row

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("torch_as_it_was"),
    # peft calls names that transformers will drop in v6, torch names that Python will.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]
pytest.importorskip("torch")

RECIPE = Recipe(
    name="tiny", steps=12, tokens_per_batch=900, learning_rate=0.02, warmup_steps=2, rank=4
)


@pytest.fixture
def loaded(tiny_base: Path) -> tuple[Any, Any]:
    return load_for_training(tiny_base, RECIPE)


@pytest.fixture
def rows(loaded: tuple[Any, Any], small_corpus: Path) -> list[TrainingRow]:
    tokenizer = loaded[1]
    tokeniser = PromptTokeniser(tokenizer)
    reports = read_rows(small_corpus / "train.jsonl")
    return [training_row(report, tokeniser, tokenizer.eos_token_id) for report in reports][:4]


def losses_by_hand(model: Any, row: TrainingRow) -> list[float]:  # noqa: ANN401 - a library's model
    """The loss of each token of the impression, from the whole model's own output."""
    import torch

    ids = torch.tensor([row.token_ids])
    with torch.no_grad():
        odds = model(input_ids=ids).logits[0].log_softmax(-1)
    learned = range(row.prompt_tokens, len(row.token_ids))
    return [-odds[place - 1, row.token_ids[place]].item() for place in learned]


def test_the_loss_is_that_of_the_impressions_tokens_and_of_no_other(
    loaded: tuple[Any, Any], rows: list[TrainingRow]
) -> None:
    model = loaded[0]
    by_hand = [losses_by_hand(model, row) for row in rows]

    together = impression_loss(model, rows).item()

    flat = [loss for losses in by_hand for loss in losses]
    assert len({len(row.token_ids) for row in rows}) > 1, "padding must be tried too"
    assert together == pytest.approx(sum(flat) / len(flat), rel=1e-4)


def test_only_what_follows_the_prompt_is_a_target(
    loaded: tuple[Any, Any], rows: list[TrainingRow]
) -> None:
    model, row = loaded[0], rows[0]
    last_only = TrainingRow(row.token_ids, prompt_tokens=len(row.token_ids) - 1)

    assert impression_loss(model, [last_only]).item() == pytest.approx(
        losses_by_hand(model, row)[-1], rel=1e-4
    )


def test_training_learns_the_impression_and_leaves_the_base_as_it_was(
    loaded: tuple[Any, Any], rows: list[TrainingRow]
) -> None:
    model = loaded[0]
    before = {name: value.clone() for name, value in model.named_parameters()}
    reported: list[tuple[int, float, float | None]] = []

    dev_losses = run_steps(model, rows, rows[:2], RECIPE, lambda *numbers: reported.append(numbers))

    changed = {name for name, value in model.named_parameters() if not value.equal(before[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    assert [step for step, _, _ in reported] == list(range(1, RECIPE.steps + 1))
    assert reported[-1][1] < reported[0][1]
    assert dev_losses == {RECIPE.steps: reported[-1][2]}


def test_the_dev_loss_learns_nothing_and_looks_at_no_more_rows_than_told(
    loaded: tuple[Any, Any], rows: list[TrainingRow]
) -> None:
    model = loaded[0]
    one = RECIPE.model_copy(update={"dev_rows": 1})

    loss = dev_loss(model, rows, one)

    assert loss == pytest.approx(impression_loss(model, rows[:1]).item(), rel=1e-5)
    assert all(value.grad is None for value in model.parameters())
    assert model.training


def test_an_adapter_can_be_kept_to_the_upper_layers(tiny_base: Path) -> None:
    upper = RECIPE.model_copy(update={"upper_layers": 1})

    model, _ = load_for_training(tiny_base, upper)

    trained = [name for name, value in model.named_parameters() if value.requires_grad]
    assert trained
    assert all(".layers.1." in name for name in trained)


def test_the_learning_rate_rises_to_its_peak_and_falls_towards_zero() -> None:
    shares = [_rate(step, RECIPE) for step in range(RECIPE.steps + 1)]

    assert max(shares) == 1.0
    assert shares.index(1.0) == RECIPE.warmup_steps - 1
    assert shares[0] > 0
    assert shares[RECIPE.warmup_steps :] == sorted(shares[RECIPE.warmup_steps :], reverse=True)
    assert shares[-1] == 0.0
