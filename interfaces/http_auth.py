"""Who asks over HTTP: a bearer token or a client certificate, judged before anything is read.

Rules: a token is compared as its sha256 with every known one, in the same time whichever it is, and
is never logged. Where nobody is configured, nobody beyond this machine is let in.

Standard: RFC 6750 (bearer tokens); RFC 9110 (401 with WWW-Authenticate, 403); RFC 4514 (subjects).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from interfaces.errors import RequestRefusedError
from interfaces.fhir_endpoints import outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

CLIENT = "prelim.client"
"""Key of the ASGI scope: the name of who asks."""
SUBJECT = "client_cert_name"
"""Key of ``scope["extensions"]["tls"]``, as the ASGI TLS extension has it."""
_DIGEST_CHARACTERS = 64
_SHORT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "domainComponent": "DC",
    "serialNumber": "serialNumber",
    "emailAddress": "emailAddress",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom we know.

    ``digests`` returns sha256 hex of each token by its client's name, as it is now. ``subjects``
    are the certificates that are let in, empty for any that TLS has believed. ``is_open``: whoever
    can connect may ask.
    """

    digests: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)
    subjects: Sequence[str] = ()
    is_open: bool = False

    def identify(self, authorization: str | None, subject: str | None) -> str:
        """Return the name of who asks.

        Args:
            authorization: The header's value.
            subject: Of the client certificate that TLS has verified; None without one.

        Raises:
            RequestRefusedError: 401, nobody or nobody known; 403, a certificate of no use here.
        """
        if authorization is not None:
            return self._identify_token(authorization)
        if subject is not None:
            if not self.subjects or any(_is_within(one, subject) for one in self.subjects):
                return subject
            raise RequestRefusedError(403, "forbidden", "client_not_allowed")
        if self.is_open:
            return ""
        raise RequestRefusedError(401, "login", "authentication_needed")

    def _identify_token(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = ""
        for name, digest in self.digests().items():  # all of them: the time tells nothing
            if hmac.compare_digest(given, digest.lower()):
                found = name
        if scheme.lower() != "bearer" or not found:
            raise RequestRefusedError(401, "login", "token_unknown")
        return found


class Guarded:
    """Lets an application be asked only by those whom an authority knows."""

    def __init__(self, app: ASGIApp, authority: Authority) -> None:
        """Take the application inside."""
        self._app = app
        self._authority = authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it without reading its body."""
        headers = Headers(scope=scope)
        subject = scope.get("extensions", {}).get("tls", {}).get(SUBJECT)
        try:
            client = self._authority.identify(headers.get("authorization"), subject)
        except RequestRefusedError as error:
            more = {"Connection": "close"}  # the body was not read
            if error.status == 401:  # noqa: PLR2004 - RFC 9110
                known = ', error="invalid_token"' if error.reason == "token_unknown" else ""
                more["WWW-Authenticate"] = f'Bearer realm="prelim"{known}'
            refusal = outcome(error.status, error.code, error.reason, None, more)
            await refusal(scope, receive, send)
            return
        await self._app({**scope, CLIENT: client}, receive, send)


def read_token_digests(text: str) -> dict[str, str]:
    """Read the lines of a file of tokens: ``NAME SHA256``, ``#`` begins a comment.

    Raises:
        ValueError: A line is something else; its number is the error's text.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        digest = words[-1].lower()
        is_digest = len(digest) == _DIGEST_CHARACTERS and not set(digest) - set("0123456789abcdef")
        if len(words) != 2 or not is_digest or words[0] in digests:  # noqa: PLR2004 - name, digest
            raise ValueError(f"line {number}")
        digests[words[0]] = digest
    return digests


def name_subject(certificate: Mapping[str, object] | None) -> str | None:
    """Return the subject of a certificate as ``CN=ris.example,O=Hospital``, its last name first.

    Args:
        certificate: What ``ssl`` says of a verified certificate; None or empty without one.
    """
    names = (certificate or {}).get("subject")
    if not isinstance(names, tuple):
        return None
    flat = [pair for group in names for pair in group]
    return ",".join(f"{_SHORT_NAMES.get(kind, kind)}={value}" for kind, value in reversed(flat))


def _is_within(wanted: str, subject: str) -> bool:
    """Say whether a subject has every name that is wanted."""
    return set(_cut(wanted)) <= set(_cut(subject))


def _cut(subject: str) -> list[str]:
    return [part.strip() for part in subject.split(",")]
