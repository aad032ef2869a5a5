"""Why a request got no answer: a stable word, and nothing of the address."""

from __future__ import annotations

import pytest
from aiohttp import ClientConnectionError, ClientConnectorError, ClientSSLError, ServerTimeoutError
from aiohttp.client_reqrep import ConnectionKey

from interfaces.http_faults import why_unanswered

KEY = ConnectionKey(
    host="fhir.example.org",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "timed_out"),
        (ServerTimeoutError(), "timed_out"),
        (ClientSSLError(KEY, OSError()), "tls_failed"),
        (ClientConnectorError(KEY, OSError()), "connect_failed"),
        (ClientConnectionError(), "connection_lost"),
        (OSError(), "connection_lost"),
    ],
)
def test_each_kind_of_error_has_its_word(error: Exception, reason: str) -> None:
    assert why_unanswered(error) == reason
