"""SMART Backend Services: prove ourselves to a token endpoint with a key, not with a secret.

Each assertion is new (its own ``jti``), lives five minutes, which is the longest that the guide
allows, and is for that one endpoint. Keys are read from their files each time: a replaced file is a
rotated key.

Standard: HL7 SMART App Launch 2, Backend Services: private_key_jwt with ES384 or RS384 (RFC 7523);
RFC 7517 and 7638 for the JWKS.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from interfaces.errors import PostRetryError
from interfaces.fhir_credentials import post_form
from mappings.fhir_json import find_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from interfaces.fhir_http import Reply, Send

ASSERTION_S = 300
_RSA_BITS_MIN = 2048
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NO = frozenset({400, 401})


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key (PEM, not encrypted) and its name; None names it by its RFC 7638 digest."""

    file: Path
    kid: str | None = None


class PrivateKeyJwt:
    """Signs an assertion for each token.

    Args:
        client_id: As the authorization server knows us.
        keys: The first signs. A server that refuses it is shown the next: it may have read our
            JWKS before the newest key stood there.
        now: Wall-clock time, aware.
    """

    def __init__(
        self, client_id: str, keys: Sequence[KeyFile], *, now: Callable[[], datetime]
    ) -> None:
        self._client_id = client_id
        self._keys = tuple(keys)
        self._now = now

    async def ask(self, send: Send, token_url: str, scope: str) -> Reply:
        """Ask for a token, with one key after the other until one is taken.

        Raises:
            PostRetryError: A key cannot be used, or no answer came.
        """
        for number, key in enumerate(self._keys, 1):
            form = {
                "grant_type": "client_credentials",
                "scope": scope,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self.sign(key, token_url),
            }
            reply = await post_form(send, token_url, form, {})
            if number == len(self._keys) or not _is_client_unknown(reply):
                break
        return reply

    def sign(self, key_file: KeyFile, token_url: str) -> str:
        """Return an assertion for one request to a token endpoint.

        Raises:
            PostRetryError: ``key_unusable``.
        """
        key, issued_s = read_key(key_file), int(self._now().timestamp())
        algorithm = _algorithm(key)
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": token_url,
            "iat": issued_s,
            "exp": issued_s + ASSERTION_S,
            "jti": uuid.uuid4().hex,
        }
        header = {"alg": algorithm, "kid": _kid(key, key_file), "typ": "JWT"}
        return jwt.encode(header, claims, key, algorithms=[algorithm])


def public_keys(keys: Sequence[KeyFile]) -> dict[str, object]:
    """Return the JWKS document of our keys, without their private parts.

    Raises:
        PostRetryError: ``key_unusable``.
    """
    shown: list[dict[str, object]] = []
    for key_file in keys:
        key = read_key(key_file)
        more = {"kid": _kid(key, key_file), "alg": _algorithm(key), "use": "sig"}
        shown.append({**key.as_dict(private=False), **more, "key_ops": ["verify"]})
    return {"keys": shown}


def read_key(key_file: KeyFile) -> ECKey | RSAKey:
    """Read a private key that may sign for SMART.

    Raises:
        PostRetryError: ``key_unusable``: no such file, no private key, encrypted, or of a kind
            that SMART does not name.
    """
    try:
        key = load_pem_private_key(key_file.file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise PostRetryError("key_unusable", "fhir.auth.keys") from None
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP384R1):
        return ECKey.import_key(key)
    if isinstance(key, RSAPrivateKey) and key.key_size >= _RSA_BITS_MIN:
        return RSAKey.import_key(key)
    raise PostRetryError("key_unusable", "fhir.auth.keys")


def _algorithm(key: ECKey | RSAKey) -> str:
    return "ES384" if isinstance(key, ECKey) else "RS384"


def _kid(key: ECKey | RSAKey, key_file: KeyFile) -> str:
    return key_file.kid or key.thumbprint()


def _is_client_unknown(reply: Reply) -> bool:
    answer = find_object(reply.body) if reply.status in _NO else None
    return answer is not None and answer.get("error") == "invalid_client"
