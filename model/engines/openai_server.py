"""Asks a server that speaks OpenAI's API over HTTP: one question, one answer, within a time limit.

An error says what went wrong and which setting to look at; of what was asked and answered it holds
nothing, and nothing is logged. Redirects and the environment's proxies are not followed: a prompt
goes to the host of the settings and to no other. What a status means is decided here.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.errors import PrelimError
    from model.engine import ServerConfiguration

ANSWER_BYTES_MAX = 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
URL = "model.server.url"
_LATER = frozenset({408, 425, 429})
_PROMPT = frozenset({400, 413, 422})
_KEY = frozenset({401, 403})


class OpenAiServer:
    """The server of the settings."""

    def __init__(self, settings: ServerConfiguration) -> None:
        """Take address, key and trust.

        Raises:
            EngineUnavailableError: A file cannot be used: ``key_unreadable`` or ``ca_unreadable``.
        """
        self._settings = settings
        self._tls = _tls(settings.ca) if settings.url.startswith("https") else None
        self._headers()

    def open(self) -> aiohttp.ClientSession:
        """Return a session for one batch, with the key as its file holds it now."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls or True, limit=0),
            timeout=aiohttp.ClientTimeout(
                total=self._settings.timeout_s, sock_connect=CONNECT_TIMEOUT_S
            ),
            headers=self._headers(),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(
        self, session: aiohttp.ClientSession, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Return the JSON object at a path: POST with a body, GET without.

        Raises:
            PromptRefusedError: ``server_refused_prompt``: not this one, such as one too long.
            WorkerLostError: ``server_unreachable``, ``server_unavailable`` or
                ``answer_unreadable``: to be tried again.
            EngineUnavailableError: An operator must act: ``key_refused``, ``redirect_refused``,
                ``not_found`` or ``certificate_not_trusted``.
        """
        method = "GET" if body is None else "POST"
        try:
            async with session.request(
                method, self._settings.url + path, json=body, allow_redirects=False
            ) as response:
                if response.status != 200:  # noqa: PLR2004 - the one status of an answer
                    raise fault_of(response.status)
                content = await _read(response)
        except aiohttp.ClientConnectorCertificateError:
            raise EngineUnavailableError("certificate_not_trusted", "model.server.ca") from None
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise WorkerLostError("server_unreachable", URL) from None
        return _parse(content)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self._settings.key_file is not None:
            headers["Authorization"] = f"Bearer {_read_key(Path(self._settings.key_file))}"
        return headers


def fault_of(status: int) -> PrelimError:
    """Return the error, and so the fate, that an HTTP status stands for."""
    if status in _PROMPT:
        return PromptRefusedError("server_refused_prompt", URL)
    if status in _KEY:
        return EngineUnavailableError("key_refused", "model.server.key_file")
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        return EngineUnavailableError("redirect_refused", URL)
    if 400 <= status < 500 and status not in _LATER:  # noqa: PLR2004 - RFC 9110, 15.5
        return EngineUnavailableError("not_found", URL)
    return WorkerLostError("server_unavailable", URL)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > ANSWER_BYTES_MAX:
            raise WorkerLostError("answer_unreadable", URL)
    return bytes(content)


def _parse(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise WorkerLostError("answer_unreadable", URL)
    return answer


def _tls(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise EngineUnavailableError("ca_unreadable", "model.server.ca") from None


def _read_key(file: Path) -> str:
    try:
        key = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        key = ""
    if not key or not key.isprintable():
        raise EngineUnavailableError("key_unreadable", "model.server.key_file")
    return key
