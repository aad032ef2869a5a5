"""Drafts without a model: copies the sentences of the findings that state something abnormal.

Deterministic, and unsure in one direction only: what it does not know to be normal, it copies. It
knows English; a sentence in any other language is copied. Labelled as a demo engine: it summarises
nothing.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from mappings.domain import Draft, EngineIdentity, FinishReason
from model.engine import Prepared
from model.normality import is_abnormal
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mappings.domain import Prompt

ENGINE_VERSION = "extractive/1"
ALL_NORMAL = "No acute abnormality."
CHARACTERS_PER_TOKEN = 6

_SECTION = re.compile(r"^\s*(?:findings?|report|impression)\s*:\s*", re.IGNORECASE)


class ExtractiveEngine:
    """An engine without weights."""

    def __init__(
        self, *, delay_s: float = 0.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take the extra seconds that each batch shall last, for load tests."""
        self.on_step: Callable[[], None] = lambda: None  # one step is all it takes
        self._delay_s = delay_s
        self._sleep = sleep

    def prepare(self, prompt: Prompt) -> Prepared:
        """Take any prompt: an adapter's name means nothing here."""
        return Prepared(prompt)

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        """Copy what is abnormal, for each prompt."""
        if self._delay_s:
            self._sleep(self._delay_s)
        return [self._draft(prepared.prompt) for prepared in batch]

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        """Return this engine, whatever the adapter."""
        del adapter
        return EngineIdentity(
            engine="extractive",
            engine_version=ENGINE_VERSION,
            base=None,
            base_digest=None,
            adapter=None,
            adapter_digest=None,
            template_version=template_version,
            dtype=None,
            is_demo=True,
        )

    def probe(self) -> None:
        """Nothing can break."""

    def _draft(self, prompt: Prompt) -> Draft:
        text, is_whole = extract_impression(
            prompt.findings, prompt.output_tokens_max * CHARACTERS_PER_TOKEN
        )
        return Draft(
            text=text,
            finish=FinishReason.STOP if is_whole else FinishReason.LENGTH,
            prompt_tokens=len(prompt.findings.split()),
            output_tokens=len(text.split()),
            engine=self.identity(prompt.adapter, prompt.template_version),
        )


def extract_impression(findings: str, characters_max: int) -> tuple[str, bool]:
    """Copy the sentences that state something abnormal, in their order.

    Args:
        findings: The report's text.
        characters_max: Sentences are left out from the first one that would pass it.

    Returns:
        The text, ``ALL_NORMAL`` when nothing abnormal is stated; and whether all of it had room.
    """
    abnormal = list(
        dict.fromkeys(
            _tidy(sentence.text)
            for sentence in split_sentences(findings)
            if is_abnormal(sentence.text)
        )
    )
    kept: list[str] = []
    for sentence in abnormal:
        if sum(map(len, kept)) + len(kept) + len(sentence) > characters_max:
            return " ".join(kept), False
        kept.append(sentence)
    return " ".join(kept) or ALL_NORMAL, True


def _tidy(sentence: str) -> str:
    """One line, without list marker or section heading, ended by a full stop."""
    text = " ".join(_SECTION.sub("", sentence).split())
    text = re.sub(r"^(?:[-*•]\s*|\d{1,2}[.)]\s+)", "", text).rstrip(";,")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."
