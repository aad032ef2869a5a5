"""A run's state in one file, so that a run that was cut off ends with the bytes it would have had.

Tensors in safetensors form (nothing is unpickled), the position as JSON in the file's metadata. The
file is made beside its place and moved there: one that is there is whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.errors import RecipeRefusedError
from model.training.loop import Position
from model.training.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.loop import Trainer

FOLDER = "checkpoint"
NAME = "state.safetensors"


def save_checkpoint(trainer: Trainer, out: Path, run: dict[str, Any]) -> None:
    """Save weights, optimiser, chance and position.

    Args:
        trainer: Between two steps.
        out: The run's folder.
        run: What makes this run this run (``Recipe.as_run``, digests of data and base).
    """
    tensors = {f"weights.{name}": value.detach() for name, value in trainer.trained.items()}
    for place, state in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{place}.{name}": value for name, value in state.items()}
    tensors["chance.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["chance.cuda"] = torch.cuda.get_rng_state()
    told = {"position": trainer.position.as_dict(), "run": run}
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{NAME}.part"
    whole = {name: value.contiguous() for name, value in tensors.items()}
    save_file(whole, beside, metadata={"state": json.dumps(told)})
    beside.replace(folder / NAME)


def restore_checkpoint(trainer: Trainer, out: Path, run: dict[str, Any]) -> bool:
    """Go back to where a run was cut off; return whether there was a checkpoint.

    Raises:
        RecipeRefusedError: ``checkpoint_of_another_run`` or ``checkpoint_unreadable``.
    """
    path = out / FOLDER / NAME
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        # Read as a recipe: one of before a field came, or with workers in it, is the same run.
        made = told["run"] | {"recipe": Recipe.model_validate(told["run"]["recipe"]).as_run()}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        raise RecipeRefusedError("checkpoint_unreadable", str(path)) from None
    if made != json.loads(json.dumps(run)):
        raise RecipeRefusedError("checkpoint_of_another_run", str(path))
    trainer.position = Position.from_dict(told["position"])
    with torch.no_grad():
        for name, weights in trainer.trained.items():
            weights.copy_(tensors[f"weights.{name}"])
    _restore_optimiser(trainer.optimiser, tensors)
    torch.set_rng_state(tensors["chance.cpu"])
    if "chance.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["chance.cuda"])
    return True


def remove_checkpoint(out: Path) -> None:
    """Remove what a whole run needs no more."""
    folder = out / FOLDER
    for name in (NAME, f"{NAME}.part"):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir():
        folder.rmdir()


def _restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        area, _, rest = name.partition(".")
        if area == "optimiser":
            place, _, part = rest.partition(".")
            state.setdefault(int(place), {})[part] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
