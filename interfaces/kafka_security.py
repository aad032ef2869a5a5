"""How we and the brokers prove themselves to each other: TLS and SASL, as aiokafka takes them.

The broker's certificate is always verified, and so is its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interfaces.errors import BrokerRetryError, CertificateError

if TYPE_CHECKING:
    import ssl

    from interfaces.client_tls import ClientTls
    from interfaces.kafka_contract import BrokerTerms


def client_arguments(terms: BrokerTerms) -> dict[str, Any]:
    """Return what every client of aiokafka is made with.

    Raises:
        BrokerRetryError: A file cannot be used; ``where`` is its setting.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(terms.bootstrap),
        "client_id": terms.client_id,
        "request_timeout_ms": int(terms.request_s * 1000),
        "metadata_max_age_ms": 60_000,
        "security_protocol": "SSL" if terms.tls else "PLAINTEXT",
        "ssl_context": _make_context(terms.tls) if terms.tls else None,
    }
    if terms.mechanism is not None:
        arguments |= {
            "security_protocol": "SASL_SSL" if terms.tls else "SASL_PLAINTEXT",
            "sasl_mechanism": terms.mechanism,
            "sasl_plain_username": terms.username,
            "sasl_plain_password": _read_password(terms),
        }
    return arguments


def _make_context(tls: ClientTls) -> ssl.SSLContext:
    try:
        return tls.make_context()
    except CertificateError as error:
        raise BrokerRetryError(error.reason, error.where) from None


def _read_password(terms: BrokerTerms) -> str | None:
    if terms.password_file is None:
        return terms.password
    try:
        return terms.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BrokerRetryError("password_file_unusable", "password_file") from None
