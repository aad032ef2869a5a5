"""Which waiting prompts go to the engine together, and when.

A pure policy: no torch, no clock, no threads. The oldest prompt is in every batch, so none starves;
padding counts, because a batch costs what its longest row costs times its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import PromptRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one batch may hold, and how long the oldest prompt waits for company.

    ``tokens_max`` counts padding: rows * (longest prompt + longest output). ``wait_ms`` is the
    price of a fuller batch when little is going on. ``are_adapters_mixed`` is True when the engine
    can run rows of different adapters together.
    """

    size_max: int = 8
    tokens_max: int = 8192
    wait_ms: int = 25
    are_adapters_mixed: bool = True

    def __post_init__(self) -> None:
        if self.size_max < 1 or self.tokens_max < 1 or self.wait_ms < 0:
            msg = "size_max and tokens_max are at least 1, wait_ms at least 0"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prompt in the queue, by what the policy must know of it.

    ``is_alone``: it was there when a worker died, so it runs by itself until it is cleared.
    """

    request_id: int
    adapter: str | None
    prompt_tokens: int
    output_tokens_max: int
    queued_s: float
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The requests to run now, in the order of the queue; or when to ask again."""

    request_ids: tuple[int, ...] = ()
    ask_again_s: float | None = None


def require_fit(waiting: Waiting, limits: BatchLimits) -> None:
    """Refuse a prompt that no batch can ever hold.

    Raises:
        PromptRefusedError: ``prompt_too_long``: it passes ``tokens_max`` all by itself.
    """
    if waiting.prompt_tokens + waiting.output_tokens_max > limits.tokens_max:
        raise PromptRefusedError("prompt_too_long", "model.batch.tokens_max")


def plan_batch(waiting: Sequence[Waiting], now_s: float, limits: BatchLimits) -> BatchPlan:
    """Choose the prompts to send to the engine now, or say when to ask again.

    Args:
        waiting: Oldest first; length n >= 0; each passes :func:`require_fit`.
        now_s: Monotonic seconds, same clock as ``Waiting.queued_s``.
        limits: Rows and tokens of a batch, and the wait.

    Returns:
        A plan with 0..size_max requests; when none runs now though some wait, ``ask_again_s`` is
        set, in seconds of the same clock.

    Raises:
        PromptRefusedError: The oldest prompt alone passes ``tokens_max``.
    """
    if not waiting:
        return BatchPlan()
    require_fit(waiting[0], limits)
    rows, is_full = _gather(waiting, limits)
    due_s = waiting[0].queued_s + limits.wait_ms / 1000
    if is_full or now_s >= due_s:
        return BatchPlan(request_ids=tuple(row.request_id for row in rows))
    return BatchPlan(ask_again_s=due_s)


def _gather(waiting: Sequence[Waiting], limits: BatchLimits) -> tuple[list[Waiting], bool]:
    """Return the rows that may run with the oldest, and whether waiting could add none."""
    oldest = waiting[0]
    if oldest.is_alone:
        return [oldest], True
    rows: list[Waiting] = []
    for candidate in waiting:
        if candidate.is_alone or not _may_join(candidate, oldest, limits):
            continue
        if _padded_tokens([*rows, candidate]) > limits.tokens_max:
            return rows, True
        rows.append(candidate)
        if len(rows) == limits.size_max:
            return rows, True
    return rows, False


def _may_join(candidate: Waiting, oldest: Waiting, limits: BatchLimits) -> bool:
    return limits.are_adapters_mixed or candidate.adapter == oldest.adapter


def _padded_tokens(rows: Sequence[Waiting]) -> int:
    prompt = max(row.prompt_tokens for row in rows)
    output = max(row.output_tokens_max for row in rows)
    return len(rows) * (prompt + output)
