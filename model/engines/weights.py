"""What a folder of weights must be before it is loaded, and how it is named in a draft's identity.

Pickled weights are never read: unpickling runs code.
"""

from __future__ import annotations

import hashlib
import json
from math import prod
from pathlib import Path

from pydantic import ValidationError

from model.errors import EngineUnavailableError
from model.prompt import DEFAULT_PLAN, PromptPlan

CARD = "card.json"


def require_safetensors(folder: Path, where: str) -> None:
    """Refuse a folder that is no base model in safetensors form.

    Raises:
        EngineUnavailableError: ``folder_missing`` or ``weights_missing``.
    """
    if not folder.is_dir():
        raise EngineUnavailableError("folder_missing", where)
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise EngineUnavailableError("weights_missing", where)


def require_plain_lora(folder: Path, where: str) -> None:
    """Refuse an adapter that cannot run beside others in one batch.

    DoRA and adapters that replace whole modules cannot; nor can other kinds than LoRA.

    Raises:
        EngineUnavailableError: ``adapter_missing`` or ``adapter_not_plain_lora``.
    """
    if not (folder / "adapter_model.safetensors").is_file():
        raise EngineUnavailableError("adapter_missing", where)
    settings = _read_json(folder / "adapter_config.json")
    is_plain = settings.get("peft_type") == "LORA" and not (
        settings.get("use_dora") or settings.get("modules_to_save")
    )
    if not is_plain:
        raise EngineUnavailableError("adapter_not_plain_lora", where)


def digest_of(folder: Path) -> str:
    """Return sha256 over the names and contents of a folder's weights and settings."""
    digest = hashlib.sha256()
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*config.json")])
    for path in files:
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def count_parameters(folder: Path) -> int:
    """Count the numbers of a base by the headers of its weights; tied ones stand there once."""
    from safetensors import safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no dict
    return total


def is_marked_demo(folder: Path) -> bool:
    """Whether the folder's card says that the weights are for show."""
    return _read_json(folder / CARD).get("is_demo") is True


def taught_plan(folder: Path, where: str) -> PromptPlan:
    """Return how an adapter was taught to be asked, by its card; the default where it says nothing.

    Raises:
        EngineUnavailableError: ``prompt_plan_unknown``: the card is of another version of prelim.
    """
    recipe = _read_json(folder / CARD).get("recipe")
    told = recipe.get("prompt") if isinstance(recipe, dict) else None
    if told is None:
        return DEFAULT_PLAN
    try:
        return PromptPlan.model_validate(told)
    except ValidationError:
        raise EngineUnavailableError("prompt_plan_unknown", where) from None


def has_bfloat16() -> bool:
    """Whether this CPU multiplies in bfloat16; others only imitate it, slowly."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
