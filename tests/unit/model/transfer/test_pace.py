"""Cost: measured seconds and memory, counted or estimated energy, and money from stated rates."""

from __future__ import annotations

import pytest

from model.costs import Cost
from model.transfer.pace import Pace, Rates, joined, measure_alone
from tests.unit.model.transfer_samples import make_rows

RATES = Rates(watts_per_core=10, watts_per_gpu=300, price_per_kwh=0.36, price_per_machine_hour=3.6)


def test_energy_is_estimated_from_processor_seconds() -> None:
    assert RATES.joules(Cost(wall_s=5, cpu_s=8)) == 80


def test_a_counter_is_believed_before_an_estimate() -> None:
    assert RATES.joules(Cost(wall_s=5, cpu_s=8, counted_joules=123)) == 123


def test_a_gpu_takes_its_watts_as_long_as_it_is_used() -> None:
    assert RATES.joules(Cost(wall_s=5, cpu_s=8, gpu_peak_mb=100)) == 80 + 1500


def test_money_is_energy_and_machine_time() -> None:
    # 10 Wh at 0.36 a kWh, and 1,000 s at 3.6 an hour.
    assert RATES.price(Cost(wall_s=1000, cpu_s=3600)) == pytest.approx(0.0036 + 1.0)


def test_a_pace_is_told_by_report() -> None:
    pace = Pace(reports=4, tokens=80, usage=Cost(wall_s=8, cpu_s=16))

    assert pace.tokens_per_s == 10
    assert pace.joules_per_report(RATES) == 40
    assert pace.price_per_1000(RATES) == pytest.approx(1000 * RATES.price(pace.usage) / 4)
    assert Pace(1, 0, Cost(1, 1)).tokens_per_s is None


def test_reports_are_timed_one_by_one() -> None:
    pace = measure_alone(lambda row: len(row.report_id), make_rows("ab", 5))

    assert (pace.reports, pace.tokens) == (5, 15)
    assert pace.p50_s is not None
    assert pace.p95_s is not None
    assert 0 <= pace.p50_s <= pace.p95_s <= pace.usage.wall_s


def test_paces_are_joined() -> None:
    told = joined([Pace(1, 2, Cost(1, 2)), Pace(3, 4, Cost(1, 2))])

    assert told == Pace(4, 6, Cost(2, 4))
