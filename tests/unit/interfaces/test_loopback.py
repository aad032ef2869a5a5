"""What is this machine alone."""

from __future__ import annotations

from interfaces.loopback import is_loopback


def test_nothing_but_our_own_names_is_this_machine() -> None:
    ours = ("127.0.0.1", "localhost", "::1", "[::1]")
    others = (None, "", "0.0.0.0", "::", "127.0.0.1.example", "localhost.example")

    assert all(map(is_loopback, ours))
    assert not any(map(is_loopback, others))
