"""The machine's clock: the one that tests never use."""

from __future__ import annotations

from datetime import UTC

from daemon.clock import SystemClock


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_monotonic_seconds_do_not_go_back() -> None:
    clock = SystemClock()
    first_s = clock.monotonic_s()

    assert clock.monotonic_s() >= first_s
