"""The names by which a machine reaches itself: what goes there leaves it not."""

from __future__ import annotations

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1", "[::1]")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host, as a setting or a URL has it, is this machine alone."""
    return host in LOOPBACK_HOSTS
