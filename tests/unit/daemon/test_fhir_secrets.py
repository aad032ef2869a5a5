"""Keys and secrets of the FHIR server: a bad file is told by its setting, a good one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from daemon.clock import SystemClock
from daemon.config_fhir import Fhir
from daemon.errors import ConfigurationError
from daemon.fhir_secrets import (
    check_fhir_files,
    jwks_routes,
    make_credentials,
    make_tls,
    warn_of_open_files,
)
from interfaces.fhir_credentials import Basic, Bearer, TokenCredentials

if TYPE_CHECKING:
    from pathlib import Path


def write_key(file: Path) -> Path:
    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    file.chmod(0o600)
    return file


def write_secret(file: Path, text: str = "s3cret") -> Path:
    file.write_text(text)
    file.chmod(0o600)
    return file


def fhir_of(**auth: Any) -> Fhir:  # noqa: ANN401 - settings as a file has them
    return Fhir.model_validate({"base_url": "https://fhir.example/r4", "auth": auth})


def each_kind(folder: Path) -> dict[str, Fhir]:
    secret, key = write_secret(folder / "secret"), write_key(folder / "key.pem")
    return {
        "basic": fhir_of(kind="basic", user="prelim", password_file=secret),
        "bearer": fhir_of(kind="bearer", token_file=secret),
        "client-secret": fhir_of(kind="client-secret", client_id="prelim", secret_file=secret),
        "private-key-jwt": fhir_of(
            kind="private-key-jwt", client_id="prelim", keys=[{"file": key}]
        ),
    }


def test_each_kind_of_credentials_is_made(tmp_path: Path) -> None:
    made = {
        kind: make_credentials(fhir, "https://fhir.example/r4", SystemClock())
        for kind, fhir in each_kind(tmp_path).items()
    }

    assert isinstance(made["basic"], Basic)
    assert isinstance(made["bearer"], Bearer)
    assert isinstance(made["client-secret"], TokenCredentials)
    assert isinstance(made["private-key-jwt"], TokenCredentials)
    assert make_credentials(Fhir(), "https://fhir.example/r4", SystemClock()) is None


def test_good_files_are_good(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        for fhir in each_kind(tmp_path).values():
            check_fhir_files(fhir)
            warn_of_open_files(fhir)

    assert lines == []
    check_fhir_files(Fhir())


@pytest.mark.parametrize(
    ("auth", "where"),
    [
        ({"kind": "basic", "user": "p", "password_file": "none"}, "password_file"),
        ({"kind": "bearer", "token_file": "empty"}, "token_file"),
        ({"kind": "client-secret", "client_id": "p", "secret_file": "none"}, "secret_file"),
        ({"kind": "private-key-jwt", "client_id": "p", "keys": [{"file": "empty"}]}, "keys.0.file"),
        (
            {"kind": "private-key-jwt", "client_id": "p", "keys": [{"file": "key"}, {"file": "x"}]},
            "keys.1.file",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: dict[str, Any], where: str
) -> None:
    write_key(tmp_path / "key")
    write_secret(tmp_path / "empty", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        check_fhir_files(fhir_of(**auth))

    assert raised.value.where == f"fhir.auth.{where}"


def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    fhir = Fhir.model_validate({"tls": {"ca": tmp_path / "none.pem"}})
    with pytest.raises(ConfigurationError) as raised:
        check_fhir_files(fhir)

    assert raised.value.where == "fhir.tls.ca"
    assert make_tls(Fhir()) is None


@pytest.mark.parametrize(
    ("auth", "missing"),
    [
        ({"kind": "basic", "user": "p"}, "password_file"),
        ({"kind": "bearer"}, "token_file"),
        ({"kind": "client-secret", "secret_file": "x"}, "client_id"),
        ({"kind": "private-key-jwt", "client_id": "p"}, "keys"),
    ],
)
def test_a_kind_without_what_it_needs_is_refused(auth: dict[str, Any], missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        fhir_of(**auth)


def test_a_secret_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    secret, key = write_secret(tmp_path / "secret"), write_key(tmp_path / "key")
    secret.chmod(0o640)
    key.chmod(0o604)
    fhirs = [
        fhir_of(kind="bearer", token_file=secret),
        fhir_of(kind="private-key-jwt", client_id="p", keys=[{"file": key}]),
    ]
    with structlog.testing.capture_logs() as lines:
        for fhir in fhirs:
            warn_of_open_files(fhir)

    assert [(line["event"], line["where"]) for line in lines] == [
        ("fhir.secret_readable_by_others", "fhir.auth.token_file"),
        ("fhir.secret_readable_by_others", "fhir.auth.keys.0.file"),
    ]


def test_our_public_keys_are_served_where_there_are_any(tmp_path: Path) -> None:
    key = {"file": write_key(tmp_path / "key"), "kid": "2026"}
    fhir = fhir_of(kind="private-key-jwt", client_id="prelim", keys=[key])
    page = TestClient(Starlette(routes=list(jwks_routes(fhir))))
    before = page.get("/.well-known/jwks.json").json()
    write_key(tmp_path / "key")
    after = page.get("/.well-known/jwks.json").json()

    assert [shown["kid"] for shown in before["keys"]] == ["2026"]
    assert "d" not in before["keys"][0]
    assert before["keys"][0]["x"] != after["keys"][0]["x"]
    assert jwks_routes(Fhir()) == ()
