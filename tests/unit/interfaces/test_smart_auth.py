"""Assertions that a SMART server takes, and the document that lets it check them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt
from joserfc.jwk import KeySet

from interfaces.errors import PostRetryError
from interfaces.fhir_http import FhirHttp
from interfaces.smart_auth import KeyFile, PrivateKeyJwt, public_keys
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TOKEN_URL = "https://auth.example/token"


def write_key(file: Path, key: PrivateKeyTypes, *, password: bytes | None = None) -> KeyFile:
    hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        hidden = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, hidden))
    return KeyFile(file)


@pytest.fixture
def ec_key(tmp_path: Path) -> KeyFile:
    return write_key(tmp_path / "ec.pem", ec.generate_private_key(ec.SECP384R1()))


@pytest.fixture
def rsa_key(tmp_path: Path) -> KeyFile:
    return write_key(tmp_path / "rsa.pem", rsa.generate_private_key(65537, 2048))


def signer(*keys: KeyFile) -> PrivateKeyJwt:
    return PrivateKeyJwt("prelim", keys, now=lambda: NOW)


def read_assertion(text: str, keys: dict[str, Any]) -> jwt.Token:
    """Check an assertion as a server does: by its kid, with what the JWKS says."""
    return jwt.decode(text, KeySet.import_key_set(keys), algorithms=["ES384", "RS384"])


@pytest.mark.parametrize(("kind", "algorithm"), [("ec_key", "ES384"), ("rsa_key", "RS384")])
def test_an_assertion_is_as_the_guide_says_and_checked_by_our_jwks(
    kind: str, algorithm: str, request: pytest.FixtureRequest
) -> None:
    key: KeyFile = request.getfixturevalue(kind)
    document: Any = public_keys([key])
    read = read_assertion(signer(key).sign(key, TOKEN_URL), document)

    issued_s = int(NOW.timestamp())
    assert read.header == {"alg": algorithm, "typ": "JWT", "kid": document["keys"][0]["kid"]}
    jti = read.claims.pop("jti")
    assert len(jti) >= 32
    assert read.claims == {
        "iss": "prelim",
        "sub": "prelim",
        "aud": TOKEN_URL,
        "iat": issued_s,
        "exp": issued_s + 300,
    }


def test_no_two_assertions_are_the_same(ec_key: KeyFile) -> None:
    made, document = signer(ec_key), public_keys([ec_key])
    jtis = {read_assertion(made.sign(ec_key, TOKEN_URL), document).claims["jti"] for _ in range(5)}

    assert len(jtis) == 5


def test_the_jwks_shows_every_key_and_nothing_private(ec_key: KeyFile, rsa_key: KeyFile) -> None:
    document: Any = public_keys([ec_key, KeyFile(rsa_key.file, "next")])

    assert [key["alg"] for key in document["keys"]] == ["ES384", "RS384"]
    assert document["keys"][1]["kid"] == "next"
    for key in document["keys"]:
        assert key["use"] == "sig"
        assert not set(key) & {"d", "p", "q", "dp", "dq", "qi"}
    assert "PRIVATE" not in json.dumps(document)


def test_a_replaced_file_is_a_rotated_key(ec_key: KeyFile) -> None:
    before = public_keys([ec_key])
    write_key(ec_key.file, ec.generate_private_key(ec.SECP384R1()))
    text = signer(ec_key).sign(ec_key, TOKEN_URL)

    assert read_assertion(text, public_keys([ec_key])).claims["iss"] == "prelim"
    with pytest.raises(Exception, match=r"No key|Invalid key"):
        read_assertion(text, before)


def test_a_key_that_smart_does_not_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    curve = ec.generate_private_key(ec.SECP384R1())
    public = curve.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    makes = {
        "wrong curve": lambda: write_key(file, ec.generate_private_key(ec.SECP256R1())),
        "short": lambda: write_key(file, rsa.generate_private_key(65537, 1024)),  # noqa: S505 - to be refused
        "other kind": lambda: write_key(file, ed25519.Ed25519PrivateKey.generate()),
        "encrypted": lambda: write_key(file, curve, password=b"x"),
        "public": lambda: file.write_bytes(public),
        "junk": lambda: file.write_bytes(b"junk"),
        "missing": file.unlink,
    }
    for name, make in makes.items():
        make()
        with pytest.raises(PostRetryError) as raised:
            signer().sign(KeyFile(file), TOKEN_URL)
        assert (raised.value.reason, raised.value.where) == ("key_unusable", "fhir.auth.keys"), name


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([Answer(200, {})], 1),
        ([Answer(401, {"error": "invalid_client"}), Answer(200, {})], 2),
        ([Answer(400, {"error": "invalid_client"})], 2),
        ([Answer(400, {"error": "invalid_scope"})], 1),
        ([Answer(401, b"<html>")], 1),
        ([Answer(503)], 1),
    ],
)
async def test_the_next_key_is_shown_only_where_the_first_is_unknown(
    answers: list[Answer], asked: int, ec_key: KeyFile, rsa_key: KeyFile
) -> None:
    server = ScriptedServer(*answers)
    async with serving(server.app) as url, FhirHttp(url, timeout_s=5) as http:
        reply = await signer(ec_key, rsa_key).ask(http._send, f"{url}/token", "system/*.crus")

    assert len(server.asked) == asked
    assert reply.status == answers[-1].status
