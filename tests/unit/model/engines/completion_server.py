"""A real HTTP server that speaks as much of OpenAI's API as vLLM does, and fails on demand."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from model.engine import EngineConfiguration, ServerConfiguration

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

BASE, ADAPTER = "base-8b", "site.one"
ANSWER_TEXT = " There is a nodule.\n"


@dataclass
class CompletionServer:
    """What it was asked, and what it shall answer instead of a completion."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    names: tuple[str, ...] = (BASE, ADAPTER)
    status: int = 200
    refused: str = "never found in a prompt"
    texts: tuple[str, str] = (ANSWER_TEXT, " A nodule.")  # of a first draft, and of redrafts
    changed: dict[str, Any] = field(default_factory=dict)
    raw: str | None = None
    version: object = "0.11.0"
    together: asyncio.Barrier | None = None
    url: str = ""

    async def models(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization"))
        cards = [{"id": name, "object": "model", "owned_by": "vllm"} for name in self.names]
        return self._answer({"object": "list", "data": cards})

    async def tell_version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": self.version})

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if self.together is not None:
            await self.together.wait()
        if self.refused in body["prompt"]:
            return web.json_response({"error": {"message": body["prompt"]}}, status=400)
        text = self.texts["seed" in body]
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 5}
        answer = {"id": "1", "model": body["model"], "choices": [choice], "usage": usage}
        return self._answer({**answer, **self.changed})

    def _answer(self, answer: dict[str, Any]) -> web.Response:
        if self.status != 200:
            raw = self.raw or "sorry"
            return web.Response(
                status=self.status, text=raw, headers={"Location": f"{self.url}/elsewhere"}
            )
        return web.json_response(answer) if self.raw is None else web.Response(text=self.raw)


@asynccontextmanager
async def serving(**script: Any) -> AsyncIterator[CompletionServer]:  # noqa: ANN401 - its fields
    server = CompletionServer(**script)
    application = web.Application()
    application.router.add_get("/v1/models", server.models)
    application.router.add_get("/version", server.tell_version)
    application.router.add_post("/v1/completions", server.complete)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def configuration_of(
    url: str,
    **settings: Any,  # noqa: ANN401 - as above
) -> EngineConfiguration:
    server = ServerConfiguration(url=url, base=BASE, **{"timeout_s": 5.0, **settings})
    return EngineConfiguration(
        engine="openai", adapters={ADAPTER: ""}, is_demo=False, server=server
    )
