"""TLS between a socket and a protocol: a protocol to the one, a transport to the other.

Written over ``ssl.SSLObject`` because asyncio's own TLS ends both directions when the peer ends its
sending half: answers that were still due would be lost. Here the answers go out first.

Standard: RFC 8446 section 6.1 (close_notify ends one direction only).
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

_READ_BYTES = 65536


class TlsLayer(asyncio.Protocol, asyncio.Transport):
    """The server's side of one TLS connection.

    Args:
        inner: Gets ``connection_made`` when the handshake is done, and then plain bytes; gets
            ``connection_lost`` in any case.
        context: Certificate and rules.
        handshake_timeout_s: After it the connection is closed.
        on_failed: Told why a handshake failed, in OpenSSL's words, lower case; not told when the
            peer left without a byte.
    """

    def __init__(
        self,
        inner: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        handshake_timeout_s: float,
        on_failed: Callable[[str], None],
    ) -> None:
        super().__init__()
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._handshake_timeout_s = handshake_timeout_s
        self._on_failed = on_failed
        self._is_open = False
        self._is_reading = True
        self._is_socket_ended = False
        self._is_input_ended = False
        self._has_heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the peer's first bytes, but not for ever."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._handshake_timeout_s, self._fail, "timed_out")

    def data_received(self, data: bytes) -> None:
        """Decrypt, after the handshake is done."""
        self._has_heard = True
        self._incoming.write(data)
        if self._is_open or self._shake_hands():
            self._pass_on()

    def eof_received(self) -> bool:
        """End the input; the output stays open until the inner protocol closes it."""
        self._is_socket_ended = True  # OpenSSL is not told: it would end the output as well
        if self._is_open:
            self._pass_on()
        elif self._has_heard:
            self._fail("peer_closed")
        else:
            self._transport.close()
        return not self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the inner protocol, whether it was made or not."""
        self._timer.cancel()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on that the peer does not read."""
        if self._is_open:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the peer reads again."""
        if self._is_open:
            self._inner.resume_writing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._transport.is_closing():
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError:  # the peer has sent a fatal alert
            self._transport.abort()
        else:
            self._flush()

    def close(self) -> None:
        """Say that nothing more comes, and close when all is sent."""
        if not self._transport.is_closing():
            with suppress(ssl.SSLError):  # it wants the peer's own end, which we do not wait for
                self._tls.unwrap()
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether the socket is closing."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Read nothing more from the socket, and keep what is decrypted already."""
        self._is_reading = False
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, first what came before."""
        self._is_reading = True
        self._loop.call_soon(self._pass_on)
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the socket's: nothing is kept here."""
        self._transport.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's own
        """Return what the socket knows, or the ``ssl_object``."""
        return self._tls if name == "ssl_object" else self._transport.get_extra_info(name, default)

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the peer
            self._fail((error.reason or "unknown").lower())
            return False
        self._timer.cancel()
        self._flush()
        self._is_open = True
        self._inner.connection_made(self)
        return True

    def _fail(self, reason: str) -> None:
        self._timer.cancel()
        if not self._transport.is_closing():
            self._on_failed(reason)
            self._transport.close()

    def _pass_on(self) -> None:
        """Give the inner protocol what can be decrypted."""
        while self._is_reading and not self._is_input_ended and not self._transport.is_closing():
            try:
                data = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                if not self._is_socket_ended:
                    break
                data = b""  # without close_notify: a frame that was cut off is refused as such
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:  # not TLS any more, or changed on its way
                self._transport.abort()
                return
            if data:
                self._inner.data_received(data)
                continue
            self._is_input_ended = True
            if not self._inner.eof_received():
                self.close()
        self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._transport.write(data)
