"""The HTTP side with its certificate and tokens, and the way of our own poster past them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from daemon.certificates import Certificates
from daemon.config_http import Http
from daemon.errors import ConfigurationError
from daemon.http_side import HttpSide
from interfaces.http_server import Readiness
from tests.samples.certificates import Authority, client_context
from tests.unit.interfaces.http_requests import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

TOKEN = "t" * 20


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def ready() -> Readiness:
    return Readiness(is_ready=True)


async def metrics_text() -> bytes:
    return b"up 1\n"


@contextlib.asynccontextmanager
async def open_side(
    certificates: Certificates | None = None, **settings: object
) -> AsyncIterator[HttpSide]:
    certificates = certificates or Certificates(look_s=0.02)
    side = HttpSide(Http.model_validate({"port": 0, **settings}), certificates)
    looking = asyncio.create_task(certificates.run())
    await side.start(
        ready=ready,
        metrics_text=metrics_text,
        store_app=Starlette(routes=[Route("/x", hello)]),
        fhir_routes=[Route("/x", hello)],
        open_routes=[Route("/.well-known/x", hello)],
    )
    try:
        yield side
    finally:
        looking.cancel()
        await side.stop(1.0)


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def status(url: str, token: str | None = None) -> int:
    return (await ask(url, headers=bearer(token) if token else None)).status


async def test_on_loopback_all_is_open_as_long_as_no_token_is_set() -> None:
    async with open_side() as side:
        found = [await status(side.base_url + path) for path in ("/fhir/x", "/store/fhir/x")]

    assert found == [200, 200]
    assert (side.store_url, side.store_token) == (f"{side.base_url}/store/fhir", None)


async def test_with_a_token_only_health_and_what_is_public_is_open() -> None:
    async with open_side(tokens={"ris": TOKEN}) as side:
        paths = ("/livez", "/readyz", "/metrics", "/.well-known/x", "/fhir/x", "/store/fhir/x")
        without = [await status(side.base_url + path) for path in paths]
        wrong = [await status(side.base_url + path, "wrong") for path in paths[4:]]
        right = [await status(side.base_url + path, TOKEN) for path in paths[4:]]

    assert without == [200, 200, 200, 200, 401, 401]
    assert (wrong, right) == ([401, 401], [200, 200])


async def test_our_own_poster_reaches_the_store_that_others_may_not() -> None:
    async with open_side(tokens={"ris": TOKEN}) as side:
        ours = await status(f"{side.store_url}/x", side.store_token)
        others = [await status(f"{side.store_url}/x", token) for token in (None, TOKEN)]
        elsewhere = await status(f"{side.base_url}/store/fhir/x", side.store_token)

    assert (ours, others, elsewhere) == (200, [401, 401], 401)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_our_own_poster_reaches_the_store_of_an_address_of_ipv6(host: str) -> None:
    async with open_side(host=host) as side:
        ours = await status(f"{side.store_url}/x", side.store_token)
        others = await status(f"{side.base_url}/fhir/x")

    assert (ours, others) == (200, 200)
    assert side.base_url.startswith("http://[::1]:")


def put(file: Path, text: str) -> None:
    """Replace a file whole, as one should: no reader meets half of it."""
    half = file.with_suffix(".new")
    half.write_text(text)
    half.replace(file)


async def test_a_file_of_tokens_that_is_empty_for_a_moment_shuts_nobody_out(
    tmp_path: Path,
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"ris {hashlib.sha256(b'old').hexdigest()}\n")
    with structlog.testing.capture_logs() as lines:
        async with open_side(tokens_file=str(file)) as side:
            file.write_text("")
            while not any(line["event"] == "http.tokens_refused" for line in lines):
                await status(f"{side.base_url}/fhir/x")

            assert await status(f"{side.base_url}/fhir/x", "old") == 200


async def test_a_file_of_tokens_is_taken_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    old, new = (hashlib.sha256(token.encode()).hexdigest() for token in ("old", "new"))
    file.write_text(f"ris {old}\n")
    with structlog.testing.capture_logs() as lines:
        async with open_side(tokens_file=str(file)) as side:
            url = f"{side.base_url}/fhir/x"
            before = [await status(url, token) for token in ("old", "new")]
            put(file, "no such line\n")
            while not any(line["event"] == "http.tokens_refused" for line in lines):
                await status(url)
            still = await status(url, "old")
            put(file, f"# renewed\nris {new}\n")
            while await status(url, "new") != 200:
                pass
            after = await status(url, "old")

    assert (before, still, after) == ([200, 401], 200, 401)
    [refused] = [line for line in lines if line["event"] == "http.tokens_refused"]
    assert refused["reason"] == "not NAME SHA256: line 1"
    assert {line["count"] for line in lines if line["event"] == "http.tokens_loaded"} == {1}
    assert not any(digest in str(lines) for digest in (old, new))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "unreadable_file"), (b"ris", "not NAME SHA256: line 1"), (b"\xff", "not_utf8")],
)
def test_a_file_of_tokens_that_cannot_be_used_stops_the_start(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        HttpSide(Http.model_validate({"tokens_file": str(file)}), Certificates())

    assert (caught.value.reason, caught.value.where) == (reason, "http.tokens_file")


async def test_a_client_certificate_stands_for_a_token(tmp_path: Path) -> None:
    authority, strangers = Authority(tmp_path, "authority"), Authority(tmp_path, "strangers")
    server = authority.issue("server")
    tls = {"certificate": server.certificate, "key": server.key, "client_ca": authority.path}
    async with open_side(
        tls=tls, tokens={"ris": TOKEN}, client_subjects=["CN=ris.example"]
    ) as side:
        url = f"{side.base_url}/fhir/x"
        plain = client_context(authority)
        without = await ask(url, tls=plain)
        token = await ask(url, tls=plain, headers=bearer(TOKEN))
        known = await ask(url, tls=client_context(authority, authority.issue("ris.example")))
        other = await ask(url, tls=client_context(authority, authority.issue("pacs.example")))
        health = await ask(f"{side.base_url}/livez", tls=plain)
        with pytest.raises((OSError, aiohttp.ClientError)):
            await ask(url, tls=client_context(authority, strangers.issue("forged.example")))

    assert side.base_url.startswith("https://")
    assert [one.status for one in (without, token, known, other, health)] == [
        401,
        200,
        200,
        403,
        200,
    ]
    assert '"forbidden"' in other.text


async def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    first, second = old.issue("server"), new.issue("renewed")
    tls = {"certificate": str(first.certificate), "key": str(first.key)}
    async with open_side(tls=tls) as side:
        url = f"{side.base_url}/fhir/x"
        before = await ask(url, tls=client_context(old))
        os.replace(second.key, first.key)  # noqa: PTH105 - as a renewal does
        os.replace(second.certificate, first.certificate)  # noqa: PTH105 - same
        while True:
            with contextlib.suppress(OSError):
                after = await ask(url, tls=client_context(new))
                break

    assert (before.status, after.status) == (200, 200)


async def test_renewed_files_are_taken_at_once_when_that_is_asked_for(tmp_path: Path) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    first, second = old.issue("server"), new.issue("renewed")
    tokens = tmp_path / "tokens"
    tokens.write_text("")
    tls = {"certificate": str(first.certificate), "key": str(first.key)}
    certificates = Certificates(look_s=3600)
    async with open_side(certificates, tls=tls, tokens_file=str(tokens)) as side:
        os.replace(second.key, first.key)  # noqa: PTH105 - as a renewal does
        os.replace(second.certificate, first.certificate)  # noqa: PTH105 - same
        tokens.write_text(f"ris {hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
        certificates.reload()
        url = f"{side.base_url}/fhir/x"
        after = await ask(url, tls=client_context(new), headers=bearer(TOKEN))

    assert after.status == 200


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    tls = {"certificate": tmp_path / "no.pem", "key": tmp_path / "no.key"}

    with pytest.raises(ConfigurationError) as caught:
        HttpSide(Http.model_validate({"tls": tls}), Certificates())

    assert caught.value.where == "http.tls.certificate"


async def test_a_taken_port_stops_the_start() -> None:
    async with open_side() as side:
        with pytest.raises(ConfigurationError, match="cannot bind"):
            async with open_side(port=side.port):
                pass


async def test_a_name_of_ours_is_answered_and_a_foreign_one_is_not() -> None:
    async with open_side(allowed_hosts=["prelim.demo.example"]) as side:
        url = f"{side.base_url}/fhir/x"
        ours = await ask(url, headers={"Host": "prelim.demo.example:1"})
        foreign = await ask(url, headers={"Host": "evil.example"})

    assert (ours.status, foreign.status) == (200, 400)


async def test_metrics_tell_how_many_are_connected_and_how_many_made_room() -> None:
    limits = {"requests_in_flight_max": 1, "connections_per_host_max": 2}
    async with open_side(**limits) as side:
        registry = CollectorRegistry()
        registry.register(side.connections)
        held = [await asyncio.open_connection("127.0.0.1", side.port) for _ in range(3)]
        await held[0][0].read()  # it has made room
        lines = generate_latest(registry).decode().splitlines()
        for _, writer in held:
            writer.close()

    assert "prelim_http_connections 2.0" in lines
    reason = 'reason="connections_per_host_max"'
    assert f"prelim_http_connections_evicted_total{{{reason}}} 1.0" in lines
    assert 'prelim_http_connections_evicted_total{reason="connections_max"} 0.0' in lines
