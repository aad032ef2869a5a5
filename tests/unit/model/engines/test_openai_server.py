"""What a server's answers, odd ones too, mean; over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from model.engines.openai_server import ANSWER_BYTES_MAX, OpenAiServer
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError
from tests.unit.model.engines.completion_server import BASE, configuration_of, serving

if TYPE_CHECKING:
    from pathlib import Path

    from mappings.errors import PrelimError

QUESTION = {"model": BASE, "prompt": "JANE Q CANARY has a nodule.", "max_tokens": 1}


def server_at(url: str, **settings: Any) -> OpenAiServer:  # noqa: ANN401 - its fields
    configuration = configuration_of(url, **settings)
    assert configuration.server is not None
    return OpenAiServer(configuration.server)


async def ask(url: str, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    server = server_at(url, **settings)
    async with server.open() as session:
        return await server.ask(session, "/v1/completions", QUESTION)


@pytest.mark.parametrize(
    ("status", "fate", "reason"),
    [
        (400, PromptRefusedError, "server_refused_prompt"),
        (413, PromptRefusedError, "server_refused_prompt"),
        (422, PromptRefusedError, "server_refused_prompt"),
        (401, EngineUnavailableError, "key_refused"),
        (403, EngineUnavailableError, "key_refused"),
        (404, EngineUnavailableError, "not_found"),
        (302, EngineUnavailableError, "redirect_refused"),
        (307, EngineUnavailableError, "redirect_refused"),
        (408, WorkerLostError, "server_unavailable"),
        (429, WorkerLostError, "server_unavailable"),
        (500, WorkerLostError, "server_unavailable"),
        (503, WorkerLostError, "server_unavailable"),
        (202, WorkerLostError, "server_unavailable"),
    ],
)
async def test_each_status_has_its_fate_and_no_words_of_the_prompt(
    status: int, fate: type[PrelimError], reason: str
) -> None:
    async with serving(status=status, raw=QUESTION["prompt"]) as server:
        with pytest.raises(fate) as caught:
            await ask(server.url)

    assert caught.value.reason == reason
    assert "CANARY" not in repr(caught.value)
    assert len(server.bodies) == 1  # a redirect was not followed


@pytest.mark.parametrize(
    "raw", ["", "<html>", "[]", "5", "[" * 100_000, '{"a": "' + "x" * ANSWER_BYTES_MAX + '"}']
)
async def test_an_answer_that_is_no_object_or_too_long_is_asked_for_again(raw: str) -> None:
    async with serving(raw=raw) as server:
        with pytest.raises(WorkerLostError, match="answer_unreadable"):
            await ask(server.url)


async def test_a_server_that_is_away_is_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(WorkerLostError, match="server_unreachable"):
        await ask(f"http://127.0.0.1:{port}")


async def test_a_server_that_says_nothing_is_left_after_the_time_limit() -> None:
    async with serving(together=asyncio.Barrier(2)) as server:
        with pytest.raises(WorkerLostError, match="server_unreachable"):
            await ask(server.url, timeout_s=0.2)


async def test_the_key_goes_with_each_question_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("one\n")
    async with serving() as server:
        asked = server_at(server.url, key_file=str(file))
        for key in ("one", "two"):
            file.write_text(f"{key}\n")
            async with asked.open() as session:
                await asked.ask(session, "/v1/models")

    assert server.keys == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb", b"\xff"])
def test_a_key_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(EngineUnavailableError) as caught:
        server_at("http://127.0.0.1:1", key_file=str(file))

    assert (caught.value.reason, caught.value.where) == ("key_unreadable", "model.server.key_file")


def test_authorities_that_cannot_be_read_are_told_by_their_setting(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match=r"ca_unreadable at model\.server\.ca"):
        server_at("https://127.0.0.1:1", ca=str(tmp_path / "none"))
