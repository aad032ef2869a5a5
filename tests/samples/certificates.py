"""Certificates for tests: made here, for 127.0.0.1, by authorities that nobody knows."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, on disk."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates, and is a file that others can trust."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.build(name, self.key, LONG_AGO, FAR_AWAY, is_authority=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def build(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        begins: datetime,
        ends: datetime,
        *,
        is_authority: bool = False,
        host: str = "",
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(host)] if host else [x509.IPAddress(ip_address("127.0.0.1"))]
        issuer = subject if is_authority else self.certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())

    def issue(
        self,
        name: str,
        *,
        ends: datetime = FAR_AWAY,
        password: bytes | None = None,
        host: str = "",
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        begins = min(LONG_AGO, ends - timedelta(days=1))
        certificate = self.build(name, key, begins, ends, host=host)
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(password)
                if password
                else serialization.NoEncryption(),
            )
        )
        return pair


def client_context(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    """Make a client's context that trusts one authority and may show a certificate."""
    context = ssl.create_default_context(cafile=str(authority.path))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context
