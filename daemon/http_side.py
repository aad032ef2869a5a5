"""The daemon's HTTP side: from its settings to open ports, and the tokens that are known there.

Rule: our own poster never needs to know how others get in. Where the embedded store is guarded, it
is served to the poster alone on a port of its own, on loopback, with a token made for this run.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
from typing import TYPE_CHECKING

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from daemon.errors import ConfigurationError
from interfaces.http_auth import Authority, read_token_digests
from interfaces.http_limits import HttpLimits
from interfaces.http_server import FHIR_PATH, STORE_PATH, HttpServer, HttpTerms, build_app
from interfaces.loopback import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from prometheus_client.core import Metric
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from daemon.certificates import Certificates
    from daemon.config_http import Http
    from interfaces.http_server import Readiness

log = structlog.get_logger()
DOOR = "http"
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - compared with, not bound


class HttpSide:
    """The ports of one daemon. ``is_taking`` is set while reports are taken at ``/fhir``.

    Args:
        settings: Checked settings.
        certificates: Those of the daemon; they keep the tokens fresh as well.

    Raises:
        ConfigurationError: A file of the certificate or of the tokens cannot be used.
    """

    def __init__(self, settings: Http, certificates: Certificates) -> None:
        self.is_taking = False
        self.store_token: str | None = None
        self._settings = settings
        self._certificate = certificates.load(DOOR, settings.tls, "http.tls")
        self._tokens = Tokens(settings)
        certificates.watch(self._tokens.reload_if_changed)
        self._servers: list[HttpServer] = []
        self.connections = HttpConnections(self._servers)
        self._store_port = 0

    @property
    def port(self) -> int:
        """The port in use."""
        return self._servers[0].port

    @property
    def base_url(self) -> str:
        """Where others find us."""
        scheme = "http" if self._settings.tls is None else "https"
        host = _EVERY.get(self._settings.host, self._settings.host).strip("[]")
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def fhir_url(self) -> str:
        """Where others find our FHIR doors."""
        return f"{self.base_url}{FHIR_PATH}"

    @property
    def store_url(self) -> str:
        """Where our own poster finds the embedded store."""
        return f"http://127.0.0.1:{self._store_port}{STORE_PATH}"

    async def start(
        self,
        *,
        ready: Callable[[], Awaitable[Readiness]],
        metrics_text: Callable[[], Awaitable[bytes]],
        store_app: ASGIApp | None,
        fhir_routes: Sequence[BaseRoute] = (),
        open_routes: Sequence[BaseRoute] = (),
    ) -> None:
        """Open the ports; see ``interfaces.http_server.build_app``.

        Raises:
            ConfigurationError: A port cannot be bound.
        """
        settings = self._settings
        terms = HttpTerms(
            Authority(
                self._tokens.digests, settings.client_subjects, is_open=not settings.is_guarded
            ),
            HttpLimits(**{name: getattr(settings, name) for name in HttpLimits.__slots__}),
            (*LOOPBACK_HOSTS, settings.host, *settings.allowed_hosts),
        )

        app = build_app(
            ready=ready,
            metrics_text=metrics_text,
            store_app=store_app,
            fhir_routes=fhir_routes,
            open_routes=open_routes,
            terms=terms,
        )
        tls = None if self._certificate is None else self._current_context
        await self._open(
            HttpServer(app, host=settings.host, port=settings.port, limits=terms.limits, tls=tls)
        )
        self._store_port = self.port
        is_apart = settings.is_guarded or tls is not None or ":" in settings.host  # not 127.0.0.1
        if store_app is not None and is_apart:
            await self._open_for_poster(ready, metrics_text, store_app)

    async def stop(self, deadline_s: float) -> None:
        """Take no more requests, finish those under way, but only until the deadline."""
        self.is_taking = False
        await asyncio.gather(*(server.stop(deadline_s) for server in self._servers))

    async def _open_for_poster(
        self,
        ready: Callable[[], Awaitable[Readiness]],
        metrics_text: Callable[[], Awaitable[bytes]],
        store_app: ASGIApp,
    ) -> None:
        self.store_token = secrets.token_urlsafe(32)
        digests = {"prelim": hashlib.sha256(self.store_token.encode()).hexdigest()}
        terms = HttpTerms(Authority(lambda: digests))
        app = build_app(ready=ready, metrics_text=metrics_text, store_app=store_app, terms=terms)
        server = HttpServer(app, host="127.0.0.1", port=0)
        await self._open(server)
        self._store_port = server.port

    async def _open(self, server: HttpServer) -> None:
        try:
            await server.start()
        except OSError:
            raise ConfigurationError("cannot bind", "http.port") from None
        self._servers.append(server)

    def _current_context(self) -> ssl.SSLContext:
        assert self._certificate is not None, "asked for TLS without a certificate"
        context = self._certificate.current()
        if self._settings.tls is not None and self._settings.tls.client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL  # a token will do as well, and health is open
        return context


class HttpConnections(Collector):
    """What the ports that are open count, as metrics."""

    def __init__(self, servers: Sequence[HttpServer]) -> None:
        self._servers = servers

    def collect(self) -> Iterator[Metric]:
        """Read the counts as they are now."""
        evicted = CounterMetricFamily(
            "prelim_http_connections_evicted",
            "Idle HTTP connections closed to make room, by the limit that was reached",
            labels=["reason"],
        )
        for reason in ("connections_max", "connections_per_host_max"):
            count = sum(server.admission.evicted[reason] for server in self._servers)
            evicted.add_metric([reason], count)
        yield evicted
        yield GaugeMetricFamily(
            "prelim_http_connections",
            "Open HTTP connections",
            sum(server.admission.count for server in self._servers),
        )


class Tokens:
    """The tokens that are known now, as digests: those of the settings, and those of the file.

    Raises:
        ConfigurationError: The file cannot be used.
    """

    def __init__(self, settings: Http) -> None:
        self._own = {
            name: hashlib.sha256(token.get_secret_value().encode()).hexdigest()
            for name, token in settings.tokens.items()
        }
        self._file = settings.tokens_file
        self._seen: object = None
        self._read: dict[str, str] = {}
        if self._file is not None:
            self._seen = _stat(self._file)
            try:
                self._read = _read_file(self._file)
            except (OSError, ValueError) as error:
                raise ConfigurationError(_reason(error), "http.tokens_file") from None

    def digests(self) -> Mapping[str, str]:
        """Return sha256 hex by the client's name."""
        return {**self._read, **self._own}

    def reload_if_changed(self) -> None:
        """Read the file when it has changed; one that cannot be used leaves all as it is."""
        if self._file is None:
            return
        now = _stat(self._file)
        if now == self._seen:
            return
        self._seen = now
        try:
            read = _read_file(self._file)
            if not read:  # it is being written: nobody is shut out meanwhile
                raise ValueError("no line")  # noqa: TRY301 - one way to refuse a file
        except (OSError, ValueError) as error:
            log.error("http.tokens_refused", reason=_reason(error))
            return
        self._read = read
        log.info("http.tokens_loaded", count=len(self._read))


def _read_file(path: Path) -> dict[str, str]:
    return read_token_digests(path.read_text(encoding="utf-8"))


def _reason(error: Exception) -> str:
    """Say what is wrong with a file of tokens, and nothing of what is in it."""
    if isinstance(error, OSError):
        return "unreadable_file"
    return "not_utf8" if isinstance(error, UnicodeDecodeError) else f"not NAME SHA256: {error}"


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
