"""From a report with its impression to token ids, and from rows to batches.

Prompt and token ids come from the very functions used at work. Only the impression is learned: the
prompt is masked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.domain import Exam, Findings, Modality, Region
from model.prompt import SitePrompt, build_prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mappings.domain import Prompt
    from model.tokenising import PromptTokeniser

# Rows are sorted by length inside a pool of this many, so that little is padded and yet no two
# epochs batch alike.
POOL_ROWS = 256


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Token ids of prompt and impression; learning starts at ``prompt_tokens``."""

    token_ids: tuple[int, ...] = field(repr=False)
    prompt_tokens: int


def findings_of(row: Mapping[str, Any]) -> Findings:
    """Read a corpus row as the findings the daemon would have made of it."""
    modality, region = row["modality"], row["region"]
    exam = Exam(
        code=row["exam_code"],
        display=row["exam_display"],
        modality=None if modality is None else Modality(modality),
        region=None if region is None else Region(region),
    )
    return Findings(
        text=row["findings"],
        indication=row["indication"],
        exam=exam,
        site=row["site"],
        language=row.get("language", "en"),
    )


def prompt_of(row: Mapping[str, Any], adapter: str | None = None) -> Prompt:
    """Make a corpus row's prompt, as at work."""
    return build_prompt(
        findings_of(row), site_prompt=SitePrompt(style=row["style"]), adapter=adapter
    )


def training_row(row: Mapping[str, Any], tokeniser: PromptTokeniser, end_id: int) -> TrainingRow:
    """Tokenise one report; the impression ends with ``end_id``, the end of a turn."""
    prompt = tokeniser.encode(prompt_of(row))
    answer = tokeniser.encode_text(row["impression"], is_trusted=False)
    return TrainingRow(token_ids=(*prompt, *answer, end_id), prompt_tokens=len(prompt))


def batches(
    rows: Sequence[TrainingRow], *, tokens_max: int, seed: int
) -> Iterator[list[TrainingRow]]:
    """Go through the rows for ever, shuffled anew each time, in batches of like length.

    Args:
        rows: At least one.
        tokens_max: Rows times the longest of them; a row longer than that goes alone.
        seed: Of the shuffling.

    Yields:
        Batches of 1..n rows.
    """
    rng = random.Random(seed)  # noqa: S311 - shuffling is no secret
    while True:
        order = rng.sample(rows, len(rows))
        epoch: list[list[TrainingRow]] = []
        for start in range(0, len(order), POOL_ROWS):
            epoch += _packed(order[start : start + POOL_ROWS], tokens_max)
        yield from rng.sample(epoch, len(epoch))


def _packed(pool: Iterable[TrainingRow], tokens_max: int) -> list[list[TrainingRow]]:
    packed: list[list[TrainingRow]] = []
    for row in sorted(pool, key=lambda row: len(row.token_ids)):
        if packed and (len(packed[-1]) + 1) * len(row.token_ids) <= tokens_max:
            packed[-1].append(row)
        else:
            packed.append([row])
    return packed
