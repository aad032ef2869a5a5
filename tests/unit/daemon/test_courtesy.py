"""Steps give way to answers, and are never starved."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from daemon.clock import SystemClock
from daemon.courtesy import Courtesy

PACE_S = 0.05


async def turns(courtesy: Courtesy, count: int) -> list[float]:
    """Take so many turns at once; return when each came."""
    clock, came = SystemClock(), list[float]()

    async def take() -> None:
        await courtesy.wait_turn()
        came.append(clock.monotonic_s())

    await asyncio.gather(*(take() for _ in range(count)))
    return came


async def test_nobody_waits_while_no_sender_does() -> None:
    courtesy = Courtesy(lambda: False, SystemClock(), pace_s=3600)

    assert len(await turns(courtesy, 50)) == 50


async def test_while_senders_wait_turns_come_one_by_one_and_never_stop() -> None:
    courtesy = Courtesy(lambda: True, SystemClock(), pace_s=PACE_S)

    came = await turns(courtesy, 4)

    assert len(came) == 4
    assert min(later - sooner for sooner, later in pairwise(came)) >= PACE_S


async def test_the_doors_are_asked_anew_for_each_turn() -> None:
    answers = iter([True, False, False, False])
    courtesy = Courtesy(lambda: next(answers), SystemClock(), pace_s=PACE_S)

    assert len(await turns(courtesy, 4)) == 4
