"""Write drafts with whatever a run has trained: for comparing strategies, not for the daemon.

Our own decoding: virtual tokens and prefixes, of which the library's loses the place when rows are
padded, stand where they stood in training. A row's draft depends on its prompt and on ``seed``, not
on the rows beside it (but for the last bits of sums, which depend on a batch's shape).
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import safe_open
from transformers import DynamicCache

from model.base_model import NAME as DEMO_BASE
from model.base_model import prepare_base_model
from model.engines.quiet_peft import quiet_peft
from model.engines.weights import has_bfloat16
from model.errors import EngineUnavailableError, PromptRefusedError
from model.tokenising import PromptTokeniser
from model.training.adapting import LOAD_ERRORS, choose_device, load_base
from model.training.lanes import language_model, prefix_tokens, soft_tokens, with_virtual_tokens
from model.training.saving import ADAPTER, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mappings.domain import Prompt

ROWS_MAX = {"cpu": 16, "cuda": 128}
TOKENS_MAX = {"cpu": 16_384, "cuda": 131_072}
"""Of a batch: rows times samples, and their prompts and drafts together."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A prompt that can be run."""

    place: int
    token_ids: tuple[int, ...] = field(repr=False)
    output_tokens_max: int

    @property
    def tokens(self) -> int:
        return len(self.token_ids) + self.output_tokens_max


@dataclass(slots=True)
class _Reading:
    """What the model has read of the rows that are still being written."""

    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor

    def repeat(self, times: int) -> None:
        self.cache.batch_repeat_interleave(times)
        self.mask = self.mask.repeat_interleave(times, 0)
        self.positions = self.positions.repeat_interleave(times, 0)
        self.logits = self.logits.repeat_interleave(times, 0)

    def keep(self, rows: list[int]) -> None:
        chosen = torch.tensor(rows, device=self.mask.device)
        self.cache.batch_select_indices(chosen)
        self.mask, self.positions = self.mask[chosen], self.positions[chosen]


class Writer:
    """Writes impressions, a batch of like length at a time."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        """Take a model in evaluation mode, as ``load_writer`` makes it."""
        self._model = model
        self._device = next(model.parameters()).device
        self._tokeniser = PromptTokeniser(tokenizer)
        self._eos_ids = frozenset(_eos_ids(language_model(model), tokenizer))
        self._before = soft_tokens(model) + prefix_tokens(model)

    @property
    def parameters(self) -> int:
        """Numbers of the whole model, those that were trained among them."""
        return sum(weights.numel() for weights in self._model.parameters())

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a draft."""
        return len(self._tokeniser.encode_text(text, is_trusted=False))

    def require(self, prompt: Prompt) -> None:
        """Refuse a prompt for which ``write`` would refuse all.

        Raises:
            PromptRefusedError: ``prompt_too_long`` or as the tokeniser says.
        """
        self._asked(0, prompt)

    def write(
        self,
        prompts: Sequence[Prompt],
        *,
        samples: int = 1,
        temperature: float = 0.0,
        seed: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ) -> list[list[str]]:
        """Write drafts.

        Args:
            prompts: Each with its own limit of tokens; ``adapter`` is not looked at.
            samples: Drafts of each prompt.
            temperature: 0 writes the likeliest token each time: all drafts of a prompt are one.
            seed: Of the sampling; a draft's chance comes from it, the prompt's place and its own.
            advance: Called with the number of prompts just done.

        Returns:
            For each prompt its drafts.

        Raises:
            PromptRefusedError: ``prompt_too_long`` or as the tokeniser says, before anything runs.
        """
        asked = [self._asked(place, prompt) for place, prompt in enumerate(prompts)]
        copies = samples if temperature > 0 else 1
        drafts: list[list[str]] = [[] for _ in prompts]
        for batch in self._batches(asked, copies):
            chances = [
                random.Random(f"{seed}/{one.place}/{copy}")  # noqa: S311 - sampling is no secret
                for one in batch
                for copy in range(copies)
            ]
            answers = self._answers(batch, copies, temperature, chances)
            for index, one in enumerate(batch):
                own = answers[index * copies : (index + 1) * copies]
                texts = [self._tokeniser.decode(answer) for answer in own]
                drafts[one.place] = texts * (samples // copies)
            advance(len(batch))
        return drafts

    def _asked(self, place: int, prompt: Prompt) -> _Asked:
        asked = _Asked(place, self._tokeniser.encode(prompt), prompt.output_tokens_max)
        if asked.tokens + self._before > language_model(self._model).config.max_position_embeddings:
            raise PromptRefusedError("prompt_too_long", f"prompt {place}")
        return asked

    def _batches(self, asked: Sequence[_Asked], copies: int) -> Iterator[list[_Asked]]:
        """Sort by length, so that little is padded, and keep to what memory takes."""
        batch: list[_Asked] = []
        rows_max = max(1, ROWS_MAX[self._device.type] // copies)
        tokens_max = TOKENS_MAX[self._device.type] // copies
        for one in sorted(asked, key=lambda one: (one.tokens, one.place)):
            if batch and (len(batch) == rows_max or (len(batch) + 1) * one.tokens > tokens_max):
                yield batch
                batch = []
            batch.append(one)
        if batch:
            yield batch

    @torch.inference_mode()
    def _answers(
        self,
        batch: Sequence[_Asked],
        copies: int,
        temperature: float,
        chances: Sequence[random.Random],
    ) -> list[list[int]]:
        """Return each copy's new ids, without the one that ends it."""
        reading = self._read(batch)
        if copies > 1:
            reading.repeat(copies)
        limits = [one.output_tokens_max for one in batch for _ in range(copies)]
        answers: list[list[int]] = [[] for _ in limits]
        live = list(range(len(limits)))
        while True:
            chosen = _choose(reading.logits, temperature, [chances[row] for row in live])
            going_on = []
            for index, (row, token) in enumerate(zip(live, chosen, strict=True)):
                if token not in self._eos_ids:
                    answers[row].append(token)
                    if len(answers[row]) < limits[row]:
                        going_on.append(index)
            if not going_on:
                return answers
            if len(going_on) < len(live):
                live = [live[index] for index in going_on]
                reading.keep(going_on)
            self._read_on(reading, [answers[row][-1] for row in live])

    def _read(self, batch: Sequence[_Asked]) -> _Reading:
        """Read the prompts, padded at their beginning so that all end together."""
        soft, prefix = soft_tokens(self._model), prefix_tokens(self._model)
        width = soft + max(len(one.token_ids) for one in batch)
        ids = torch.zeros((len(batch), width), dtype=torch.long)
        mask = torch.ones((len(batch), prefix + width), dtype=torch.long)
        positions = torch.zeros_like(ids)
        is_virtual = torch.zeros_like(ids, dtype=torch.bool)
        for row, one in enumerate(batch):
            start = width - len(one.token_ids)
            first = start - soft
            ids[row, start:] = torch.tensor(one.token_ids)
            mask[row, prefix : prefix + first] = 0
            positions[row, first:] = prefix + torch.arange(width - first)
            is_virtual[row, first:start] = True
        ids, mask, positions = (one.to(self._device) for one in (ids, mask, positions))
        told = {"input_ids": ids}
        if soft:
            virtual = is_virtual.to(self._device)
            told = {"inputs_embeds": with_virtual_tokens(self._model, ids, virtual)}
        config = language_model(self._model).config
        cache = (
            self._model.get_prompt(batch_size=len(batch)) if prefix else DynamicCache(config=config)
        )
        logits = self._run(told, cache, mask, positions)
        return _Reading(cache, mask, positions[:, -1:], logits)

    def _read_on(self, reading: _Reading, tokens: list[int]) -> None:
        """Read the token that each row has just written."""
        ids = torch.tensor(tokens, device=self._device).unsqueeze(1)
        reading.mask = torch.cat((reading.mask, torch.ones_like(ids)), dim=1)
        reading.positions = reading.positions + 1
        reading.logits = self._run(
            {"input_ids": ids}, reading.cache, reading.mask, reading.positions
        )

    def _run(
        self,
        told: dict[str, torch.Tensor],
        cache: Any,
        mask: torch.Tensor,
        positions: torch.Tensor,
    ) -> torch.Tensor:
        output = language_model(self._model)(
            **told,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits


def load_writer(
    folder: Path | None,
    base: Path | None = None,
    *,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 0,
) -> Writer:
    """Load a base and what a run has trained on it.

    Args:
        folder: As ``prelim train`` wrote it, of any strategy; None for the bare base. A whole base
            (``freeze``, ``full``) is loaded by itself.
        base: Folder of the base model; None for the demo base. QLoRA's is not put into 4 bits: it
            writes as it would be served.
        dtype: ``auto`` takes bfloat16 where the device computes in it.
        device: ``auto`` takes a GPU where there is one.
        threads: CPU threads; 0 leaves it to torch.

    Raises:
        EngineUnavailableError: A folder does not hold what it should.
    """
    if threads:
        torch.set_num_threads(threads)
    place = choose_device(device)
    is_adapter = folder is not None and (folder / SETTINGS).is_file()
    if folder is not None and not is_adapter:
        base = folder
    model, tokenizer = load_base(
        base or _demo_base(folder), dtype=_dtype(dtype, place), device=place
    )
    if folder is not None and is_adapter:
        model = _with_adapter(model, folder)
    return Writer(model.eval(), tokenizer)


def _with_adapter(model: Any, folder: Path) -> Any:
    try:
        with quiet_peft():
            adapted = PeftModel.from_pretrained(model, folder)
        with safe_open(folder / ADAPTER, framework="pt") as file:
            told = set(file.keys())
    except LOAD_ERRORS:
        raise EngineUnavailableError("adapter_unreadable", "adapter") from None
    if told != set(get_peft_model_state_dict(adapted, save_embedding_layers=False)):
        # Made for another base: some names do not fit, and the library only warns.
        raise EngineUnavailableError("adapter_of_another_base", "adapter")
    return adapted.to(model.device)


def _demo_base(adapter: Path | None) -> Path:
    if adapter is not None:
        told = json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))
        if told.get("base_model_name_or_path") != DEMO_BASE:
            raise EngineUnavailableError("base_folder_needed", "base")
    return prepare_base_model()


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" or has_bfloat16() else "float32"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _choose(
    logits: torch.Tensor, temperature: float, chances: Sequence[random.Random]
) -> list[int]:
    if temperature <= 0:
        return [int(token) for token in logits.argmax(-1)]
    # On the CPU: a running sum on a GPU cannot be repeated to the bit.
    reached = (logits.cpu().double() / temperature).softmax(-1).cumsum(-1)
    drawn = torch.tensor([chance.random() for chance in chances], dtype=torch.double)
    # The sum may end a rounding below 1.
    places = torch.searchsorted(reached, (drawn * reached[:, -1]).unsqueeze(1), right=True)
    return [min(int(place), logits.shape[-1] - 1) for place in places]


def _eos_ids(model: Any, tokenizer: Any) -> Iterator[int]:
    """Return every id that ends an answer: the tokenizer's and those of the base's own settings."""
    own = model.generation_config.eos_token_id
    for token_id in [tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]:
        if token_id is not None:
            yield int(token_id)
