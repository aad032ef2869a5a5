"""The keys and secrets of the FHIR server's settings: checked at the start, read when needed.

A secret's file must be readable, and should be readable by us alone; what is wrong with one is told
by its setting, never by its content.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from daemon.certificates import client_context
from daemon.errors import ConfigurationError
from interfaces.client_tls import ClientTls
from interfaces.errors import PostRetryError
from interfaces.fhir_credentials import (
    Basic,
    Bearer,
    ClientSecret,
    TokenCredentials,
    read_secret,
)
from interfaces.smart_auth import KeyFile, PrivateKeyJwt, public_keys, read_key

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

    from daemon.clock import Clock
    from daemon.config_fhir import Fhir, FhirAuth
    from interfaces.fhir_http import Credentials

log = structlog.get_logger()
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_fhir_files(fhir: Fhir) -> None:
    """Read each file that the settings name.

    Raises:
        ConfigurationError: With the path of the setting whose file cannot be used.
    """
    make_tls(fhir)
    if fhir.auth is None:
        return
    for setting, file in _secret_files(fhir.auth):
        if setting.startswith("keys."):
            continue
        try:
            read_secret(file, setting)
        except PostRetryError as error:
            raise ConfigurationError("file cannot be used", error.where) from None
    for number, key in enumerate(_key_files(fhir.auth)):
        try:
            read_key(key)
        except PostRetryError:
            where = f"fhir.auth.keys.{number}.file"
            reason = "no readable private key for ES384 (EC P-384) or RS384 (RSA, 2048 bits)"
            raise ConfigurationError(reason, where) from None


def warn_of_open_files(fhir: Fhir) -> None:
    """Say which secrets others on this machine may read."""
    for setting, file in _secret_files(fhir.auth) if fhir.auth else ():
        try:
            mode = file.stat().st_mode
        except OSError:
            continue
        if os.name == "posix" and mode & _OTHERS:
            log.warning("fhir.secret_readable_by_others", where=f"fhir.auth.{setting}")


def jwks_routes(fhir: Fhir) -> Sequence[BaseRoute]:
    """Return the page of our public keys, for an authorization server; none without keys."""
    keys = _key_files(fhir.auth) if fhir.auth else ()
    if not keys:
        return ()

    async def answer(_: Request) -> Response:
        document = await run_in_threadpool(public_keys, keys)
        return JSONResponse(document, headers={"Cache-Control": "max-age=300"})

    return (Route("/.well-known/jwks.json", answer),)


def _secret_files(auth: FhirAuth) -> Iterator[tuple[str, Path]]:
    for setting in ("password_file", "token_file", "secret_file"):
        file = getattr(auth, setting)
        if isinstance(file, Path):
            yield setting, file
    for number, key in enumerate(auth.keys):
        yield f"keys.{number}.file", key.file


def _key_files(auth: FhirAuth) -> tuple[KeyFile, ...]:
    return tuple(KeyFile(key.file, key.kid) for key in auth.keys)


def make_tls(fhir: Fhir) -> ssl.SSLContext | None:
    """Return how the server is believed and we prove ourselves; None for what the system believes.

    Raises:
        ConfigurationError: A file cannot be used.
    """
    files = fhir.tls
    if files.ca is None and files.certificate is None:
        return None
    return client_context(ClientTls(files.ca, files.certificate, files.key), "fhir.tls.")


def make_credentials(fhir: Fhir, base_url: str, clock: Clock) -> Credentials | None:
    """Return how we say who we are; None for not at all."""
    auth = fhir.auth
    if auth is None:
        return None
    if auth.kind == "basic":
        assert auth.user is not None, "the settings need it"
        assert auth.password_file is not None, "the settings need it"
        return Basic(auth.user, auth.password_file)
    if auth.kind == "bearer":
        assert auth.token_file is not None, "the settings need it"
        return Bearer(auth.token_file)
    assert auth.client_id is not None, "the settings need it"
    grant: ClientSecret | PrivateKeyJwt
    if auth.kind == "client-secret":
        assert auth.secret_file is not None, "the settings need it"
        grant = ClientSecret(auth.client_id, auth.secret_file)
    else:
        grant = PrivateKeyJwt(auth.client_id, _key_files(auth), now=clock.now)
    return TokenCredentials(
        grant,
        base_url=base_url,
        token_url=None if auth.token_url is None else str(auth.token_url),
        scope=auth.scope,
        is_plain_allowed=fhir.allow_plain_http,
        now_s=clock.monotonic_s,
    )
