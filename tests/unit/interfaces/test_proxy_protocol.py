"""PROXY headers of both versions: read whole, in any pieces, or refused."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.errors import ProxyHeaderError
from interfaces.proxy_protocol import SIGNATURE, ProxyHeader, parse_proxy_header

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 2575\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 2575\r\n"


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(block)) + block


def addresses(source: str, destination: str, port: int) -> bytes:
    packed = ip_address(source).packed + ip_address(destination).packed
    return packed + struct.pack(">HH", port, 2575)


V2 = v2(0x21, 0x11, addresses("192.0.2.7", "198.51.100.1", 56324) + b"\x04\x00\x01x")
V2_IPV6 = v2(0x21, 0x21, addresses("2001:db8::7", "2001:db8::1", 56324))


@pytest.mark.parametrize(
    ("header", "host"),
    [(V1, "192.0.2.7"), (V1_IPV6, "2001:db8::7"), (V2, "192.0.2.7"), (V2_IPV6, "2001:db8::7")],
)
def test_a_header_names_the_true_sender_and_where_the_stream_begins(
    header: bytes, host: str
) -> None:
    assert parse_proxy_header(header + b"\x0bMSH") == ProxyHeader(len(header), (host, 56324))


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        v2(0x20, 0x00, b""),
        v2(0x20, 0x11, addresses("192.0.2.7", "198.51.100.1", 56324)),
        v2(0x21, 0x31, b"/run/a" + bytes(210)),
    ],
)
def test_a_proxy_that_speaks_for_itself_names_nobody(header: bytes) -> None:
    assert parse_proxy_header(header) == ProxyHeader(len(header), None)


@pytest.mark.parametrize("header", [V1, V1_IPV6, V2, V2_IPV6])
def test_half_a_header_is_waited_for(header: bytes) -> None:
    for length in range(len(header)):
        assert parse_proxy_header(header[:length]) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0bMSH|^~\\&|", "proxy_header_missing"),
        (b"PROXX", "proxy_header_missing"),
        (b"\r\n\r\n\x00\r\nQUIZ", "proxy_header_missing"),
        (b"PROXY \r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7  198.51.100.1 56324 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.777 198.51.100.1 56324 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 2001:db8::7 198.51.100.1 56324 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 056 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP4 \xff 198.51.100.1 1 2575\r\n", "proxy_header_malformed"),
        (b"PROXY TCP6 fe80::1%name 2001:db8::1 1 2575\r\n", "proxy_header_malformed"),
        (b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2575\r\n", "proxy_header_malformed"),
        (b"PROXY UNKNOWN" + b" " * 100, "proxy_header_too_long"),
        (v2(0x11, 0x11, b""), "proxy_header_malformed"),
        (v2(0x22, 0x11, b""), "proxy_header_malformed"),
        (v2(0x21, 0x41, b""), "proxy_header_malformed"),
        (v2(0x21, 0x11, bytes(11)), "proxy_header_malformed"),
        (v2(0x21, 0x21, bytes(35)), "proxy_header_malformed"),
        (v2(0x21, 0x11, bytes(5000)), "proxy_header_too_long"),
    ],
)
def test_what_is_no_header_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ProxyHeaderError) as refusal:
        parse_proxy_header(data)

    assert refusal.value.reason == reason


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, V2[:14]]), st.binary())
def test_any_bytes_are_a_header_half_of_one_or_none(start: bytes, rest: bytes) -> None:
    try:
        header = parse_proxy_header(start + rest)
    except ProxyHeaderError:
        return

    assert header is None or header.bytes_count <= len(start + rest)
