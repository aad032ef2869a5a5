"""The batch policy: limits hold, order holds, and every prompt gets its turn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batching import BatchLimits, Waiting, plan_batch, require_fit
from model.errors import PromptRefusedError

LIMITS = st.builds(
    BatchLimits,
    size_max=st.integers(1, 6),
    tokens_max=st.integers(100, 800),
    wait_ms=st.integers(0, 50),
    are_adapters_mixed=st.booleans(),
)
NOW_S = st.floats(0, 10, allow_nan=False)


@st.composite
def queues(draw: st.DrawFn, size_min: int = 0) -> list[Waiting]:
    """Draw prompts, oldest first, that each fit a batch of 100 tokens."""
    queued = sorted(draw(st.lists(st.floats(0, 10), min_size=size_min, max_size=15)))
    return [
        Waiting(
            request_id=index,
            adapter=draw(st.sampled_from([None, "a", "b"])),
            prompt_tokens=draw(st.integers(0, 60)),
            output_tokens_max=draw(st.integers(1, 40)),
            queued_s=queued_s,
            is_alone=draw(st.booleans()),
        )
        for index, queued_s in enumerate(queued)
    ]


def row(request_id: int = 0, tokens: int = 10, **changes: object) -> Waiting:
    plain = Waiting(request_id, None, tokens, 10, queued_s=0.0)
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test's own fields


@given(queues(), NOW_S, LIMITS)
def test_no_plan_passes_a_limit(queue: list[Waiting], now_s: float, limits: BatchLimits) -> None:
    plan = plan_batch(queue, now_s, limits)

    rows = [queue[request_id] for request_id in plan.request_ids]
    assert len(rows) <= limits.size_max
    width = max((one.prompt_tokens for one in rows), default=0)
    width += max((one.output_tokens_max for one in rows), default=0)
    assert len(rows) * width <= limits.tokens_max
    if not limits.are_adapters_mixed:
        assert len({one.adapter for one in rows}) <= 1


@given(queues(size_min=1), NOW_S, LIMITS)
def test_a_plan_holds_the_oldest_and_keeps_the_order(
    queue: list[Waiting], now_s: float, limits: BatchLimits
) -> None:
    request_ids = plan_batch(queue, now_s, limits).request_ids

    assert list(request_ids) == sorted(set(request_ids))
    assert not request_ids or request_ids[0] == 0


@given(queues(size_min=1), NOW_S, LIMITS)
def test_a_suspect_runs_by_itself(queue: list[Waiting], now_s: float, limits: BatchLimits) -> None:
    request_ids = plan_batch(queue, now_s, limits).request_ids

    assert len(request_ids) <= 1 or not any(queue[one].is_alone for one in request_ids)


@given(queues(size_min=1), NOW_S, LIMITS)
def test_a_plan_either_runs_something_or_says_when_to_ask_again(
    queue: list[Waiting], now_s: float, limits: BatchLimits
) -> None:
    plan = plan_batch(queue, now_s, limits)

    assert bool(plan.request_ids) is (plan.ask_again_s is None)
    if plan.ask_again_s is not None:
        assert now_s < plan.ask_again_s <= queue[0].queued_s + limits.wait_ms / 1000


@given(queues(size_min=1), LIMITS)
def test_at_the_time_to_ask_again_the_oldest_runs(
    queue: list[Waiting], limits: BatchLimits
) -> None:
    plan = plan_batch(queue, queue[0].queued_s, limits)
    now_s = queue[0].queued_s if plan.ask_again_s is None else plan.ask_again_s

    assert 0 in plan_batch(queue, now_s, limits).request_ids


@given(queues(), LIMITS)
def test_every_prompt_runs_exactly_once_though_others_keep_coming(
    queue: list[Waiting], limits: BatchLimits
) -> None:
    ran: list[int] = []
    waiting = list(queue)
    for late in range(100, 100 + len(queue)):
        request_ids = plan_batch(waiting, 20.0, limits).request_ids
        ran += request_ids
        waiting = [one for one in waiting if one.request_id not in request_ids]
        waiting.append(row(late, tokens=1, queued_s=20.0))

    assert {one.request_id for one in queue} <= set(ran)
    assert len(ran) == len(set(ran))


def test_nothing_waiting_needs_no_plan_and_no_time() -> None:
    plan = plan_batch([], 1.0, BatchLimits())

    assert plan.request_ids == ()
    assert plan.ask_again_s is None


def test_a_full_batch_does_not_wait() -> None:
    plan = plan_batch([row(0), row(1), row(2)], 0.0, BatchLimits(size_max=2, wait_ms=1000))

    assert plan.request_ids == (0, 1)


def test_a_batch_whose_tokens_are_used_up_does_not_wait() -> None:
    limits = BatchLimits(tokens_max=50, wait_ms=1000)

    assert plan_batch([row(0), row(1), row(2)], 0.0, limits).request_ids == (0, 1)


def test_padding_counts_for_the_whole_batch() -> None:
    # 10 + 10 and 50 + 10 tokens are 80, but two rows of the longer one are 120.
    limits = BatchLimits(tokens_max=100, wait_ms=0)

    assert plan_batch([row(0), row(1, tokens=50)], 0.0, limits).request_ids == (0,)


def test_a_suspect_does_not_wait_for_company() -> None:
    limits = BatchLimits(wait_ms=1000)

    assert plan_batch([row(0, is_alone=True), row(1)], 0.0, limits).request_ids == (0,)


def test_others_pass_by_a_suspect_that_is_not_the_oldest() -> None:
    queue = [row(0), row(1, is_alone=True), row(2)]

    assert plan_batch(queue, 0.0, BatchLimits(wait_ms=0)).request_ids == (0, 2)


def test_another_adapter_s_prompts_wait_where_they_cannot_be_mixed() -> None:
    queue = [row(0, adapter="a"), row(1, adapter="b"), row(2, adapter="a")]
    apart = BatchLimits(wait_ms=0, are_adapters_mixed=False)

    assert plan_batch(queue, 0.0, apart).request_ids == (0, 2)
    assert plan_batch(queue, 0.0, BatchLimits(wait_ms=0)).request_ids == (0, 1, 2)


def test_a_prompt_that_no_batch_can_hold_is_refused() -> None:
    limits = BatchLimits(tokens_max=20)
    require_fit(row(tokens=10), limits)

    with pytest.raises(PromptRefusedError, match="prompt_too_long"):
        require_fit(row(tokens=11), limits)
    with pytest.raises(PromptRefusedError, match="prompt_too_long"):
        plan_batch([row(tokens=11)], 0.0, limits)


@pytest.mark.parametrize("wrong", [{"size_max": 0}, {"tokens_max": 0}, {"wait_ms": -1}])
def test_limits_that_could_hold_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        BatchLimits(**wrong)  # type: ignore[arg-type]  # all the wrong ones are numbers
