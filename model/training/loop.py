"""The training loop: steps of AdamW, looks at the dev rows, and a place to go on from.

Our own loop, and no trainer of a library: the run is deterministic and can be taken up again to the
byte, and nothing that takes a minute to import is imported.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from model.errors import RecipeRefusedError
from model.training.lanes import impression_loss, soft_tokens
from model.training.rows import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from model.training.recipe import Recipe
    from model.training.rows import TrainingRow

GRADIENT_NORM_MAX = 1.0
DROPOUTS = ("dropout", "attention_dropout", "activation_dropout", "hidden_dropout")
"""Settings of a base that leaves things out by chance in its own code, without a module."""


@dataclass(slots=True)
class Position:
    """Where a run is: all that is not a tensor.

    Attributes:
        step: Steps done.
        losses: Of each step, nats a token.
        dev_losses: By step.
        best_step: Whose dev loss was the lowest.
        looks_in_vain: Since then.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    dev_losses: dict[int, float] = field(default_factory=dict)
    best_step: int = 0
    looks_in_vain: int = 0

    def look(self, loss: float) -> bool:
        """Take a dev loss; return whether it is the lowest."""
        is_best = loss < self.dev_losses.get(self.best_step, math.inf)
        self.dev_losses[self.step] = loss
        self.looks_in_vain = 0 if is_best else self.looks_in_vain + 1
        if is_best:
            self.best_step = self.step
        return is_best

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Position:
        """Read what ``as_dict`` wrote; JSON has made texts of the steps."""
        by_step = {int(step): loss for step, loss in told["dev_losses"].items()}
        return cls(**{**told, "dev_losses": by_step})


class Trainer:
    """A model, its optimiser and its position; ``run`` goes on from there to the end."""

    def __init__(
        self,
        model: Any,
        rows: Sequence[TrainingRow],
        dev_rows: Sequence[TrainingRow],
        recipe: Recipe,
    ) -> None:
        """Take a model from ``load_for_training`` and at least one row of each kind.

        Raises:
            RecipeRefusedError: The recipe has workers, and the base dropout.
        """
        if recipe.workers > 1 and _has_dropout(model):
            # All threads would draw from one source of chance, whichever comes first.
            raise RecipeRefusedError("the base has dropout of its own: take one", "workers")
        self.model = model
        self.position = Position()
        self.trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.trained.values(), lr=recipe.learning_rate, weight_decay=0.0
        )
        self._rows = rows
        self._dev_rows = dev_rows[: recipe.dev_rows]
        self._recipe = recipe
        self.steps = recipe.steps or sum(1 for _ in self._groups())

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        patience = self._recipe.early_stopping_patience
        is_stopped = patience is not None and self.position.looks_in_vain >= patience
        return is_stopped or self.position.step >= self.steps

    def run(
        self,
        report: Callable[[int, float, float | None], None],
        on_look: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """Train to the end.

        Args:
            report: Called after each step with step, loss and, when it was taken, dev loss.
            on_look: Called after each look at the dev rows, with whether it was the best; before
                ``report``.
        """
        position = self.position
        groups = islice(self._groups(), position.step, None)
        self.model.train()
        while not self.is_done:
            loss = self._step(next(groups))
            position.step += 1
            position.losses.append(loss)
            dev_loss = None
            if position.step % self._recipe.dev_every == 0 or position.step == self.steps:
                dev_loss = self._dev_loss()
                on_look(position.look(dev_loss))
            report(position.step, loss, dev_loss)

    def places_of(self, steps: int) -> list[int]:
        """Return the places of the rows that the first so many steps learn, each once."""
        groups = islice(self._groups(), steps)
        given = {id(row) for group in groups for batch in group for row in batch}
        return [place for place, row in enumerate(self._rows) if id(row) in given]

    def _groups(self) -> Iterator[list[list[TrainingRow]]]:
        """Return the batches of each step, the same each time they are asked for."""
        recipe = self._recipe
        stream = batches(
            self._rows,
            tokens_max=recipe.tokens_per_batch,
            seed=recipe.seed,
            epochs=recipe.epochs,
            is_packed=recipe.packing,
            virtual_tokens=soft_tokens(self.model),
        )
        while group := list(islice(stream, recipe.accumulation)):
            yield group

    def _step(self, group: Sequence[Sequence[TrainingRow]]) -> float:
        """Learn one group of batches; return its loss, a token's mean over all of them."""
        for settings in self.optimiser.param_groups:
            settings["lr"] = self._recipe.learning_rate * self._rate()
        learned = [sum(row.learned_tokens for row in batch) for batch in group]
        shares = [tokens / sum(learned) for tokens in learned]
        learn = self._learn_in_turn if self._recipe.workers == 1 else self._learn_side_by_side
        told = learn(group, shares)
        torch.nn.utils.clip_grad_norm_(self.trained.values(), GRADIENT_NORM_MAX)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return told

    def _learn_in_turn(
        self, group: Sequence[Sequence[TrainingRow]], shares: Sequence[float]
    ) -> float:
        told = 0.0
        for batch, share in zip(group, shares, strict=True):
            loss = self._loss(batch, share)
            loss.backward()  # type: ignore[no-untyped-call]
            told += _finite(loss.item())
        return told

    def _learn_side_by_side(
        self, group: Sequence[Sequence[TrainingRow]], shares: Sequence[float]
    ) -> float:
        """Do the same with a thread for each batch; added up in order, whichever ends first."""
        recipe, trained = self._recipe, list(self.trained.values())

        def gradients(
            batch: Sequence[TrainingRow], share: float
        ) -> tuple[float, tuple[torch.Tensor | None, ...]]:
            loss = self._loss(batch, share)
            return loss.item(), torch.autograd.grad(loss, trained, allow_unused=True)

        told = 0.0
        with ThreadPoolExecutor(
            recipe.workers, "batch", torch.set_num_threads, (recipe.threads,)
        ) as pool:
            for loss, parts in pool.map(gradients, group, shares):
                told += _finite(loss)
                for one, part in zip(trained, parts, strict=True):
                    if part is not None:
                        one.grad = part if one.grad is None else one.grad + part
        return told

    def _loss(self, batch: Sequence[TrainingRow], share: float) -> torch.Tensor:
        with self._precision():
            loss = impression_loss(self.model, batch, is_packed=self._recipe.packing)
        return loss * share

    def _dev_loss(self) -> float:
        """Return the mean loss of the dev rows, nothing learned."""
        self.model.eval()
        with torch.no_grad(), self._precision():
            losses = [impression_loss(self.model, [row]).item() for row in self._dev_rows]
        self.model.train()
        return _finite(math.fsum(losses) / len(losses))

    def _rate(self) -> float:
        """Return the learning rate's share: up in a straight line, then down to zero."""
        step, warmup = self.position.step, self._recipe.warmup_steps
        if step < warmup:
            return (step + 1) / warmup
        return (self.steps - step) / max(1, self.steps - warmup)

    def _precision(self) -> AbstractContextManager[object]:
        """Multiply in bfloat16 where the recipe says so; what is trained stays in float32."""
        if self._recipe.dtype == "float32":
            return nullcontext()
        device = next(self.model.parameters()).device
        return torch.autocast(device.type, dtype=torch.bfloat16)


def _has_dropout(model: Any) -> bool:
    """Return whether anything is left out by chance while the model learns."""
    return any(getattr(model.config, name, None) for name in DROPOUTS) or any(
        isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules()
    )


def _finite(loss: float) -> float:
    """Stop a run that has lost its way: from such a loss nothing is learned any more."""
    if not math.isfinite(loss):
        raise RecipeRefusedError("the loss became infinite: lower it", "learning_rate")
    return loss
