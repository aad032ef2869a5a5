"""What a piece of work cost: seconds that ran, and a peak of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model import costs
from model.costs import Cost, Meter, summed

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


def test_counters_are_read_where_they_can_be_and_wrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("9999999\n")
    (zone / "energy_uj").write_text("9000000\n")
    monkeypatch.setattr(costs, "RAPL", tmp_path)

    meter = Meter()
    (zone / "energy_uj").write_text("1000000\n")

    assert meter.read().counted_joules == 2.0


def test_a_counter_that_cannot_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    monkeypatch.setattr(costs, "RAPL", tmp_path)

    assert Meter().read().counted_joules is None


def test_costs_add_up_and_memory_is_the_most() -> None:
    told = summed([Cost(1, 2, 3.0, 50.0), Cost(4, 5, 6.0, 40.0, 7.0)])

    assert told == Cost(5, 7, 9.0, 50.0, 7.0)
    assert summed([Cost(1, 2, 3.0), Cost(1, 2)]).counted_joules is None
