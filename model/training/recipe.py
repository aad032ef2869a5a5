"""What a training run is told: a YAML file, checked. The same recipe on the same data and machine
gives the same adapter, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pathlib import Path


class Recipe(BaseModel):
    """Numbers of one run.

    Attributes:
        name: The adapter's name.
        is_demo: Marks the adapter as one for show: its drafts never go to a real FHIR server.
        seed: Orders the rows and draws the first LoRA weights.
        steps: Optimiser steps; data is gone through again when it ends before.
        tokens_per_batch: Rows times the longest of them, padding counted, in one step.
        learning_rate: Peak, after ``warmup_steps``; then down to zero in a straight line.
        warmup_steps: Steps up to the peak.
        rank: LoRA r, on every linear layer but the output head.
        alpha: LoRA alpha.
        upper_layers: Adapt only so many of the uppermost layers, None for all: the backward pass
            ends where the adapted layers begin.
        dtype: Of the frozen base. bfloat16 only where the processor computes in it: elsewhere it
            is emulated, 50 times slower.
        threads: CPU threads; part of the recipe because sums depend on their order.
        dev_every: Steps between two looks at the dev loss.
        dev_rows: Dev rows looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    is_demo: bool = False
    seed: int = 0
    steps: int = Field(gt=0)
    tokens_per_batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0, le=0.1)
    warmup_steps: int = Field(10, ge=0)
    rank: int = Field(16, ge=1, le=64)
    alpha: int = Field(32, ge=1)
    upper_layers: int | None = Field(None, ge=1)
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: int = Field(1, ge=1, le=64)
    dev_every: int = Field(50, gt=0)
    dev_rows: int = Field(48, gt=0)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        pydantic.ValidationError: A field is missing, unknown or out of bounds.
    """
    return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
