"""A SMART Backend Services server that others wrote (sekmet-fhir): tokens, their end, and our keys.

The server is started with one client for each test, so that what one leaves cannot help another.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette

from daemon.app import App
from daemon.clock import SystemClock
from daemon.config import load_settings
from daemon.config_fhir import Fhir
from daemon.fhir_secrets import jwks_routes
from daemon.fhir_target import FhirTarget
from daemon.lifecycle import State
from interfaces import fhir_credentials
from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_http import FhirHttp
from interfaces.http_server import HttpServer
from interfaces.mllp_client import MllpClient
from interfaces.smart_auth import KeyFile, public_keys
from mappings.domain import PostOutcome
from mappings.fhir_json import find_object
from tests.integration.sekmet import running_sekmet
from tests.samples.fhir_drafts import draft_of, key_of
from tests.samples.free_ports import free_port as find_port
from tests.unit.daemon.test_app import ORU

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mappings.domain import DraftObservation

pytestmark = [pytest.mark.integration, pytest.mark.process]
SECRET = "s3cret-of-a-test"
TOKEN_S = 2
"""How long the server's tokens live."""


def write_key(file: Path, kind: str = "ec") -> KeyFile:
    key = (
        ec.generate_private_key(ec.SECP384R1())
        if kind == "ec"
        else rsa.generate_private_key(65537, 2048)
    )
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    file.chmod(0o600)
    return KeyFile(file)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyFile]:
    folder = tmp_path_factory.mktemp("keys")
    made = {"rsa": write_key(folder / "rsa.pem", "rsa")}
    return made | {name: write_key(folder / name) for name in ("ec", "second", "unknown")}


@pytest.fixture(scope="module")
def jwks_port() -> int:
    """Where our own JWKS will be served, known to the server beforehand."""
    return find_port()


@pytest.fixture(scope="module")
def daemon_port() -> int:
    """Where the daemon will serve its JWKS, known to the server beforehand."""
    return find_port()


@pytest.fixture(scope="module")
def fhir_url(
    tmp_path_factory: pytest.TempPathFactory,
    keys: dict[str, KeyFile],
    jwks_port: int,
    daemon_port: int,
) -> Iterator[str]:
    scopes = "system/*.cruds"
    clients: list[dict[str, Any]] = [
        {"client_id": "prelim-ec", "jwks": public_keys([keys["ec"]])},
        {"client_id": "prelim-rsa", "jwks": public_keys([keys["rsa"]])},
        {"client_id": "prelim-rotated", "jwks": public_keys([keys["second"]])},
        {
            "client_id": "prelim-url",
            "jwks_url": f"http://127.0.0.1:{jwks_port}/.well-known/jwks.json",
        },
        {
            "client_id": "prelim-daemon",
            "jwks_url": f"http://127.0.0.1:{daemon_port}/.well-known/jwks.json",
        },
        {"client_id": "prelim-secret", "client_secret": SECRET},
    ]
    auth = {
        "types": ["smart"],
        "smart_clients": [{**client, "scopes": scopes} for client in clients],
        "token_lifetime": TOKEN_S,
    }
    with running_sekmet(tmp_path_factory.mktemp("sekmet"), server_auth=auth) as url:
        yield url


def target_for(url: str, **auth: Any) -> FhirTarget:  # noqa: ANN401 - settings as a file has them
    fhir = {"base_url": url, "write": "put", "auth": auth or None}
    overrides = {"fhir": fhir, "model": {"allow_demo": True}}
    settings = load_settings(overrides=overrides, environment={})
    return FhirTarget(settings, SystemClock()).open(url)


def smart(url: str, client_id: str, *keys: KeyFile, **more: str) -> FhirTarget:
    files = [{"file": str(key.file)} for key in keys]
    return target_for(url, kind="private-key-jwt", client_id=client_id, keys=files, **more)


def new_draft() -> DraftObservation:
    return draft_of(key=key_of(uuid.uuid4().hex))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_a_client_with_a_key_posts(
    fhir_url: str, keys: dict[str, KeyFile], kind: str
) -> None:
    async with smart(fhir_url, f"prelim-{kind}", keys[kind]) as client:
        receipt = await client.post(new_draft())

    assert receipt.outcome is PostOutcome.CREATED
    assert client.audit_events == {"written": 1}


async def test_a_client_with_a_secret_posts(fhir_url: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    auth = {"kind": "client-secret", "client_id": "prelim-secret", "secret_file": str(file)}
    async with target_for(fhir_url, **auth) as client:
        receipt = await client.post(new_draft())

    assert receipt.outcome is PostOutcome.CREATED


async def refusal_of(target: FhirTarget) -> PostRetryError:
    async with target as client:
        with pytest.raises(PostRetryError) as raised:
            await client.post(new_draft())
    return raised.value


async def test_whom_the_server_does_not_know_makes_drafts_wait(
    fhir_url: str, keys: dict[str, KeyFile]
) -> None:
    elsewhere = fhir_url.replace("127.0.0.1", "localhost").replace("/fhir", "/auth/token")
    nobody = await refusal_of(target_for(fhir_url))
    wrong_key = await refusal_of(smart(fhir_url, "prelim-ec", keys["unknown"]))
    wrong_audience = await refusal_of(smart(fhir_url, "prelim-ec", keys["ec"], token_url=elsewhere))

    assert (nobody.reason, nobody.where) == ("unauthorised", "Observation")
    assert (wrong_key.reason, wrong_key.where) == ("unauthorised", "token")
    assert (wrong_audience.reason, wrong_audience.where) == ("unauthorised", "token")


async def test_a_token_that_has_ended_is_replaced_within_the_post(
    fhir_url: str, keys: dict[str, KeyFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    # We take the token to be good for longer than it is: only the server's 401 tells.
    monkeypatch.setattr(fhir_credentials, "EXPIRY_MARGIN_S", -600.0)
    async with smart(fhir_url, "prelim-ec", keys["ec"]) as client:
        await client.post(new_draft())
        http = client._http
        assert http._credentials is not None
        old = await http._credentials.authorization(http._send)
        async with asyncio.timeout(20):
            while await status_of(fhir_url, old) != 401:
                await asyncio.sleep(0.1)
        receipt = await client.post(new_draft())
        new = await http._credentials.authorization(http._send)

    assert receipt.outcome is PostOutcome.CREATED
    assert new != old


async def test_a_token_near_its_end_is_not_used(fhir_url: str, keys: dict[str, KeyFile]) -> None:
    # The server's tokens live for less than our margin: each request gets a new one.
    async with smart(fhir_url, "prelim-ec", keys["ec"]) as client:
        http = client._http
        assert http._credentials is not None
        shown = [await http._credentials.authorization(http._send) for _ in range(3)]

    assert len(set(shown)) == 3


async def test_a_new_key_that_the_server_has_not_read_yet_stops_nothing(
    fhir_url: str, keys: dict[str, KeyFile]
) -> None:
    target = smart(fhir_url, "prelim-rotated", keys["unknown"], keys["second"])
    async with target as client:
        receipt = await client.post(new_draft())

    assert receipt.outcome is PostOutcome.CREATED


async def test_the_server_reads_our_keys_from_our_jwks_and_they_can_be_rotated(
    fhir_url: str, keys: dict[str, KeyFile], jwks_port: int, tmp_path: Path
) -> None:
    settings = {
        "kind": "private-key-jwt",
        "client_id": "prelim-url",
        "keys": [{"file": str(tmp_path / "new.pem")}, {"file": str(tmp_path / "current.pem")}],
    }
    for name in ("new.pem", "current.pem"):
        write_key(tmp_path / name)
    fhir = Fhir.model_validate({"base_url": fhir_url, "auth": settings})
    page = HttpServer(Starlette(routes=list(jwks_routes(fhir))), host="127.0.0.1", port=jwks_port)
    await page.start()
    try:
        async with smart(fhir_url, "prelim-url", KeyFile(tmp_path / "current.pem")) as client:
            first = await client.post(new_draft())
        write_key(tmp_path / "new.pem")  # made after the server has read the page, and kept it
        rotated = (KeyFile(tmp_path / "new.pem"), KeyFile(tmp_path / "current.pem"))
        async with smart(fhir_url, "prelim-url", *rotated) as client:
            second = await client.post(new_draft())
    finally:
        await page.stop(1.0)

    assert first.outcome is second.outcome is PostOutcome.CREATED


async def test_a_token_without_the_right_to_write_is_the_end_of_a_draft(
    fhir_url: str, keys: dict[str, KeyFile]
) -> None:
    async with smart(fhir_url, "prelim-ec", keys["ec"], scope="system/*.rs") as client:
        with pytest.raises(PostRefusedError) as raised:
            await client.post(new_draft())

    assert (raised.value.reason, raised.value.where) == ("http_403", "Observation: forbidden")


async def status_of(url: str, authorization: str) -> int:
    async with FhirHttp(url, timeout_s=20) as http:
        headers = {"Authorization": authorization}
        return (await http.exchange("GET", "Observation", headers=headers)).status


async def test_the_daemon_posts_as_a_smart_client_whose_keys_the_server_reads_from_it(
    fhir_url: str, keys: dict[str, KeyFile], daemon_port: int, tmp_path: Path
) -> None:
    auth = {
        "kind": "private-key-jwt",
        "client_id": "prelim-daemon",
        "keys": [{"file": str(keys["ec"].file)}],
    }
    overrides = {
        "data": tmp_path,
        "mllp": {"port": 0},
        "http": {"port": daemon_port},
        "model": {"engine": "extractive", "allow_demo": True},
        "fhir": {"base_url": fhir_url, "write": "auto", "auth": auth},
    }
    async with App(load_settings(overrides=overrides, environment={})) as app:
        async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
            await client.send(ORU)
        async with asyncio.timeout(60):
            while not (await app.journal.counts()).get(State.POSTED):
                await asyncio.sleep(0.05)
        async with FhirHttp(f"http://127.0.0.1:{daemon_port}", timeout_s=10) as http:
            ready = find_object((await http.exchange("GET", "readyz")).body)
            metrics = (await http.exchange("GET", "metrics")).body.decode()

    assert ready is not None
    assert ready["checks"]["fhir"] == "put"  # type: ignore[index]
    assert 'prelim_fhir_breaker{state="closed"} 1.0' in metrics
    assert 'prelim_fhir_audit_events_total{outcome="written"} 1.0' in metrics
