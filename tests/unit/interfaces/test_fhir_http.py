"""One exchange: what goes out with it, and the reason when no answer comes back."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_http import REPLY_BYTES_MAX, FhirHttp
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@contextlib.asynccontextmanager
async def speaking_to(
    server: ScriptedServer, *, authorization: str | None = None
) -> AsyncIterator[FhirHttp]:
    async with (
        serving(server.app) as url,
        FhirHttp(f"{url}/fhir/", timeout_s=5, authorization=authorization) as http,
    ):
        yield http


async def failure_of(url: str, *, timeout_s: float = 5) -> PostRetryError:
    async with FhirHttp(url, timeout_s=timeout_s) as http:
        with pytest.raises(PostRetryError) as raised:
            await http.exchange("PUT", "Observation/1", body=b"{}")
    return raised.value


async def test_an_exchange_keeps_path_query_headers_and_body() -> None:
    server = ScriptedServer(Answer(201, {"a": 1}, {"ETag": 'W/"1"', "Location": "Observation/1"}))
    async with speaking_to(server) as http:
        reply = await http.exchange(
            "POST", "Observation", query={"identifier": "urn:x|1 2"}, body=b"{}", headers={"A": "b"}
        )

    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/fhir/Observation", b"{}")
    assert asked.query == "identifier=urn%3Ax%7C1+2"
    assert asked.headers["a"] == "b"
    assert asked.headers["content-type"] == "application/fhir+json"
    assert (reply.status, reply.body, reply.etag) == (201, b'{"a": 1}', 'W/"1"')
    assert reply.location == "Observation/1"
    assert reply.date is not None


async def test_the_token_and_a_new_request_id_go_with_every_request() -> None:
    server = ScriptedServer(Answer(200))
    async with speaking_to(server, authorization="Bearer t0ken") as http:
        for _ in range(3):
            await http.exchange("GET", "metadata")

    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer t0ken"}
    assert len({asked.headers["x-request-id"] for asked in server.asked}) == 3


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    server = ScriptedServer(Answer(307, headers={"Location": "/elsewhere"}))
    async with speaking_to(server) as http:
        reply = await http.exchange("PUT", "Observation/1", body=b"{}")

    assert reply.status == 307
    assert len(server.asked) == 1


async def test_a_cookie_is_not_kept() -> None:
    server = ScriptedServer(Answer(200, headers={"Set-Cookie": "session=1"}))
    async with speaking_to(server) as http:
        await http.exchange("GET", "metadata")
        await http.exchange("GET", "metadata")

    assert "cookie" not in server.asked[1].headers


async def test_an_answer_larger_than_the_limit_is_refused() -> None:
    server = ScriptedServer(Answer(200, b" " * (REPLY_BYTES_MAX + 1)))
    async with speaking_to(server) as http:
        with pytest.raises(PostRefusedError) as refused:
            await http.exchange("GET", "Observation")

    assert refused.value.reason == "reply_too_large"


async def test_what_was_sent_and_answered_is_not_in_a_repr(canary_name: str) -> None:
    server = ScriptedServer(Answer(200, canary_name, {"Location": canary_name}))
    async with speaking_to(server) as http:
        reply = await http.exchange("GET", "Observation")

    assert canary_name not in repr(reply)


async def test_a_server_that_is_not_there_gives_connect_failed(
    free_port: Callable[[], int],
) -> None:
    error = await failure_of(f"http://127.0.0.1:{free_port()}")

    assert (error.reason, error.where) == ("connect_failed", "Observation")
    assert error.__suppress_context__


async def test_a_server_that_stays_silent_gives_timed_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = await failure_of(url, timeout_s=0.05)

    assert error.reason == "timed_out"


async def test_plain_http_where_tls_is_wanted_sends_nothing() -> None:
    server = ScriptedServer(Answer(200))
    async with serving(server.app) as url:
        error = await failure_of(url.replace("http://", "https://"))

    assert error.reason == "tls_failed"
    assert server.asked == []
