"""What a piece of work cost: seconds that ran, and a peak of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.comparing import costs
from model.comparing.costs import Meter

if TYPE_CHECKING:
    from pathlib import Path

BIG = 60_000_000  # bytes


def work() -> int:
    return sum(number * number for number in range(200_000))


def test_a_meter_counts_wall_and_cpu_seconds_from_when_it_is_made() -> None:
    meter = Meter()
    work()
    first = meter.read()
    work()
    second = meter.read()

    assert 0 < first.wall_s < second.wall_s
    assert 0 < first.cpu_s < second.cpu_s


def test_the_peak_is_that_of_the_work_and_not_of_the_work_before() -> None:
    meter = Meter()
    block = bytearray(BIG)
    with_block = meter.read().peak_mb
    if with_block is None:
        pytest.skip("no /proc here that forgets a peak")
    del block

    without = Meter().read().peak_mb

    assert without is not None
    assert with_block - without > BIG / 1024**2 * 0.8


def test_where_the_system_forgets_no_peak_none_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(costs, "CLEAR", tmp_path / "missing" / "clear_refs")

    assert Meter().read().peak_mb is None
