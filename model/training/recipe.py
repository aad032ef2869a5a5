"""What a training run is told: a YAML file, checked. The same recipe on the same data and machine
gives the same adapter, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from model.base_model import NAME as DEMO_BASE
from model.prompt import PromptPlan
from model.training.strategies import LoraStrategy, Strategy

if TYPE_CHECKING:
    from pathlib import Path


class BaseModelSpec(BaseModel):
    """The base a recipe was written for.

    Attributes:
        name: For the reader; weights are given as a folder. Only the demo base comes by itself.
        needs_remote_code: Its published folder runs code of its own when it is loaded. prelim runs
            no such code: the recipe is kept for its numbers.
        note: Where the weights are, and whose licence must be accepted first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = DEMO_BASE
    needs_remote_code: bool = False
    note: str = ""


class Recipe(BaseModel):
    """Numbers of one run.

    Attributes:
        name: The adapter's name.
        is_demo: Marks the adapter as one for show: its drafts never go to a real FHIR server.
        seed: Orders the rows and draws the first weights.
        base: What it was written for.
        strategy: What is trained.
        prompt: What of a report the prompt tells.
        steps: Optimiser steps; data is gone through again when it ends before. Or:
        epochs: Times to go through the data.
        tokens_per_batch: Tokens the model sees at once: rows times the longest of them; packed,
            rows end to end. A row longer than that goes alone.
        accumulation: Batches that make one step.
        workers: So many of them are learned side by side, each on ``threads`` of its own; the
            bytes are those of one worker. At most ``accumulation``, on a CPU, and where nothing is
            left out by chance.
        packing: Lay rows end to end, each seeing itself alone, instead of padding them.
        learning_rate: Peak, after ``warmup_steps``; then down to zero in a straight line.
        warmup_steps: Steps up to the peak.
        dtype: Of the frozen weights and of multiplications; what is trained stays in float32.
            bfloat16 only where the processor computes in it: elsewhere it is emulated, 50 times
            slower.
        gradient_checkpointing: Compute activations twice instead of keeping them: less memory.
        device: ``auto`` takes a GPU where there is one.
        threads: CPU threads; part of the recipe because sums depend on their order.
        dev_every: Steps between two looks at the dev loss; each saves adapter and checkpoint.
        dev_rows: Dev rows looked at.
        early_stopping_patience: Looks without a better dev loss after which the run ends; the best
            is kept. None: the last is kept.
        keep_checkpoints: Keep the adapter of each look, in ``steps/``, to be compared afterwards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    is_demo: bool = False
    seed: int = Field(0, ge=0, lt=2**63)
    base: BaseModelSpec = BaseModelSpec()
    strategy: Strategy = LoraStrategy()
    prompt: PromptPlan = PromptPlan()
    steps: int | None = Field(None, gt=0, le=10_000_000)
    epochs: int | None = Field(None, gt=0, le=1_000)
    tokens_per_batch: int = Field(gt=0)
    accumulation: int = Field(1, gt=0)
    workers: int = Field(1, ge=1, le=64)
    packing: bool = False
    learning_rate: float = Field(gt=0, le=1)
    warmup_steps: int = Field(10, ge=0)
    dtype: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(1, ge=1, le=64)
    dev_every: int = Field(50, gt=0)
    dev_rows: int = Field(48, gt=0)
    early_stopping_patience: int | None = Field(None, gt=0)
    keep_checkpoints: bool = False

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give steps or epochs, and not both")
        if self.gradient_checkpointing and self.strategy.kind == "prefix":
            raise ValueError("prefix tuning cannot be combined with gradient_checkpointing")
        has_dropout = getattr(self.strategy, "dropout", 0.0) > 0
        if self.workers > 1 and (self.device != "cpu" or has_dropout):
            raise ValueError("workers need device: cpu and a strategy without dropout")
        if self.workers > self.accumulation:
            raise ValueError("workers need as many batches a step: accumulation")
        return self

    def as_run(self) -> dict[str, Any]:
        """Return what makes a run this one and no other: all but ``workers``.

        They change how long it takes and not a byte of what it learns. So a run may be taken up
        with more of them, and what was learned before there were any still counts.
        """
        return self.model_dump(mode="json", exclude={"workers"})


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        pydantic.ValidationError: A field is missing, unknown or out of bounds.
    """
    return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
