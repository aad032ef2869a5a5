"""TLS and SASL as the client takes them. No broker of the tests speaks SASL: only the arguments
are looked at.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from interfaces.client_tls import ClientTls
from interfaces.errors import BrokerRetryError
from interfaces.kafka_contract import BrokerTerms
from interfaces.kafka_security import client_arguments
from tests.samples.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

BOOTSTRAP = ("kafka.example.org:9093",)


def test_without_tls_and_sasl_the_connection_is_plain() -> None:
    arguments = client_arguments(BrokerTerms(BOOTSTRAP))

    assert arguments["security_protocol"] == "PLAINTEXT"
    assert arguments["ssl_context"] is None
    assert "sasl_mechanism" not in arguments


def test_with_tls_the_broker_and_its_name_are_verified(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("client")
    arguments = client_arguments(
        BrokerTerms(BOOTSTRAP, tls=ClientTls(authority.path, pair.certificate, pair.key))
    )

    assert arguments["security_protocol"] == "SSL"
    context = arguments["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(("tls", "protocol"), [(ClientTls(), "SASL_SSL"), (None, "SASL_PLAINTEXT")])
def test_name_and_password_are_given(tls: ClientTls | None, protocol: str) -> None:
    terms = BrokerTerms(
        BOOTSTRAP, tls=tls, mechanism="SCRAM-SHA-512", username="prelim", password="s3cret"
    )
    arguments = client_arguments(terms)

    assert arguments["security_protocol"] == protocol
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-512"
    assert arguments["sasl_plain_username"] == "prelim"
    assert arguments["sasl_plain_password"] == "s3cret"
    assert "s3cret" not in repr(terms)


def test_a_password_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret \r\n")
    terms = BrokerTerms(BOOTSTRAP, mechanism="PLAIN", username="u", password_file=file)

    assert client_arguments(terms)["sasl_plain_password"] == "s3cret "


def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    locked = authority.issue("locked", password=b"x")
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    wrong = {
        "ca": BrokerTerms(BOOTSTRAP, tls=ClientTls(bad)),
        "certificate": BrokerTerms(
            BOOTSTRAP, tls=ClientTls(certificate=locked.certificate, key=locked.key)
        ),
        "password_file": BrokerTerms(
            BOOTSTRAP, mechanism="PLAIN", username="u", password_file=tmp_path / "none"
        ),
    }

    for where, terms in wrong.items():
        with pytest.raises(BrokerRetryError) as caught:
            client_arguments(terms)
        assert caught.value.where == where
