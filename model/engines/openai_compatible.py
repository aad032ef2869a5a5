"""Drafts by a server that speaks OpenAI's completions API, such as vLLM with its LoRA adapters.

Greedy, but for redrafts. The base and each adapter are models of the server, by name. A server
reads control tokens in a prompt's text, so report text is broken up wherever one could begin before
it leaves here. One request holds one prompt: so each draft has its own token counts and its own
refusal; a batch's requests run at once, and the server puts them together.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mappings.domain import Draft, EngineIdentity, FinishReason
from mappings.errors import PrelimError
from model.chance import TEMPERATURE, seed_of
from model.engine import Prepared
from model.engines.openai_server import URL, OpenAiServer
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import aiohttp

    from mappings.domain import Prompt
    from model.engine import EngineConfiguration, ServerConfiguration

STEP_S = 0.5
UNKNOWN_VERSION = "unknown"
_PROBE = "Findings:"
_VERSION = re.compile(r"[\w.+ -]{1,60}", re.ASCII)
# "<|im_end|>", "</s>", "[INST]", also with the full-width sign. "<5 mm" and "[1]" are none.
_OPENING = re.compile("([<\uff1c\\[])(?=[^\\s\\d=])")


class OpenAiEngine:
    """Has each prompt of a batch completed by the server."""

    def __init__(
        self,
        server: OpenAiServer,
        configuration: EngineConfiguration,
        settings: ServerConfiguration,
        *,
        engine_version: str,
    ) -> None:
        """Take a server that was looked at."""
        self.on_step: Callable[[], None] = lambda: None
        self._server = server
        self._adapters = tuple(configuration.adapters)
        self._is_demo = configuration.is_demo
        self._settings = settings
        self._engine_version = engine_version

    def prepare(self, prompt: Prompt) -> Prepared:
        """Judge a prompt; its length is the server's to judge."""
        if prompt.adapter is not None and prompt.adapter not in self._adapters:
            raise PromptRefusedError("adapter_unknown", "prompt.adapter")
        if not self._text(prompt):
            raise PromptRefusedError("prompt_empty")
        return Prepared(prompt)

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        """Have one draft written for each prompt, in order.

        Raises:
            PromptRefusedError: The server refuses one of them.
            WorkerLostError: The server is away or answers nonsense; all are to be tried again.
            EngineUnavailableError: The server does not let us in any more.
        """
        return asyncio.run(self._generate(batch))

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        """Return what the server and the settings say; the number format is not told."""
        digests = self._settings.digests
        return EngineIdentity(
            engine="openai",
            engine_version=self._engine_version,
            base=self._settings.base,
            base_digest=digests.get(self._settings.base),
            adapter=adapter,
            adapter_digest=None if adapter is None else digests.get(adapter),
            template_version=template_version,
            dtype=None,
            is_demo=self._is_demo,
        )

    def probe(self) -> None:
        """Have one token written with the base and with each adapter."""
        try:
            asyncio.run(self._probe())
        except PromptRefusedError:
            raise EngineUnavailableError("server_refuses_completions", URL) from None

    async def _generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        async with self._server.open() as session:
            drafts = asyncio.gather(*(self._draft(session, one.prompt) for one in batch))
            while not (await asyncio.wait([drafts], timeout=STEP_S))[0]:
                self.on_step()
            return await drafts

    async def _probe(self) -> None:
        async with self._server.open() as session:
            await asyncio.gather(
                *(
                    self._complete(session, name, _PROBE, 1)
                    for name in (self._settings.base, *self._adapters)
                )
            )

    async def _draft(self, session: aiohttp.ClientSession, prompt: Prompt) -> Draft:
        answer = await self._complete(
            session,
            prompt.adapter or self._settings.base,
            self._text(prompt),
            prompt.output_tokens_max,
            seed_of(prompt),
        )
        identity = self.identity(prompt.adapter, prompt.template_version)
        return _read_draft(answer, replace(identity, redraft=prompt.redraft))

    async def _complete(
        self,
        session: aiohttp.ClientSession,
        name: str,
        text: str,
        tokens_max: int,
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Ask for one completion, and believe only an answer of the model that was asked."""
        body = {
            "model": name,
            "prompt": text,
            "max_tokens": tokens_max,
            **_chance(seed),
            # vLLM's own: adapters are trained without a first token, and a base's own settings
            # (--generation-config) are not ours.
            "add_special_tokens": False,
            "repetition_penalty": 1.0,
        }
        answer = await self._server.ask(session, "/v1/completions", body)
        if answer.get("model") != name:
            raise WorkerLostError("answer_of_another_model", URL)
        return answer

    def _text(self, prompt: Prompt) -> str:
        control_tokens = self._settings.control_tokens
        return "".join(
            piece.text if piece.is_trusted else break_control_tokens(piece.text, control_tokens)
            for piece in prompt.pieces
        )


def _chance(seed: int | None) -> dict[str, float]:
    """Say how tokens are chosen: greedily, or by the seed out of all of them."""
    if seed is None:
        return {"temperature": 0}
    # The last two are vLLM's own; like temperature, a base's settings would come in for them.
    return {"temperature": TEMPERATURE, "seed": seed, "top_p": 1, "top_k": -1, "min_p": 0}


def break_control_tokens(text: str, control_tokens: Sequence[str] = ()) -> str:
    """Return text in which no control token is spelt: a blank follows the sign that opens one.

    Args:
        text: From a report or a site.
        control_tokens: Further ones, which open with neither ``<`` nor ``[``.

    Raises:
        PromptRefusedError: ``control_token_in_report``: one is there all the same.
    """
    broken = _OPENING.sub(r"\1 ", text)
    for token in control_tokens:
        broken = re.sub(f"(?={re.escape(token)})(.)", r"\1 ", broken, flags=re.DOTALL)
    if any(token in broken for token in control_tokens):
        raise PromptRefusedError("control_token_in_report", "model.server.control_tokens")
    return broken


def load_openai_engine(configuration: EngineConfiguration) -> OpenAiEngine:
    """Look whether the server has the base and every adapter.

    Raises:
        EngineUnavailableError: It has not, or does not let us in.
        WorkerLostError: It is away, or not ready yet: to be tried again.
    """
    settings = configuration.server
    if settings is None:
        raise EngineUnavailableError("server_missing", "model.server")
    server = OpenAiServer(settings)
    cards, version = asyncio.run(_look(server))
    if settings.base not in cards:
        raise EngineUnavailableError("base_not_served", "model.server.base")
    for name in configuration.adapters:
        if name not in cards:
            raise EngineUnavailableError("adapter_not_served", f"model.server.adapters.{name}")
    owner = cards[settings.base]
    return OpenAiEngine(
        server, configuration, settings, engine_version=_version_text(owner, version)
    )


async def _look(server: OpenAiServer) -> tuple[dict[str, object], object]:
    """Return who owns each model of the server, by name, and the server's version."""
    async with server.open() as session:
        try:
            models = (await server.ask(session, "/v1/models")).get("data")
        except PromptRefusedError:
            raise EngineUnavailableError("not_found", URL) from None
        try:
            version = (await server.ask(session, "/version")).get("version")
        except PrelimError:  # not every server tells
            version = None
    cards = models if isinstance(models, list) else []
    owners = {
        card["id"]: card.get("owned_by")
        for card in cards
        if isinstance(card, dict) and isinstance(card.get("id"), str)
    }
    return owners, version


def _version_text(owner: object, version: object) -> str:
    """Name the software, such as ``vllm 0.11.0``, in plain words."""
    words = [word for word in (owner, version) if isinstance(word, str)]
    text = " ".join(words)
    is_told = isinstance(version, str) and _VERSION.fullmatch(text)
    return text if is_told else UNKNOWN_VERSION


def _read_draft(answer: dict[str, Any], engine: EngineIdentity) -> Draft:
    """Read a completion.

    Raises:
        WorkerLostError: ``answer_unreadable``: something is missing, or it ended in another way.
    """
    try:
        [choice] = answer["choices"]
        text, usage = choice["text"], answer["usage"]
        draft = Draft(
            text=text.strip(),
            finish=FinishReason(choice["finish_reason"]),
            prompt_tokens=_count(usage["prompt_tokens"]),
            output_tokens=_count(usage["completion_tokens"]),
            engine=engine,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WorkerLostError("answer_unreadable", URL) from None
    return draft


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError
    return value
