"""From a report with its impression to token ids, and from rows to batches.

Prompt and token ids come from the very functions used at work. Only the impression is learned: the
prompt is masked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from model.corpora.asking import prompt_of
from model.prompt import DEFAULT_PLAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from model.corpora.schema import CorpusRow
    from model.prompt import PromptPlan
    from model.tokenising import PromptTokeniser

# Rows are sorted by length inside a pool of this many, so that little is padded and yet no two
# epochs batch alike.
POOL_ROWS = 256


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """Token ids of prompt and impression; learning starts at ``prompt_tokens``."""

    token_ids: tuple[int, ...] = field(repr=False)
    prompt_tokens: int

    @property
    def learned_tokens(self) -> int:
        """Tokens of the impression, its end counted."""
        return len(self.token_ids) - self.prompt_tokens


def training_row(
    report: CorpusRow,
    tokeniser: PromptTokeniser,
    end_id: int,
    plan: PromptPlan = DEFAULT_PLAN,
) -> TrainingRow:
    """Tokenise one report; the impression ends with ``end_id``, the end of a turn."""
    prompt = tokeniser.encode(prompt_of(report, plan.of_report(report.report_id)))
    answer = tokeniser.encode_text(report.impression, is_trusted=False)
    return TrainingRow(token_ids=(*prompt, *answer, end_id), prompt_tokens=len(prompt))


def batches(
    rows: Sequence[TrainingRow],
    *,
    tokens_max: int,
    seed: int,
    epochs: int | None = None,
    is_packed: bool = False,
    virtual_tokens: int = 0,
) -> Iterator[list[TrainingRow]]:
    """Go through the rows, shuffled anew each time.

    Args:
        rows: At least one.
        tokens_max: Rows of like length times the longest of them; packed, rows end to end as they
            come. A row longer than that goes alone.
        seed: Of the shuffling.
        epochs: How often; None for ever.
        is_packed: Whether they will lie end to end.
        virtual_tokens: Counted with each row.

    Yields:
        Batches of 1..n rows.
    """
    rng = random.Random(seed)  # noqa: S311 - shuffling is no secret
    for _ in count() if epochs is None else range(epochs):
        order = rng.sample(rows, len(rows))
        if is_packed:
            yield from _end_to_end(order, tokens_max, virtual_tokens)
            continue
        epoch: list[list[TrainingRow]] = []
        for start in range(0, len(order), POOL_ROWS):
            epoch += _of_like_length(order[start : start + POOL_ROWS], tokens_max, virtual_tokens)
        yield from rng.sample(epoch, len(epoch))


def _of_like_length(
    pool: Iterable[TrainingRow], tokens_max: int, virtual_tokens: int
) -> list[list[TrainingRow]]:
    grouped: list[list[TrainingRow]] = []
    for row in sorted(pool, key=lambda row: len(row.token_ids)):
        width = len(row.token_ids) + virtual_tokens
        if grouped and (len(grouped[-1]) + 1) * width <= tokens_max:
            grouped[-1].append(row)
        else:
            grouped.append([row])
    return grouped


def _end_to_end(
    rows: Iterable[TrainingRow], tokens_max: int, virtual_tokens: int
) -> Iterator[list[TrainingRow]]:
    batch: list[TrainingRow] = []
    length = 0
    for row in rows:
        width = len(row.token_ids) + virtual_tokens
        if batch and length + width > tokens_max:
            yield batch
            batch, length = [], 0
        batch.append(row)
        length += width
    if batch:
        yield batch
