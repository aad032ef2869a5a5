"""One exchange: what goes out with it, and the reason when no answer comes back."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from interfaces.errors import PostRefusedError, PostRetryError, ServerAwayError
from interfaces.fhir_breaker import Breaker, BreakerLimits
from interfaces.fhir_http import REPLY_BYTES_MAX, FhirHttp
from tests.unit.interfaces.fhir_servers import Answer, ScriptedServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from interfaces.fhir_http import Credentials, Send


@contextlib.asynccontextmanager
async def speaking_to(
    server: ScriptedServer, *, credentials: Credentials | None = None
) -> AsyncIterator[FhirHttp]:
    async with (
        serving(server.app) as url,
        FhirHttp(f"{url}/fhir/", timeout_s=5, credentials=credentials) as http,
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


class Tokens:
    """Credentials that hand out one token after the other; the last one for ever."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.forgotten: list[str] = []

    async def authorization(self, _send: Send) -> str:
        return self._tokens[0]

    def forget(self, authorization: str) -> None:
        self.forgotten.append(authorization)
        self._tokens = self._tokens[1:] or self._tokens


async def test_the_token_and_a_new_request_id_go_with_every_request() -> None:
    server = ScriptedServer(Answer(200))
    async with speaking_to(server, credentials=Tokens("Bearer t0ken")) as http:
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


async def test_a_refused_token_is_renewed_and_tried_once_more() -> None:
    server, tokens = ScriptedServer(Answer(401), Answer(200)), Tokens("Bearer old", "Bearer new")
    async with speaking_to(server, credentials=tokens) as http:
        reply = await http.exchange("PUT", "Observation/1", body=b"{}")

    assert reply.status == 200
    assert tokens.forgotten == ["Bearer old"]
    assert [asked.headers["authorization"] for asked in server.asked] == [
        "Bearer old",
        "Bearer new",
    ]
    assert len({asked.headers["x-request-id"] for asked in server.asked}) == 1


async def test_a_token_refused_twice_is_not_tried_a_third_time() -> None:
    server, tokens = ScriptedServer(Answer(401)), Tokens("Bearer 1", "Bearer 2", "Bearer 3")
    async with speaking_to(server, credentials=tokens) as http:
        reply = await http.exchange("GET", "metadata")

    assert (reply.status, len(server.asked)) == (401, 2)


async def test_the_same_refused_token_is_not_shown_again() -> None:
    server = ScriptedServer(Answer(401))
    async with speaking_to(server, credentials=Tokens("Basic eA==")) as http:
        reply = await http.exchange("GET", "metadata")

    assert (reply.status, len(server.asked)) == (401, 1)


async def test_nothing_is_sent_while_the_server_asked_not_to_be_asked() -> None:
    now = [100.0]
    server = ScriptedServer(Answer(503, headers={"Retry-After": "7"}), Answer(200))
    breaker = Breaker(BreakerLimits(), lambda: now[0])
    async with (
        serving(server.app) as url,
        FhirHttp(f"{url}/fhir", timeout_s=5, breaker=breaker) as http,
    ):
        await http.exchange("GET", "Observation/1")
        now[0] += 6.9
        with pytest.raises(ServerAwayError) as raised:
            await http.exchange("GET", "Observation/2")
        assert len(server.asked) == 1
        now[0] += 0.1
        await http.exchange("GET", "Observation/2")

    assert raised.value.retry_after_s == pytest.approx(0.1)
    assert not raised.value.is_counted
    assert len(server.asked) == 2


async def test_another_media_type_is_sent_and_asked_for() -> None:
    server, r5 = ScriptedServer(Answer(200)), "application/fhir+json; fhirVersion=5.0"
    async with (
        serving(server.app) as url,
        FhirHttp(f"{url}/fhir", timeout_s=5, media_type=r5) as http,
    ):
        await http.exchange("POST", "", body=b"{}")

    (asked,) = server.asked
    assert asked.path == "/fhir"
    assert (asked.headers["accept"], asked.headers["content-type"]) == (r5, r5)
