"""Drafting time is compared by case, with each reader's own pace taken off."""

from __future__ import annotations

import pytest

from model.study.readings import Place, Timing
from model.study.timing import compare_times


def timing(reader: str, case: str, seconds: float, *, has_draft: bool) -> Timing:
    return Timing(Place(reader, case, "north", "CT"), has_draft, seconds)


def crossed(fast: float, slow: float, saved: float, cases: int) -> list[Timing]:
    """Time two readers of different pace, who take turns with the draft."""
    told = []
    for number in range(cases):
        is_first = number % 2 == 0
        told.append(timing("R1", str(number), fast - saved * is_first, has_draft=is_first))
        told.append(
            timing("R2", str(number), slow - saved * (not is_first), has_draft=not is_first)
        )
    return told


def test_a_readers_pace_does_not_stand_in_the_difference() -> None:
    found = compare_times(crossed(60, 300, 20, cases=10), seed=0)

    assert found is not None
    assert (found.cases, found.difference) == (10, pytest.approx(-20))
    assert found.with_draft == pytest.approx(160)
    assert found.without_draft == pytest.approx(180)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((-20, -20))
    assert found.test.p is not None
    assert found.test.p < 0.01
    assert found.test.rank_biserial == pytest.approx(-1)


def test_a_case_written_in_one_way_only_does_not_count() -> None:
    told = [*crossed(60, 80, 10, cases=4), timing("R1", "alone", 500, has_draft=True)]

    found = compare_times(told, seed=0)

    assert found is not None
    assert found.cases == 4


def test_a_reader_with_one_arm_alone_does_not_count() -> None:
    told = [timing("R1", "a", 60, has_draft=True), timing("R2", "a", 90, has_draft=False)]

    assert compare_times(told, seed=0) is None


def test_without_times_there_is_nothing_to_tell() -> None:
    assert compare_times([], seed=0) is None
