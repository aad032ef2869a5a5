"""Cost: measured seconds and memory, counted or estimated energy, and money from stated rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.transfer import costs
from model.transfer.costs import Pace, Rates, Usage, joined, measure_alone, metered, summed
from tests.unit.model.transfer_samples import make_rows

if TYPE_CHECKING:
    from pathlib import Path

RATES = Rates(watts_per_core=10, watts_per_gpu=300, price_per_kwh=0.36, price_per_machine_hour=3.6)


def test_energy_is_estimated_from_processor_seconds() -> None:
    assert Usage(wall_s=5, cpu_s=8).joules(RATES) == 80


def test_a_counter_is_believed_before_an_estimate() -> None:
    assert Usage(wall_s=5, cpu_s=8, counted_joules=123).joules(RATES) == 123


def test_a_gpu_takes_its_watts_as_long_as_it_is_used() -> None:
    assert Usage(wall_s=5, cpu_s=8, gpu_peak_mb=100).joules(RATES) == 80 + 1500


def test_money_is_energy_and_machine_time() -> None:
    # 10 Wh at 0.36 a kWh, and 1,000 s at 3.6 an hour.
    assert Usage(wall_s=1000, cpu_s=3600).price(RATES) == pytest.approx(0.0036 + 1.0)


def test_a_pace_is_told_by_report() -> None:
    pace = Pace(reports=4, tokens=80, usage=Usage(wall_s=8, cpu_s=16))

    assert pace.tokens_per_s == 10
    assert pace.joules_per_report(RATES) == 40
    assert pace.price_per_1000(RATES) == pytest.approx(1000 * pace.usage.price(RATES) / 4)
    assert Pace(1, 0, Usage(1, 1)).tokens_per_s is None


def test_reports_are_timed_one_by_one() -> None:
    pace = measure_alone(lambda row: len(row.report_id), make_rows("ab", 5))

    assert (pace.reports, pace.tokens) == (5, 15)
    assert pace.p50_s is not None
    assert pace.p95_s is not None
    assert 0 <= pace.p50_s <= pace.p95_s <= pace.usage.wall_s


def test_a_block_is_measured_with_what_it_held() -> None:
    with metered() as small:
        pass
    with metered() as large:
        held = bytearray(64_000_000)

    assert len(held) == 64_000_000
    assert small.usage.wall_s >= 0
    if small.usage.peak_mb is not None and large.usage.peak_mb is not None:
        assert large.usage.peak_mb > small.usage.peak_mb + 30


def test_counters_are_read_where_they_can_be_and_wrap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("9999999\n")
    (zone / "energy_uj").write_text("9000000\n")
    monkeypatch.setattr(costs, "RAPL", tmp_path)

    with metered() as told:
        (zone / "energy_uj").write_text("1000000\n")

    assert told.usage.counted_joules == 2.0


def test_a_counter_that_cannot_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    monkeypatch.setattr(costs, "RAPL", tmp_path)

    with metered() as told:
        pass

    assert told.usage.counted_joules is None


def test_usages_add_up_and_memory_is_the_most() -> None:
    told = summed([Usage(1, 2, 3.0, 50.0), Usage(4, 5, 6.0, 40.0, 7.0)])

    assert told == Usage(5, 7, 9.0, 50.0, 7.0)
    assert summed([Usage(1, 2, 3.0), Usage(1, 2)]).counted_joules is None
    assert joined([Pace(1, 2, Usage(1, 2)), Pace(3, 4, Usage(1, 2))]).reports == 4
