"""An engine for tests of evaluation: it is real, needs no model, and notes what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.engine import Prepared
from model.engines.extractive import ExtractiveEngine
from model.errors import PromptRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.domain import Draft, Prompt

CHARACTERS_MAX = 2_000


class Recorder(ExtractiveEngine):
    """Copies sentences, and takes no findings that are too long; a letter is a token."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Prepared]] = []

    def prepare(self, prompt: Prompt) -> Prepared:
        if len(prompt.findings) > CHARACTERS_MAX:
            raise PromptRefusedError("prompt_too_long")
        return Prepared(prompt, tuple(range(len(prompt.findings))))

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        self.batches.append(list(batch))
        return super().generate(batch)
