"""Why an HTTP request of ours got no answer, in words that are stable.

The error itself is never told: its text holds the address, and so may hold an identifier.
"""

from __future__ import annotations

import aiohttp


def why_unanswered(error: Exception) -> str:
    """Return ``timed_out``, ``tls_failed``, ``connect_failed`` or ``connection_lost``.

    After the first and the last nobody knows what the server has done.
    """
    if isinstance(error, TimeoutError):
        return "timed_out"
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return "tls_failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "connect_failed"
    return "connection_lost"
