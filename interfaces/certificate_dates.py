"""When a certificate ends, read from its DER: the standard library does not tell it of our own.

Only as much of X.509 is read as stands before the date. Nothing is judged here.

Standard: RFC 5280 section 4.1 (TBSCertificate, Validity); X.690 for the lengths.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

_SEQUENCE, _VERSION = 0x30, 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_BEFORE_VALIDITY = 4  # serial number, signature algorithm, issuer; and the version, if it is there
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def read_chain_end(pem: str) -> datetime:
    """Return when the first of a file's certificates ends: from then on no handshake succeeds.

    Args:
        pem: One certificate or a chain; other blocks are passed over.

    Returns:
        An aware time in UTC.

    Raises:
        ValueError: There is no certificate, or one cannot be read.
    """
    blocks = [block.partition(_END)[0] for block in pem.split(_BEGIN)[1:]]
    if not blocks:
        raise ValueError("no certificate")
    return min(_read_end(ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{block}{_END}\n")) for block in blocks)


def _read_end(der: bytes) -> datetime:
    _, certificate, _ = _read_element(der)
    _, rest, _ = _read_element(certificate)
    tag, _, following = _read_element(rest)
    if tag == _VERSION:
        rest = following
    for _ in range(_BEFORE_VALIDITY - 1):
        _, _, rest = _read_element(rest)
    tag, validity, _ = _read_element(rest)
    if tag != _SEQUENCE:
        raise ValueError("no validity")
    _, _, rest = _read_element(validity)
    tag, text, _ = _read_element(rest)
    return _read_time(tag, text.decode("ascii"))


def _read_element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and content of the first element, and what follows it."""
    if len(der) < 2:  # noqa: PLR2004 - a tag and a length
        raise ValueError("cut off")
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if len(der) < start + length:
        raise ValueError("cut off")
    return tag, der[start : start + length], der[start + length :]


def _read_time(tag: int, text: str) -> datetime:
    """Read a time; years of two digits are 1950 to 2049 (RFC 5280 section 4.1.2.5.1)."""
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
