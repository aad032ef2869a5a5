"""Ports that nothing listens on, for servers that tests start."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

FIRST, COUNT = 20_000, 12_000
"""Below the ports that Linux gives to clients: no connection takes one between look and use."""


def free_port() -> int:
    """Find a TCP port on loopback that nothing listens on."""
    while True:
        port = FIRST + secrets.randbelow(COUNT)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
