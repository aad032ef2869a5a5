"""Drafts with a local base model and PEFT LoRA adapters, on torch. Imported by the worker only.

Greedy, but for redrafts, whose chance follows from the prompt: the same prompt gives the same
draft. Rows of different adapters run in one batch. Nothing is fetched, no code of a model folder is
run, and only safetensors files are read.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import peft
import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, StoppingCriteria

from mappings.domain import Draft, EngineIdentity, FinishReason
from model.chance import seed_of
from model.engine import Prepared
from model.engines.quiet_peft import quiet_peft
from model.engines.row_noise import noise_for
from model.engines.weights import (
    digest_of,
    has_bfloat16,
    is_marked_demo,
    require_plain_lora,
    require_safetensors,
)
from model.errors import EngineUnavailableError, PromptRefusedError
from model.tokenising import PromptTokeniser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from mappings.domain import Prompt
    from model.engine import EngineConfiguration

Dtype = Literal["float32", "bfloat16", "float16"]
BASE_ROW = "__base__"  # PEFT's name for a row without an adapter
ENGINE_VERSION = (
    f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}"
)
LOAD_ERRORS = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A loaded adapter: PEFT's name for it (ours may hold dots) and its digest."""

    peft_name: str
    digest: str
    is_demo: bool


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of the loaded base model."""

    name: str
    digest: str
    dtype: Dtype
    is_demo: bool


class TransformersEngine:
    """Runs prompts through ``generate``; every row's answer is what it would be alone."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - a PreTrainedModel or a PeftModel; the library's types end here
        tokenizer: Any,  # noqa: ANN401 - as above
        *,
        base: Base,
        adapters: Mapping[str, Adapter],
    ) -> None:
        """Take a model in evaluation mode, with its adapters loaded."""
        self.on_step: Callable[[], None] = lambda: None
        self._model = model
        self._tokeniser = PromptTokeniser(tokenizer)
        self._base = base
        self._adapters = adapters
        self._eos_ids = frozenset(_eos_ids(model, tokenizer))
        self._pad_id = next(iter(sorted(self._eos_ids)))
        # The folder's own generation settings (temperature, penalties) are not ours.
        model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]

    @cached_property
    def _vocabulary(self) -> int:
        return int(self._model.get_input_embeddings().num_embeddings)

    @cached_property
    def _context(self) -> int:
        return int(self._model.config.max_position_embeddings)

    def prepare(self, prompt: Prompt) -> Prepared:
        """Tokenise a prompt and judge it."""
        if prompt.adapter is not None and prompt.adapter not in self._adapters:
            raise PromptRefusedError("adapter_unknown", "prompt.adapter")
        token_ids = self._tokeniser.encode(prompt)
        if not token_ids:
            raise PromptRefusedError("prompt_empty")
        if len(token_ids) + prompt.output_tokens_max > self._context:
            raise PromptRefusedError("prompt_too_long", "model.base")
        if max(token_ids) >= self._vocabulary:
            raise PromptRefusedError("token_out_of_vocabulary", "model.base")
        return Prepared(prompt, token_ids)

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        """Write one draft for each prompt, in order."""
        rows = [prepared.token_ids for prepared in batch]
        limits = [prepared.prompt.output_tokens_max for prepared in batch]
        adapters = [prepared.prompt.adapter for prepared in batch]
        seeds = [seed_of(prepared.prompt) for prepared in batch]
        answers = self._run(rows, limits, adapters, seeds)
        return [
            self._draft(prepared, answer) for prepared, answer in zip(batch, answers, strict=True)
        ]

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        """Return base, adapter and versions."""
        loaded = None if adapter is None else self._adapters[adapter]
        return EngineIdentity(
            engine="transformers",
            engine_version=ENGINE_VERSION,
            base=self._base.name,
            base_digest=self._base.digest,
            adapter=adapter,
            adapter_digest=None if loaded is None else loaded.digest,
            template_version=template_version,
            dtype=self._base.dtype,
            is_demo=self._base.is_demo or (loaded is not None and loaded.is_demo),
        )

    def probe(self) -> None:
        """Write one token with the base and with each adapter."""
        adapters = [None, *self._adapters]
        self._run([(self._pad_id,)] * len(adapters), [1] * len(adapters), adapters)

    def _run(
        self,
        rows: Sequence[tuple[int, ...]],
        limits: Sequence[int],
        adapters: Sequence[str | None],
        seeds: Sequence[int | None] = (),
    ) -> Iterator[list[int]]:
        """Return each row's new ids, cut at its own limit."""
        width = max(map(len, rows))
        device = self._model.device
        padded = [(self._pad_id,) * (width - len(row)) + row for row in rows]
        attended = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        selection, names = self._selected(adapters)
        with torch.inference_mode(), selection:
            output = self._model.generate(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=torch.tensor(attended, device=device),
                do_sample=False,
                num_beams=1,
                max_new_tokens=max(limits),
                eos_token_id=sorted(self._eos_ids),
                pad_token_id=self._pad_id,
                logits_processor=noise_for(seeds),
                stopping_criteria=[RowLimits(width, limits, self.on_step)],
                **names,
            )
        new_ids = output[:, width:].tolist()
        return iter([ids[:limit] for ids, limit in zip(new_ids, limits, strict=True)])

    def _selected(
        self, adapters: Sequence[str | None]
    ) -> tuple[AbstractContextManager[None], dict[str, list[str]]]:
        """Switch the adapter for the whole batch, or name one for each row."""
        if not self._adapters:
            return nullcontext(), {}
        names = [BASE_ROW if one is None else self._adapters[one].peft_name for one in adapters]
        if len(set(names)) > 1:
            return nullcontext(), {"adapter_names": names}
        if names[0] == BASE_ROW:
            return self._model.disable_adapter(), {}
        self._model.set_adapter(names[0])
        return nullcontext(), {}

    def _draft(self, prepared: Prepared, answer: list[int]) -> Draft:
        end = next((i for i, token_id in enumerate(answer) if token_id in self._eos_ids), None)
        written = answer[:end]
        prompt = prepared.prompt
        identity = self.identity(prompt.adapter, prompt.template_version)
        return Draft(
            text=self._tokeniser.decode(written),
            finish=FinishReason.LENGTH if end is None else FinishReason.STOP,
            prompt_tokens=len(prepared.token_ids),
            output_tokens=len(written),
            engine=replace(identity, redraft=prompt.redraft),
        )


class RowLimits(StoppingCriteria):
    """Stops each row at its own limit, so that a long one does not keep the short ones writing."""

    def __init__(
        self, prompt_tokens: int, limits: Sequence[int], on_step: Callable[[], None]
    ) -> None:
        """Take the padded prompt's length, each row's limit, and who hears of each step."""
        self._on_step = on_step
        self._prompt_tokens = prompt_tokens
        self._limits = torch.tensor(limits)

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        """Say for each row whether it is at its end."""
        del scores, kwargs
        self._on_step()
        done = self._limits <= input_ids.shape[1] - self._prompt_tokens
        return done.to(input_ids.device)  # type: ignore[return-value]


def load_transformers_engine(configuration: EngineConfiguration) -> TransformersEngine:
    """Load base and adapters.

    Raises:
        EngineUnavailableError: A folder does not hold what it should, or the device is missing.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if configuration.threads:
        torch.set_num_threads(configuration.threads)
    folder = _base_folder(configuration)
    require_safetensors(folder, "model.base")
    device = _device(configuration.device)
    dtype = configuration.dtype
    chosen: Dtype = _auto_dtype(device) if dtype == "auto" else dtype
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, chosen),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except LOAD_ERRORS:
        raise EngineUnavailableError("weights_unreadable", "model.base") from None
    model, loading = loaded
    if loading["missing_keys"] or loading["mismatched_keys"]:
        # The library would fill the gap with random numbers.
        raise EngineUnavailableError("weights_incomplete", "model.base")
    model = model.to(device)
    model, adapters = _with_adapters(model, configuration)
    model.eval()
    base = Base(
        name=folder.name,
        digest=digest_of(folder),
        dtype=chosen,
        is_demo=configuration.is_demo or is_marked_demo(folder),
    )
    return TransformersEngine(model, tokenizer, base=base, adapters=adapters)


def _with_adapters(
    model: Any,  # noqa: ANN401 - the library's types end here
    configuration: EngineConfiguration,
) -> tuple[Any, dict[str, Adapter]]:
    adapters: dict[str, Adapter] = {}
    for name, path in configuration.adapters.items():
        folder, where = Path(path), f"model.adapters.{name}"
        require_plain_lora(folder, where)
        peft_name = f"adapter{len(adapters)}"
        try:
            if adapters:
                model.load_adapter(folder, peft_name)
            else:
                with quiet_peft():
                    model = peft.PeftModel.from_pretrained(model, folder, peft_name)
        except LOAD_ERRORS:
            raise EngineUnavailableError("adapter_unreadable", where) from None
        if not _has_effect(model, peft_name):
            # Made for another base: none of its names fit, and the library only warns.
            raise EngineUnavailableError("adapter_without_effect", where)
        adapters[name] = Adapter(peft_name, digest_of(folder), is_marked_demo(folder))
    return model, adapters


def _has_effect(model: Any, peft_name: str) -> bool:  # noqa: ANN401 - as above
    return any(
        bool(weights.any())
        for name, weights in model.named_parameters()
        if "lora_B" in name and f".{peft_name}." in name
    )


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):  # torch without CUDA asserts
        raise EngineUnavailableError("device_missing", "model.device") from None


def _auto_dtype(device: torch.device) -> Dtype:
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "bfloat16" if has_bfloat16() else "float32"


def _eos_ids(model: Any, tokenizer: Any) -> Iterator[int]:  # noqa: ANN401 - as above
    """Return every id that ends an answer: the tokenizer's and those of the base's own settings."""
    own = model.generation_config.eos_token_id
    for token_id in [tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])]:
        if token_id is not None:
            yield int(token_id)


def _base_folder(configuration: EngineConfiguration) -> Path:
    if configuration.base is not None:
        return Path(configuration.base)
    from model.base_model import prepare_base_model

    cache = None if configuration.cache is None else Path(configuration.cache)
    return prepare_base_model(cache)
