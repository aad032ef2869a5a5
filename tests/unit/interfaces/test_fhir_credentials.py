"""Who we say we are: a secret is read when it is needed, a token asked for once and kept."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from interfaces.errors import PostRetryError
from interfaces.fhir_credentials import Basic, Bearer, ClientSecret, TokenCredentials
from interfaces.fhir_http import FhirHttp
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving

if TYPE_CHECKING:
    from pathlib import Path


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("s3cr3t/ü:\n", encoding="utf-8")
    return file


def write(file: Path, content: bytes | None) -> None:
    """Replace a file, or remove it."""
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


def token(value: str = "t1", **more: object) -> Answer:
    return Answer(200, {"access_token": value, "token_type": "bearer", **more})


def credentials(
    secret: Path, clock: Time, *, token_url: str | None = None, is_plain_allowed: bool = False
) -> TokenCredentials:
    return TokenCredentials(
        ClientSecret("prelim", secret),
        base_url="http://127.0.0.1/fhir",
        token_url=token_url,
        scope="system/Observation.crus",
        is_plain_allowed=is_plain_allowed,
        now_s=clock,
    )


async def test_a_password_is_read_again_each_time(secret: Path) -> None:
    server, basic = ScriptedServer(Answer(200)), Basic("prelim", secret)
    async with (
        serving(server.app) as url,
        FhirHttp(url, timeout_s=5, credentials=basic) as http,
    ):
        await http.exchange("GET", "metadata")
        write(secret, b"renewed")
        await http.exchange("GET", "metadata")

    shown = [asked.headers["authorization"] for asked in server.asked]
    read = [base64.b64decode(header.removeprefix("Basic ")).decode() for header in shown]
    assert read == ["prelim:s3cr3t/ü:", "prelim:renewed"]


class RenewedMeanwhile(Bearer):
    """A token file that somebody renews while a request is under way."""

    def forget(self, authorization: str) -> None:
        write(self._file, b"new")
        super().forget(authorization)


async def test_a_token_file_that_changed_answers_a_refusal(secret: Path) -> None:
    server = ScriptedServer(Answer(401), Answer(200))
    write(secret, b"old")
    bearer = RenewedMeanwhile(secret)
    async with (
        serving(server.app) as url,
        FhirHttp(url, timeout_s=5, credentials=bearer) as http,
    ):
        reply = await http.exchange("GET", "metadata")

    assert reply.status == 200
    assert [asked.headers["authorization"] for asked in server.asked] == [
        "Bearer old",
        "Bearer new",
    ]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"two\nlines"])
async def test_a_secret_that_cannot_be_used_is_told_by_its_setting(
    secret: Path, content: bytes | None
) -> None:
    write(secret, content)
    async with FhirHttp("http://127.0.0.1:9", timeout_s=5, credentials=Bearer(secret)) as http:
        with pytest.raises(PostRetryError) as raised:
            await http.exchange("GET", "metadata")

    assert raised.value.reason == "secret_unreadable"
    assert raised.value.where == "fhir.auth.token_file"


async def ask(server: ScriptedServer, secret: Path, clock: Time, *waits_s: float) -> list[str]:
    """What is shown to the FHIR server after each wait; the token endpoint is the same server."""
    shown = []
    async with serving(server.app) as url:
        made = credentials(secret, clock, token_url=f"{url}/token")
        async with FhirHttp(url, timeout_s=5, credentials=made) as http:
            for wait_s in waits_s:
                clock.now += wait_s
                shown.append(await made.authorization(http._send))
    return shown


async def test_a_secret_is_shown_to_the_token_endpoint_as_the_standard_says(secret: Path) -> None:
    server = ScriptedServer(token())
    shown = await ask(server, secret, Time(), 0)

    (asked,) = server.asked
    basic = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert basic == "prelim:s3cr3t%2F%C3%BC%3A"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["system/Observation.crus"],
    }
    assert shown == ["Bearer t1"]


async def test_a_token_is_kept_until_half_a_minute_before_it_ends(secret: Path) -> None:
    server = ScriptedServer(token("t1", expires_in=100), token("t2", expires_in=100))
    shown = await ask(server, secret, Time(), 0, 69, 1)

    assert shown == ["Bearer t1", "Bearer t1", "Bearer t2"]
    assert len(server.asked) == 2


async def test_a_token_whose_end_is_not_told_is_kept_for_five_minutes(secret: Path) -> None:
    server = ScriptedServer(token("t1"), token("t2"))

    assert await ask(server, secret, Time(), 0, 269, 1) == ["Bearer t1", "Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    ("said", "kept_s"),
    [("100", 70), (None, 270), (100.5, 70.5), (10**400, 86_370), (0, 0), (-5, 0)],
)
async def test_the_life_of_a_token_is_read_however_a_server_writes_it(
    said: object, kept_s: float, secret: Path
) -> None:
    server = ScriptedServer(token("t1", expires_in=said), token("t2"))
    shown = await ask(server, secret, Time(), 0, max(0, kept_s - 1), 2)

    assert shown == ["Bearer t1", "Bearer t1" if kept_s else "Bearer t2", "Bearer t2"]


async def test_many_that_need_a_token_ask_for_one(secret: Path) -> None:
    server = ScriptedServer(token())
    async with serving(server.app) as url:
        made = credentials(secret, Time(), token_url=f"{url}/token")
        async with FhirHttp(url, timeout_s=5, credentials=made) as http:
            await asyncio.gather(*(made.authorization(http._send) for _ in range(10)))

    assert len(server.asked) == 1


async def test_a_forgotten_token_is_replaced_and_a_newer_one_is_not_forgotten(
    secret: Path,
) -> None:
    server = ScriptedServer(token("t1"), token("t2"), token("t3"))
    async with serving(server.app) as url:
        made = credentials(secret, Time(), token_url=f"{url}/token")
        async with FhirHttp(url, timeout_s=5, credentials=made) as http:
            first = await made.authorization(http._send)
            made.forget(first)
            second = await made.authorization(http._send)
            made.forget(first)  # by another request that was under way
            third = await made.authorization(http._send)

    assert (first, second, third) == ("Bearer t1", "Bearer t2", "Bearer t2")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(400, {"error": "invalid_client"}), "unauthorised"),
        (Answer(401), "unauthorised"),
        (Answer(403), "unauthorised"),
        (Answer(503), "http_503"),
        (Answer(200, b"<html>"), "reply_unreadable"),
        (Answer(200, {"token_type": "bearer"}), "reply_unreadable"),
        (token("a\nb"), "reply_unreadable"),
        (token("ü"), "reply_unreadable"),
        (token(""), "reply_unreadable"),
        (token(expires_in=[]), "reply_unreadable"),
        (token(expires_in="soon"), "reply_unreadable"),
    ],
)
async def test_no_token_makes_drafts_wait(answer: Answer, reason: str, secret: Path) -> None:
    server = ScriptedServer(answer)
    with pytest.raises(PostRetryError) as raised:
        await ask(server, secret, Time(), 0)

    assert (raised.value.reason, raised.value.where) == (reason, "token")


@pytest.mark.parametrize(
    ("found", "plain", "expected"),
    [
        ("https://auth.example/token", "no", None),
        ("http://auth.example/token", "no", "token_endpoint_plain"),
        ("http://auth.example/token", "yes", None),
        ("http://127.0.0.1/token", "no", None),
        ("ftp://auth.example/token", "no", "token_endpoint_plain"),
        (None, "no", "token_endpoint_unknown"),
        (7, "no", "token_endpoint_unknown"),
        ("https://[auth", "no", "token_endpoint_unknown"),
        ("https://auth.example:99999/token", "no", "token_endpoint_unknown"),
        ("https:///token", "no", "token_endpoint_unknown"),
        ("https://\ud800/token", "no", "token_endpoint_unknown"),
    ],
)
async def test_a_token_endpoint_is_found_and_must_not_be_plain(
    found: object,
    plain: str,
    expected: str | None,
    secret: Path,
) -> None:
    server = ScriptedServer(Answer(200, {"token_endpoint": found}))
    made = credentials(secret, Time(), is_plain_allowed=plain == "yes")
    async with serving(server.app) as url:
        made._base_url = f"{url}/fhir"
        async with FhirHttp(url, timeout_s=5) as http:
            if expected is None:
                assert await made._discover(http._send) == found
            else:
                with pytest.raises(PostRetryError) as raised:
                    await made._discover(http._send)
                assert raised.value.reason == expected

    assert [asked.path for asked in server.asked] == ["/fhir/.well-known/smart-configuration"]
