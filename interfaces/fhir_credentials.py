"""How we say who we are to a FHIR server: a password, a token from a file, or a token asked for.

A secret is read from its file each time it is needed, so that a renewed one is used at once, and it
goes into a header or a form and nowhere else: not into an error, a log line or a ``repr``.

Standard: RFC 7617 (basic), RFC 6750 (bearer), RFC 6749 (client credentials).
"""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_replies import accepted
from interfaces.loopback import is_loopback
from mappings.fhir_json import find_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from interfaces.fhir_http import Reply, Send

SECRET_BYTES_MAX = 65_536
EXPIRY_MARGIN_S = 30.0
EXPIRES_IN_S = 300.0
"""Of a token whose server does not say (RFC 6749 only recommends it)."""
LIFETIME_S_MAX = 86_400.0
_JSON = {"Accept": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", **_JSON}


class Basic:
    """A name and a password.

    Args:
        user: The name.
        password_file: Holds the password; a line end at its end is none of it.
    """

    def __init__(self, user: str, password_file: Path) -> None:
        self._user = user
        self._file = password_file

    async def authorization(self, _send: Send) -> str:
        """Return the header's value."""
        return basic_header(self._user, read_secret(self._file, "password_file"))

    def forget(self, authorization: str) -> None:
        """Do nothing: the file is read each time."""


class Bearer:
    """A token that somebody else renews in a file.

    Args:
        token_file: Holds the token.
    """

    def __init__(self, token_file: Path) -> None:
        self._file = token_file

    async def authorization(self, _send: Send) -> str:
        """Return the header's value."""
        return f"Bearer {read_secret(self._file, 'token_file')}"

    def forget(self, authorization: str) -> None:
        """Do nothing: the file is read each time."""


class OwnToken:
    """The token of this run, for the embedded store.

    Args:
        token: Known to the store's server alone.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    async def authorization(self, _send: Send) -> str:
        """Return the header's value."""
        return f"Bearer {self._token}"

    def forget(self, authorization: str) -> None:
        """Do nothing: there is no other."""


class TokenGrant(Protocol):
    """How we prove ourselves to a token endpoint."""

    async def ask(self, send: Send, token_url: str, scope: str) -> Reply:
        """Return the token endpoint's answer, whatever it is."""


class ClientSecret:
    """OAuth 2 client credentials with a secret, in the Authorization header.

    Args:
        client_id: As the authorization server knows us.
        secret_file: Holds the secret.
    """

    def __init__(self, client_id: str, secret_file: Path) -> None:
        self._client_id = client_id
        self._file = secret_file

    async def ask(self, send: Send, token_url: str, scope: str) -> Reply:
        """Ask once."""
        secret = read_secret(self._file, "secret_file")
        # RFC 6749, 2.3.1: both are form-encoded before they are put together.
        header = basic_header(quote(self._client_id, safe=""), quote(secret, safe=""))
        form = {"grant_type": "client_credentials", "scope": scope}
        return await post_form(send, token_url, form, {"Authorization": header})


class TokenCredentials:
    """A token that is asked for when it is needed, kept until shortly before it ends.

    However many requests need one at once, it is asked for once.

    Args:
        grant: How we prove ourselves.
        base_url: Of the FHIR server; says where to ask when ``token_url`` is None.
        token_url: The token endpoint.
        scope: Scopes to ask for.
        is_plain_allowed: Whether the token may travel unencrypted beyond this machine.
        now_s: Monotonic seconds.
    """

    def __init__(
        self,
        grant: TokenGrant,
        *,
        base_url: str,
        token_url: str | None,
        scope: str,
        is_plain_allowed: bool,
        now_s: Callable[[], float],
    ) -> None:
        self._grant = grant
        self._base_url = base_url.rstrip("/")
        self._token_url = token_url
        self._scope = scope
        self._is_plain_allowed = is_plain_allowed
        self._now_s = now_s
        self._header: str | None = None
        self._good_until_s = 0.0
        self._asking = asyncio.Lock()

    async def authorization(self, send: Send) -> str:
        """Return the header's value, asking for a token when there is none that will last.

        Raises:
            PostRetryError: ``unauthorised`` when the token endpoint knows us not; else a passing
                trouble there.
        """
        async with self._asking:
            if self._header is None or self._now_s() >= self._good_until_s:
                self._header = await self._fetch(send)
            return self._header

    def forget(self, authorization: str) -> None:
        """Ask for another token next time, unless that has been done already."""
        if authorization == self._header:
            self._header = None

    async def _fetch(self, send: Send) -> str:
        asked_s = self._now_s()
        token_url = self._token_url or await self._discover(send)
        answer = _token_answer(await self._grant.ask(send, token_url, self._scope))
        token, lasts_s = answer.get("access_token"), answer.get("expires_in", EXPIRES_IN_S)
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise PostRetryError("reply_unreadable", "token")
        self._good_until_s = asked_s + _lifetime_s(lasts_s) - EXPIRY_MARGIN_S
        return f"Bearer {token}"

    async def _discover(self, send: Send) -> str:
        """Ask for the SMART configuration: each time, as a server may move its endpoint."""
        url = f"{self._base_url}/.well-known/smart-configuration"
        answer = _token_answer(await send("GET", url, headers=_JSON))
        found = answer.get("token_endpoint")
        parts = _read_url(found)
        if not isinstance(found, str) or parts is None:
            raise PostRetryError("token_endpoint_unknown", "token")
        is_safe = parts.scheme == "https" or self._is_plain_allowed or is_loopback(parts.hostname)
        if not is_safe:
            raise PostRetryError("token_endpoint_plain", "token")
        return found


async def post_form(
    send: Send, url: str, form: Mapping[str, str], headers: Mapping[str, str]
) -> Reply:
    """Send a form to a token endpoint."""
    return await send("POST", url, headers={**_FORM, **headers}, body=urlencode(form).encode())


def basic_header(user: str, password: str) -> str:
    """Return the Authorization header of RFC 7617."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def read_secret(file: Path, setting: str) -> str:
    """Read a secret of one line.

    Raises:
        PostRetryError: ``secret_unreadable``; ``where`` is the setting that names the file.
    """
    try:
        with file.open("rb") as opened:
            secret = opened.read(SECRET_BYTES_MAX).decode().strip("\r\n")
    except (OSError, ValueError):
        raise PostRetryError("secret_unreadable", f"fhir.auth.{setting}") from None
    if not secret or not secret.isprintable():
        raise PostRetryError("secret_unreadable", f"fhir.auth.{setting}")
    return secret


def _lifetime_s(expires_in: object) -> float:
    """Read expires_in: a number, and of some servers its digits as text."""
    if expires_in is None:
        return EXPIRES_IN_S
    if isinstance(expires_in, str) and expires_in.isascii() and expires_in.isdigit():
        expires_in = int(expires_in[:9])
    if isinstance(expires_in, int | float):
        return float(min(expires_in, LIFETIME_S_MAX))
    raise PostRetryError("reply_unreadable", "token")


def _read_url(text: object) -> SplitResult | None:
    """Return a URL that a request can be sent to; None for anything else."""
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_whole else None


def _token_answer(reply: Reply) -> Mapping[str, object]:
    """Read an answer about tokens: a no is for an operator to settle, and drafts wait for that."""
    try:
        answer = find_object(accepted(reply, "token").body)
    except PostRefusedError:
        raise PostRetryError("unauthorised", "token") from None
    if answer is None:
        raise PostRetryError("reply_unreadable", "token")
    return answer
