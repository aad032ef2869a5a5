"""What a connection passes before its first frame: its place, the PROXY header, TLS.

It holds its place all the while, so that peers who never finish are bounded like all others, and
the allow-list and the limit for each host go by the address that the PROXY header names.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from interfaces.errors import ProxyHeaderError
from interfaces.proxy_protocol import parse_proxy_header
from interfaces.tls_layer import TlsLayer

if TYPE_CHECKING:
    from interfaces.mllp_admission import Admission
    from interfaces.mllp_connection import MllpConnection
    from interfaces.mllp_contract import Owner


class MllpEntrance(asyncio.Protocol):
    """Stands before one connection, and leaves it to itself when it may begin."""

    def __init__(self, owner: Owner, connection: MllpConnection, admission: Admission) -> None:
        self._owner = owner
        self._connection = connection
        self._admission = admission
        self._head = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give it its place, or close it at once; without a PROXY header it goes on."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername") or ("unknown", 0)
        self._connection.arrive(self._transport, (address[0], address[1]))
        if not self._owner.terms.proxy_protocol:
            self._go_on()
        elif self._admission.enter(self._connection):
            loop = asyncio.get_running_loop()
            limit_s = self._owner.limits.handshake_timeout_s
            self._timer = loop.call_later(limit_s, self._refuse, "proxy_header", "timed_out")
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read the PROXY header."""
        if self._transport.is_closing():
            return
        self._head += data
        try:
            header = parse_proxy_header(self._head)
        except ProxyHeaderError as error:
            self._refuse("proxy_header", error.reason)
            return
        if header is not None:
            if header.source is not None:
                self._connection.arrive(self._transport, header.source)
            self._go_on(self._head[header.bytes_count :])

    def eof_received(self) -> bool:
        """Close. Whoever sent nothing at all was only looking whether the port is open."""
        if self._head:
            self._refuse("proxy_header", "peer_closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._stop_timer()
        self._connection.connection_lost(exc)

    def _go_on(self, rest: bytes = b"") -> None:
        self._stop_timer()
        if not self._admission.place(self._connection):
            self._transport.abort()
            return
        following: asyncio.Protocol = self._connection
        if self._owner.terms.tls_context is not None:
            following = TlsLayer(
                self._connection,
                self._owner.terms.tls_context(),
                handshake_timeout_s=self._owner.limits.handshake_timeout_s,
                on_failed=self._tell_handshake,
            )
        self._transport.set_protocol(following)
        following.connection_made(self._transport)
        if rest:
            following.data_received(rest)

    def _tell_handshake(self, reason: str) -> None:
        self._admission.refuse(self._connection, "tls_handshake", status=reason)

    def _refuse(self, reason: str, status: str) -> None:
        self._admission.refuse(self._connection, reason, status=status)
        self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
