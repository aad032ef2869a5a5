"""The PROXY header without I/O: which address a connection has that came through a proxy.

The header is believed as it stands, so only a port that nobody but the proxy can reach may ask for
it. What is not exactly a header is refused: half a header read as a message would be worse.

Standard: HAProxy, "The PROXY protocol", versions 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from interfaces.errors import ProxyHeaderError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_START = b"PROXY "
_V1_BYTES_MAX = 107
_V2_FIXED_BYTES = 16
_V2_BYTES_MAX = 4096
"""Of addresses and extensions; the standard's own bound is 65,535."""
_PORT_MAX = 65535
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESS_BYTES = {_TCP4: 4, _TCP6: 16}
# UNSPEC, UDP over either, UNIX stream and datagram: none names a TCP sender.
_NAMELESS = (0x00, 0x12, 0x22, 0x31, 0x32)


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A whole header.

    Attributes:
        bytes_count: Its length: what follows is the stream.
        source: Host and port of the true sender; None when the proxy speaks for itself (LOCAL,
            UNKNOWN) or cannot tell: the connection's own address counts then.
    """

    bytes_count: int
    source: tuple[str, int] | None


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """Read a header from the first bytes of a connection.

    Args:
        data: All that has come so far.

    Returns:
        The header, or None when more bytes are needed.

    Raises:
        ProxyHeaderError: The bytes are no header and will not become one.
    """
    if _may_be(SIGNATURE, data):
        return _parse_v2(data) if len(data) >= _V2_FIXED_BYTES else None
    if _may_be(_V1_START, data):
        return _parse_v1(data)
    raise ProxyHeaderError("proxy_header_missing", "byte 0")


def _may_be(start: bytes, data: bytes) -> bool:
    return data[: len(start)] == start[: len(data)]


def _parse_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_BYTES_MAX)
    if end < 0:
        if len(data) >= _V1_BYTES_MAX:
            raise ProxyHeaderError("proxy_header_too_long", f"byte {_V1_BYTES_MAX}")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(end + 2, None)
    try:
        protocol, source, destination, source_port, destination_port = words[1:]
        family = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}[protocol]
        # An IPv6 zone is any text, and this address goes into log lines.
        host = str(family(source.decode("ascii").replace("%", "?")))
        family(destination.decode("ascii"))
        _read_port(destination_port)
        return ProxyHeader(end + 2, (host, _read_port(source_port)))
    except (ValueError, KeyError):
        raise ProxyHeaderError("proxy_header_malformed", f"byte {end}") from None


def _read_port(digits: bytes) -> int:
    port = int(digits) if digits.isdigit() else -1
    if not 0 <= port <= _PORT_MAX or str(port).encode() != digits:
        raise ValueError
    return port


def _parse_v2(data: bytes) -> ProxyHeader | None:
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError("proxy_header_malformed", "byte 12")
    if family not in _ADDRESS_BYTES and family not in _NAMELESS:
        raise ProxyHeaderError("proxy_header_malformed", "byte 13")
    if length > _V2_BYTES_MAX:
        raise ProxyHeaderError("proxy_header_too_long", "byte 14")
    end = _V2_FIXED_BYTES + length
    if len(data) < end:
        return None
    source = None
    if command == _PROXY and family in _ADDRESS_BYTES:
        source = _read_source(data[_V2_FIXED_BYTES:end], _ADDRESS_BYTES[family])
    return ProxyHeader(end, source)


def _read_source(block: bytes, size: int) -> tuple[str, int]:
    if len(block) < 2 * size + 4:
        raise ProxyHeaderError("proxy_header_malformed", "byte 14")
    address = (
        IPv4Address(block[:size]) if size == _ADDRESS_BYTES[_TCP4] else IPv6Address(block[:size])
    )
    return str(address), int.from_bytes(block[2 * size : 2 * size + 2], "big")
