"""The machine's clock is aware and only grows."""

from __future__ import annotations

from datetime import UTC

from daemon.clock import SystemClock


def test_the_wall_clock_is_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_the_monotonic_clock_never_goes_back() -> None:
    clock = SystemClock()

    assert clock.monotonic_s() <= clock.monotonic_s()
