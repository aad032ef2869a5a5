"""Drafts by chance: how far they stray from the most probable one, and which one a number names.

Chance follows from the prompt and its number alone, so that the n-th redraft of a report is the
same text again, whatever stands beside it in a batch and after every restart.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappings.domain import Prompt

TEMPERATURE = 0.7
"""A redraft is drawn from softmax(logits / this). Towards 0 it becomes the refused draft again, and
above 1 it strays from the findings; docs/EVALUATION.md has how to measure what it gives."""

_SEEDS = 2**31  # every server takes a number of 31 bits; beyond it some mean "any"


def seed_of(prompt: Prompt) -> int | None:
    """Return what a redraft's chance begins with; None where the most probable draft is asked for.

    Returns:
        A number under 2**31, another one for each text and each ``redraft``.
    """
    if prompt.redraft == 0:
        return None
    text = "".join(piece.text for piece in prompt.pieces)
    digest = hashlib.sha256(f"{prompt.redraft}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest) % _SEEDS
