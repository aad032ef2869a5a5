"""How we and the brokers prove themselves to each other: TLS and SASL, as aiokafka takes them.

The broker's certificate is always verified, and so is its name.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from interfaces.errors import BrokerRetryError

if TYPE_CHECKING:
    from interfaces.kafka_contract import BrokerTerms


def client_arguments(terms: BrokerTerms) -> dict[str, Any]:
    """Return what every client of aiokafka is made with.

    Raises:
        BrokerRetryError: A file cannot be used; ``where`` is its setting.
    """
    protocol = "SSL" if terms.is_tls else "PLAINTEXT"
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(terms.bootstrap),
        "client_id": terms.client_id,
        "request_timeout_ms": int(terms.request_s * 1000),
        "metadata_max_age_ms": 60_000,
        "security_protocol": protocol,
        "ssl_context": _make_context(terms) if terms.is_tls else None,
    }
    if terms.mechanism is not None:
        arguments |= {
            "security_protocol": "SASL_SSL" if terms.is_tls else "SASL_PLAINTEXT",
            "sasl_mechanism": terms.mechanism,
            "sasl_plain_username": terms.username,
            "sasl_plain_password": _read_password(terms),
        }
    return arguments


def _make_context(terms: BrokerTerms) -> ssl.SSLContext:
    where = "ca"
    try:
        context = ssl.create_default_context(cafile=terms.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        where = "certificate"
        if terms.certificate is not None:
            context.load_cert_chain(terms.certificate, terms.key, password=_refuse_password)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise BrokerRetryError("tls_file_unusable", where) from None
    return context


def _refuse_password() -> str:
    raise ValueError("the key must not be encrypted")  # else OpenSSL asks on the terminal


def _read_password(terms: BrokerTerms) -> str | None:
    if terms.password_file is None:
        return terms.password
    try:
        return terms.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BrokerRetryError("password_file_unusable", "password_file") from None
