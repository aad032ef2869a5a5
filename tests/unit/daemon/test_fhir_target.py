"""The FHIR server from the settings: not needed at the start, asked for what it can, measured."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from daemon.clock import SystemClock
from daemon.config import load_settings
from daemon.errors import ConfigurationError
from daemon.fhir_target import FhirTarget
from interfaces.errors import PostRefusedError, PostRetryError, ServerAwayError
from mappings.domain import PostOutcome
from mappings.reasons import RetractReason
from tests.samples.certificates import Authority
from tests.samples.fhir_drafts import draft_of
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving, serving_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOBODY = "http://127.0.0.1:9/fhir"


def target_of(**fhir: Any) -> FhirTarget:  # noqa: ANN401 - settings as a file has them
    overrides = {"fhir": {"base_url": NOBODY, **fhir}, "model": {"allow_demo": True}}
    return FhirTarget(load_settings(overrides=overrides, environment={}), SystemClock())


def metrics_of(target: FhirTarget) -> str:
    registry = CollectorRegistry()
    registry.register(target)
    return generate_latest(registry).decode()


async def test_a_draft_is_posted_audited_and_taken_back() -> None:
    async with serving_store() as (url, store):
        target = target_of(write="put")
        async with target.open(url) as client:
            posted = await client.post(draft_of())
            taken_back = await client.retract(draft_of(), RetractReason.REPORT_CANCELLED)

        audits = store.search("AuditEvent", []).matches
    assert (posted.outcome, taken_back.outcome) == (PostOutcome.CREATED, PostOutcome.UPDATED)
    assert len(audits) == 2
    assert 'prelim_fhir_audit_events_total{outcome="written"} 2.0' in metrics_of(target)


async def test_no_audit_event_is_made_where_none_is_wanted() -> None:
    async with serving_store() as (url, store):
        async with target_of(write="put", audit_event=False).open(url) as client:
            await client.post(draft_of())

        assert not store.search("AuditEvent", []).matches


async def test_a_start_needs_no_server_and_a_draft_waits_for_it() -> None:
    target = target_of(write="auto", breaker={"failures_max": 2})
    async with target.open(NOBODY) as client:
        assert target.checks() == {"fhir": "not_asked"}
        with pytest.raises(PostRetryError) as raised:
            await client.post(draft_of())
        with pytest.raises(ServerAwayError):
            await client.post(draft_of())

        assert raised.value.reason == "connect_failed"
        assert not raised.value.is_counted
        assert not client.may_post
        assert target.checks() == {"fhir": "away"}
    assert 'prelim_fhir_breaker{state="open"} 1.0' in metrics_of(target)
    assert 'prelim_fhir_breaker{state="closed"} 0.0' in metrics_of(target)


async def test_a_server_that_chooses_the_way_is_asked_at_the_start() -> None:
    async with serving_store() as (url, _):
        target = target_of(write="auto")
        async with asyncio.timeout(10), target.open(url) as client:
            while client.mode is None:
                await asyncio.sleep(0.01)

            assert target.checks() == {"fhir": "put"}


async def test_an_embedded_store_that_asks_for_a_token_gets_ours(tmp_path: Path) -> None:
    server = ScriptedServer(Answer(404))
    file = tmp_path / "token"
    file.write_text("not this one")
    async with serving(server.app) as url:
        target = target_of(write="put", auth={"kind": "bearer", "token_file": str(file)})
        async with target.open(url, "own") as client:
            with pytest.raises(Exception, match="http_404"):
                await client.post(draft_of())

    assert server.asked[0].headers["authorization"] == "Bearer own"


@pytest.mark.parametrize(
    ("version", "media_type"),
    [
        ("R4", "application/fhir+json"),
        ("R4B", "application/fhir+json; fhirVersion=4.3"),
        ("R5", "application/fhir+json; fhirVersion=5.0"),
    ],
)
async def test_another_version_is_named_in_the_media_type(version: str, media_type: str) -> None:
    server = ScriptedServer(Answer(400))
    async with (
        serving(server.app) as url,
        target_of(version=version, write="put").open(url) as client,
    ):
        with pytest.raises(Exception, match="http_400"):
            await client.post(draft_of())

    assert server.asked[0].headers["accept"] == media_type


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        target_of(auth={"kind": "bearer", "token_file": str(tmp_path / "none")})

    assert raised.value.where == "fhir.auth.token_file"


@contextlib.asynccontextmanager
async def serving_over_tls(authority: Authority) -> AsyncIterator[str]:
    """Serve 404 over TLS to clients that the authority has signed."""
    own = authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.path)
    context.load_cert_chain(own.certificate, own.key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=400)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}/fhir"
    finally:
        await runner.cleanup()


async def reason_of(url: str, **tls: Any) -> str:  # noqa: ANN401 - settings as a file has them
    files = {name: str(path) for name, path in tls.items()}
    async with target_of(write="put", tls=files).open(url) as client:
        with pytest.raises((PostRetryError, PostRefusedError)) as raised:
            await client.post(draft_of())
    return raised.value.reason


async def test_a_server_is_believed_and_believes_us_only_by_certificate(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path, "ca"), Authority(tmp_path / "other", "other")
    ours, theirs = authority.issue("prelim"), other.issue("prelim")
    mutual = {"ca": authority.path, "certificate": ours.certificate, "key": ours.key}
    strange = {"certificate": theirs.certificate, "key": theirs.key}
    async with serving_over_tls(authority) as url:
        answered = await reason_of(url, **mutual)
        unknown = await reason_of(url, ca=other.path)
        unshown = await reason_of(url, ca=authority.path)
        unsigned = await reason_of(url, ca=authority.path, **strange)

    assert answered == "http_400"
    assert unknown == "tls_failed"
    # With TLS 1.3 the server says no only after the client has begun to speak.
    assert {unshown, unsigned} <= {"tls_failed", "connection_lost"}
