"""Redrafts beside first drafts in one batch: noise on the logits of some rows, for torch.

The most probable token after temperature x Gumbel noise is a draw from softmax(logits /
temperature) (Gumbel 1954; Maddison et al. 2014, "A* Sampling"). So a batch stays greedy as a whole,
and a row's draft does not depend on its neighbours. Imported by the worker only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from model.chance import TEMPERATURE

if TYPE_CHECKING:
    from collections.abc import Sequence


class RowNoise(LogitsProcessor):
    """Makes the rows that have a seed a draw by chance, step by step."""

    def __init__(self, seeds: Sequence[int | None]) -> None:
        """Take each row's seed; a row without one is left as it is."""
        # On the CPU, so that the same seed is the same noise on every device.
        self._generators = {
            row: torch.Generator().manual_seed(seed)
            for row, seed in enumerate(seeds)
            if seed is not None
        }

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the logits of the next token, shape (rows, vocabulary), with their noise."""
        del input_ids
        noisy = scores.clone()
        for row, generator in self._generators.items():
            # In 64 bits: 32 are so coarse that now and then a token could not be drawn at all.
            uniform = torch.rand(scores.shape[1], generator=generator, dtype=torch.float64)
            gumbel = -torch.log(-torch.log(uniform))
            noisy[row] += (TEMPERATURE * gumbel).to(scores)
        return noisy  # type: ignore[return-value]


def noise_for(seeds: Sequence[int | None]) -> LogitsProcessorList:
    """Return what a batch's logits go through: nothing where no row has a seed."""
    if all(seed is None for seed in seeds):
        return LogitsProcessorList()
    return LogitsProcessorList([RowNoise(seeds)])
