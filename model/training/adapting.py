"""Load a base and make ready on it what a strategy trains.

Only safetensors are read, no code of a model folder is run, nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import peft
import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from model.engines.quiet_peft import quiet_peft
from model.engines.weights import require_safetensors
from model.errors import EngineUnavailableError, RecipeRefusedError
from model.training.lanes import language_model
from model.training.strategies import (
    FreezeStrategy,
    FullStrategy,
    Ia3Strategy,
    LoraStrategy,
    PrefixStrategy,
    PromptStrategy,
    PTuningStrategy,
    QloraStrategy,
)

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.recipe import Recipe
    from model.training.strategies import Strategy

LOAD_ERRORS = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)
HEAD_SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Settings of bases that change what the output head says; the loss takes the head as it is."""


def load_for_training(base: Path, recipe: Recipe) -> tuple[Any, Any]:
    """Load base and tokenizer and put on what shall be trained.

    Args:
        base: Folder with weights and tokenizer.
        recipe: Gives seed, strategy, dtype, device and threads.

    Returns:
        The model, frozen but for what the strategy trains, and its tokenizer.

    Raises:
        EngineUnavailableError: Weights, device or a library is missing.
        RecipeRefusedError: The strategy does not fit this base.
    """
    device = choose_device(recipe.device)
    _make_repeatable(recipe, device)
    model, tokenizer = load_base(
        base,
        dtype=getattr(torch, recipe.dtype),
        device=device,
        is_4_bit=isinstance(recipe.strategy, QloraStrategy),
    )
    if any(getattr(model.config, name, None) not in (None, 1, 1.0) for name in HEAD_SCALES):
        raise RecipeRefusedError("base_with_scaled_output_head", "base")
    model.requires_grad_(requires_grad=False)
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    model = _adapted(model, tokenizer, recipe.strategy)
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.float()
    return model.to(device), tokenizer


def choose_device(name: str) -> torch.device:
    """Return the device of a recipe; ``auto`` is a GPU where there is one.

    Raises:
        EngineUnavailableError: ``device_missing``.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):  # torch without CUDA asserts
        raise EngineUnavailableError("device_missing", "device") from None


def load_base(
    folder: Path, *, dtype: torch.dtype, device: torch.device, is_4_bit: bool = False
) -> tuple[Any, Any]:
    """Load a base model and its tokenizer.

    Raises:
        EngineUnavailableError: The folder does not hold what it should, or bitsandbytes is missing.
    """
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    require_safetensors(folder, "base")
    place = {"local_files_only": True, "trust_remote_code": False}
    quantised = _in_4_bits(dtype, device) if is_4_bit else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **place)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            attn_implementation="sdpa",  # takes masks of true and false, as lanes.py makes them
            **place,
            **quantised,
        )
    except LOAD_ERRORS:
        raise EngineUnavailableError("weights_unreadable", "base") from None
    return (model if is_4_bit else model.to(device)), tokenizer


def _in_4_bits(dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise EngineUnavailableError(
            "bitsandbytes not installed: install prelim[qlora]", "strategy"
        )
    settings = transformers.BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": settings, "device_map": {"": device}}


def _make_repeatable(recipe: Recipe, device: torch.device) -> None:
    if device.type == "cuda":
        # cuBLAS asks for it where sums shall be repeatable; read when CUDA is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(recipe.seed)


def _adapted(model: Any, tokenizer: Any, strategy: Strategy) -> Any:
    if isinstance(strategy, FullStrategy):
        return model.requires_grad_(requires_grad=True)
    if isinstance(strategy, FreezeStrategy):
        for layer in _layers(model)[-strategy.upper_layers :]:
            layer.requires_grad_(requires_grad=True)
        return model
    try:
        with quiet_peft():
            adapted: Any = peft.get_peft_model(model, _settings(model, strategy))
    except ValueError:
        # PEFT found none of the layers it was told to adapt.
        raise RecipeRefusedError("modules_not_in_base", "strategy.modules") from None
    if isinstance(strategy, PromptStrategy) and strategy.first_words:
        _begin_with(adapted, tokenizer, strategy.first_words)
    return adapted


def _settings(model: Any, strategy: Strategy) -> Any:
    """Return PEFT's own settings."""
    task = peft.TaskType.CAUSAL_LM
    match strategy:
        case LoraStrategy() | QloraStrategy():
            depth = len(_layers(model))
            first = 0 if strategy.upper_layers is None else max(0, depth - strategy.upper_layers)
            return peft.LoraConfig(
                r=strategy.rank,
                lora_alpha=strategy.alpha,
                lora_dropout=strategy.dropout,
                target_modules=list(strategy.modules) or linear_layers(model),
                layers_to_transform=list(range(first, depth)),
                layers_pattern="layers",
                task_type=task,
            )
        case Ia3Strategy():
            return peft.IA3Config(
                target_modules=list(strategy.modules),
                feedforward_modules=list(strategy.feedforward_modules),
                task_type=task,
            )
        case PromptStrategy():
            return peft.PromptTuningConfig(
                num_virtual_tokens=strategy.virtual_tokens, task_type=task
            )
        case PTuningStrategy():
            return peft.PromptEncoderConfig(
                num_virtual_tokens=strategy.virtual_tokens,
                encoder_reparameterization_type=strategy.encoder.upper(),
                encoder_hidden_size=strategy.hidden_size,
                task_type=task,
            )
        case PrefixStrategy():
            return peft.PrefixTuningConfig(
                num_virtual_tokens=strategy.virtual_tokens,
                prefix_projection=strategy.hidden_size is not None,
                encoder_hidden_size=strategy.hidden_size or 0,
                task_type=task,
            )
    raise AssertionError(strategy)


def linear_layers(model: Any) -> list[str]:
    """Return the names of the linear layers of a base's blocks, without the output head."""
    blocks = language_model(model).base_model
    return sorted(
        {
            name.rpartition(".")[2]
            for name, module in blocks.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
    )


def _layers(model: Any) -> Any:
    depth = model.config.num_hidden_layers
    for module in model.base_model.children():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise RecipeRefusedError("base_without_layers", "base")


def _begin_with(model: Any, tokenizer: Any, words: str) -> None:
    """Let virtual tokens begin as words, repeated to fill."""
    vectors = model.prompt_encoder["default"].embedding.weight
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    filled = (ids * -(-len(vectors) // len(ids)))[: len(vectors)]
    embedding = language_model(model).get_input_embeddings()
    with torch.no_grad():
        told = embedding(torch.tensor(filled, device=embedding.weight.device))
        vectors.copy_(told.to(vectors))
