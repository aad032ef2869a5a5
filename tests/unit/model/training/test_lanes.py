"""Padded or packed, with virtual tokens or without: the loss is that of the impressions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

import torch

from model.training.lanes import NOT_LEARNED, impression_loss, lay_out, soft_tokens
from model.training.rows import TrainingRow
from tests.unit.model.marks import TRAINING
from tests.unit.model.training.tiny_rows import (
    STRATEGIES,
    disturb,
    load,
    recipe_of,
    trained_weights,
    training_rows,
)

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.strategies import Strategy

pytestmark = TRAINING
CPU = torch.device("cpu")
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.kind)


def made_ready(base: Path, corpus: Path, strategy: Strategy) -> tuple[Any, list[TrainingRow]]:
    model, tokenizer = load(base, recipe_of(strategy))
    disturb(model)
    rows = training_rows(corpus, tokenizer)[:4]
    assert len({len(row.token_ids) for row in rows}) > 1, "padding must be tried too"
    return model, rows


def loss_by_the_library(model: Any, row: TrainingRow) -> torch.Tensor:  # noqa: ANN401 - a library's
    """The mean loss of one impression from the whole model's own forward pass and labels."""
    ids = torch.tensor([row.token_ids])
    labels = ids.clone()
    labels[:, : row.prompt_tokens] = -100
    loss: torch.Tensor = model(
        input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels
    ).loss
    return loss


@each_strategy
def test_the_loss_is_that_of_the_impressions_tokens_and_of_no_other(
    strategy: Strategy, tiny_base: Path, small_corpus: Path
) -> None:
    model, rows = made_ready(tiny_base, small_corpus, strategy)
    tokens = [row.learned_tokens for row in rows]
    with torch.no_grad():
        by_row = [loss_by_the_library(model, row).item() for row in rows]

        together = impression_loss(model, rows).item()

    expected = sum(loss * n for loss, n in zip(by_row, tokens, strict=True)) / sum(tokens)
    assert together == pytest.approx(expected, rel=1e-4)


@each_strategy
def test_packed_rows_have_the_loss_and_the_gradient_of_padded_ones(
    strategy: Strategy, tiny_base: Path, small_corpus: Path
) -> None:
    model, rows = made_ready(tiny_base, small_corpus, strategy)
    losses, gradients = [], []

    for is_packed in (False, True):
        model.zero_grad()
        loss = impression_loss(model, rows, is_packed=is_packed)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        gradients.append({n: w.grad.clone() for n, w in trained_weights(model).items()})

    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    for name, padded in gradients[0].items():
        assert padded.any(), name
        assert gradients[1][name].allclose(padded, atol=1e-4, rtol=1e-3), name


def test_a_packed_report_learns_nothing_of_its_neighbour(
    tiny_base: Path, small_corpus: Path
) -> None:
    model, rows = made_ready(tiny_base, small_corpus, STRATEGIES[0])
    unlearned = TrainingRow(rows[0].token_ids, prompt_tokens=len(rows[0].token_ids))
    other = TrainingRow(tuple(reversed(rows[0].token_ids)), len(rows[0].token_ids))

    with torch.no_grad():
        alone, beside, beside_other = (
            impression_loss(model, batch, is_packed=True).item()
            for batch in ([rows[1]], [unlearned, rows[1]], [other, rows[1]])
        )

    assert beside == pytest.approx(alone, rel=1e-5)
    assert beside_other == pytest.approx(beside, rel=1e-6)


def test_rows_lie_end_to_end_each_with_its_own_positions_and_virtual_tokens() -> None:
    rows = [TrainingRow((7, 8, 9), 2), TrainingRow((5, 6), 1)]

    packed = lay_out(rows, is_packed=True, virtual_tokens=2, device=CPU)
    padded = lay_out(rows, is_packed=False, virtual_tokens=0, device=CPU)

    no = NOT_LEARNED
    assert packed.ids.tolist() == [[0, 0, 7, 8, 9, 0, 0, 5, 6]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]
    assert packed.reports.tolist() == [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    assert packed.is_virtual.int().tolist() == [[1, 1, 0, 0, 0, 1, 1, 0, 0]]
    assert packed.targets.tolist() == [[no, no, no, 9, no, no, no, 6, no]]
    assert padded.ids.tolist() == [[7, 8, 9], [5, 6, 0]]
    assert padded.reports.tolist() == [[1, 1, 1], [1, 1, 0]]


@each_strategy
def test_only_prompt_and_p_tuning_put_tokens_before_each_report(
    strategy: Strategy, tiny_base: Path
) -> None:
    model, _ = load(tiny_base, recipe_of(strategy))

    assert soft_tokens(model) == (5 if strategy.kind in {"prompt", "p_tuning"} else 0)
