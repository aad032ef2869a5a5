"""What a run leaves: an adapter's folder as PEFT reads it, or a whole base model's.

The folder names its base by name and never by a path. Weights are saved in a type that loses
nothing that counts: LoRA's matrices and a whole base in bfloat16 lose as little as they do at work;
factors and virtual tokens, few and close to each other, stay in float32.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftType, get_peft_model_state_dict
from safetensors.torch import save_file

from model.errors import RecipeRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.recipe import Recipe

ADAPTER = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"
BASE_SETTINGS = "config.json"
CURVE = "curve.json"


def require_own_folder(out: Path, base: Path, *, is_base: bool) -> None:
    """Refuse a folder whose weights a run would overwrite or stand beside.

    Args:
        out: The run's folder.
        base: What it trains on.
        is_base: Whether the run makes a whole base.

    Raises:
        RecipeRefusedError: It is the base itself, a base that no run made, or another kind's.
    """
    if out.resolve() == base.resolve():
        raise RecipeRefusedError("this is the base itself: choose another folder", "out")
    is_anyones = (out / BASE_SETTINGS).exists() and not (out / CURVE).exists()
    if is_anyones or (out / (SETTINGS if is_base else BASE_SETTINGS)).exists():
        raise RecipeRefusedError("holds weights of another kind: choose another folder", "out")


def save_trained(model: Any, tokenizer: Any, out: Path, *, base_name: str, recipe: Recipe) -> None:
    """Save what was trained; ``freeze`` and ``full`` make a whole base folder of it."""
    out.mkdir(parents=True, exist_ok=True)
    if recipe.strategy.is_base:
        _save_base(model, tokenizer, out, getattr(torch, recipe.dtype))
    else:
        _save_adapter(model, out, base_name)


def digest_of_weights(out: Path) -> str:
    """Return sha256 of the weights, file after file."""
    digest = hashlib.sha256()
    for path in sorted(out.glob("*.safetensors")):
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _save_adapter(model: Any, out: Path, base_name: str) -> None:
    settings = model.peft_config["default"]
    dtype = torch.bfloat16 if settings.peft_type == PeftType.LORA else torch.float32
    weights = {
        name: value.detach().to(dtype).contiguous()
        for name, value in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    save_file(weights, out / ADAPTER, metadata={"format": "pt"})
    told = plain_settings(settings)
    told |= {"base_model_name_or_path": base_name, "inference_mode": True}
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    (out / SETTINGS).write_text(text, encoding="utf-8")


def _save_base(model: Any, tokenizer: Any, out: Path, dtype: torch.dtype) -> None:
    saved: dict[int, torch.Tensor] = {}
    weights: dict[str, torch.Tensor] = {}
    for name, value in model.state_dict().items():
        # Tied weights stay one tensor: the library saves it once.
        weights[name] = saved.setdefault(value.data_ptr(), value.to(dtype))
    model.save_pretrained(out, state_dict=weights)
    tokenizer.save_pretrained(out)


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return PEFT's settings as JSON holds them."""
    told: dict[str, Any] = json.loads(json.dumps(settings.to_dict(), default=_plain))
    return told


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
