"""Reports of two sites, and writers that need no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mappings.domain import Modality, Region
from model.comparing.ablation import ReportSet
from model.corpora.schema import CorpusRow
from model.errors import PromptRefusedError
from model.evaluation.by_reference import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mappings.domain import Prompt

FINDINGS_MAX = 100
NORMAL = "No acute cardiopulmonary abnormality."
REPORTS = tuple(
    CorpusRow(
        report_id=f"r{number}",
        site=("north", "south")[number % 2],
        style=("Numbered list.", "One sentence.")[number % 2],
        modality=Modality.CT,
        region=Region.CHEST,
        exam_display="Chest",
        findings=f"Small left effusion, {number} mm.",
        impression="Small left effusion.",
    )
    for number in range(1, 11)
)
ABROAD = tuple(replace(one, site="unknown", style=None) for one in REPORTS)


class KnowingWriter:
    """Writes what is right where it is told the modality, else that all is normal."""

    parameters = 7

    def __init__(self) -> None:
        self.asked: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def require(self, prompt: Prompt) -> None:
        if len(prompt.findings) > FINDINGS_MAX:
            raise PromptRefusedError("prompt_too_long", "prompt 0")

    def write(
        self, prompts: Sequence[Prompt], *, advance: Callable[[int], None] = lambda _: None
    ) -> list[list[str]]:
        texts = ["".join(piece.text for piece in prompt.pieces) for prompt in prompts]
        self.asked += texts
        advance(len(prompts))
        return [["Small left effusion." if "this CT report" in text else NORMAL] for text in texts]


def set_of(name: str, reports: tuple[CorpusRow, ...]) -> ReportSet:
    return ReportSet(name, Source(f"{name}.jsonl", "ab" * 32), reports)
