"""One training run, from a recipe and a corpus to an adapter folder with its card.

The adapter is saved at every look at the dev rows, so that a run that is cut off leaves the last.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from model.base_model import prepare_base_model
from model.engines.weights import digest_of
from model.prompt import TEMPLATE_VERSION
from model.synth import read_rows
from model.tokenising import PromptTokeniser
from model.training.card import write_card
from model.training.loop import load_for_training, run_steps
from model.training.rows import training_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.training.recipe import Recipe
    from model.training.rows import TrainingRow

LIBRARIES = ("torch", "transformers", "peft")


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made. ``dev_losses``: step and mean loss in nats a token."""

    folder: Path
    dev_losses: dict[int, float]
    rows: int


def run_training(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    base: Path | None = None,
    report: Callable[[int, float, float | None], None] = lambda *_: None,
) -> Trained:
    """Fine-tune an adapter.

    Args:
        recipe: The numbers.
        data: Folder with train.jsonl, dev.jsonl and corpus.json.
        out: Folder for the adapter and its card; made when missing.
        base: Folder of the base model; None for the demo base.
        report: Called after each step with step, loss and, when it was taken, dev loss.

    Returns:
        Where the adapter is, and its losses on the dev rows.

    Raises:
        EngineUnavailableError: The base model is not there.
    """
    folder = base or prepare_base_model()
    model, tokenizer = load_for_training(folder, recipe)
    rows = _rows(data / "train.jsonl", tokenizer)
    dev_rows = _rows(data / "dev.jsonl", tokenizer)
    out.mkdir(parents=True, exist_ok=True)

    def report_and_save(step: int, loss: float, dev_loss: float | None) -> None:
        if dev_loss is not None:
            save_adapter(model, out, base_name=folder.name)
        report(step, loss, dev_loss)

    dev_losses = run_steps(model, rows, dev_rows, recipe, report_and_save)
    write_card(
        out,
        {
            "name": recipe.name,
            "is_demo": recipe.is_demo,
            "base": {"name": folder.name, "sha256": digest_of(folder)},
            "data": json.loads((data / "corpus.json").read_text(encoding="utf-8")),
            "recipe": recipe.model_dump(),
            "prompt_template": TEMPLATE_VERSION,
            "dev_loss_nats_per_token": dev_losses,
            "adapter_sha256": _sha256(out / "adapter_model.safetensors"),
            "versions": {name: version(name) for name in LIBRARIES},
        },
    )
    return Trained(out, dev_losses, len(rows))


def save_adapter(model: Any, out: Path, *, base_name: str) -> None:
    """Save the adapter in bfloat16, naming its base by name and never by a path."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = {
        name: value.detach().to(torch.bfloat16).contiguous()
        for name, value in get_peft_model_state_dict(model).items()
    }
    save_file(weights, out / "adapter_model.safetensors", metadata={"format": "pt"})
    settings = json.loads(json.dumps(model.peft_config["default"].to_dict(), default=_plain))
    settings |= {"base_model_name_or_path": base_name, "inference_mode": True}
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    (out / "adapter_config.json").write_text(text, encoding="utf-8")


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _rows(path: Path, tokenizer: Any) -> list[TrainingRow]:
    tokeniser = PromptTokeniser(tokenizer)
    return [training_row(row, tokeniser, tokenizer.eos_token_id) for row in read_rows(path)]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
