"""An adapter to go on from, in place of the first weights that chance draws.

So a site's own adapter begins as the general one, or a run makes a further pass over new reports.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from model.errors import EngineUnavailableError, RecipeRefusedError
from model.training.saving import ADAPTER, SETTINGS, plain_settings

if TYPE_CHECKING:
    from pathlib import Path

    from model.training.recipe import Recipe

OPTION = "--from"
TOLD_BY_SETTINGS = ("peft_type", "lora_alpha", "use_rslora", "feedforward_modules")
"""What the shapes of the weights do not tell, and what makes of them another adapter."""


def require_other_folder(adapter: Path, out: Path) -> None:
    """Refuse to write over the adapter that a run begins with: it could not be taken up again.

    Raises:
        RecipeRefusedError: The adapter lies in the run's folder.
    """
    if adapter.resolve().is_relative_to(out.resolve()):
        raise RecipeRefusedError("lies in --out: choose another folder for what is made", OPTION)


def begin_with(model: Any, adapter: Path, recipe: Recipe) -> None:
    """Put an adapter's weights on a model made ready by ``load_for_training``.

    Raises:
        EngineUnavailableError: The folder holds no adapter that can be read.
        RecipeRefusedError: It was trained by another strategy than the recipe's, or by one whose
            adapter does not hold all that was trained.
    """
    if recipe.strategy.is_base:
        raise RecipeRefusedError("this strategy trains the base itself: give it as --base", OPTION)
    try:
        settings = json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))
        told = {name: settings.get(name) for name in TOLD_BY_SETTINGS}
        weights = load_file(adapter / ADAPTER)
    except (OSError, ValueError, AttributeError, SafetensorError):
        raise EngineUnavailableError("adapter_unreadable", str(adapter)) from None
    own = plain_settings(model.peft_config["default"])
    if told != {name: own.get(name) for name in TOLD_BY_SETTINGS}:
        raise RecipeRefusedError("the adapter is of another strategy than the recipe's", OPTION)
    expected = get_peft_model_state_dict(model, save_embedding_layers=False)
    if _shapes(weights) != _shapes(expected):
        raise RecipeRefusedError("the adapter has other layers or ranks than the recipe's", OPTION)
    if not _is_taken(model, weights):
        # An encoder of virtual tokens is left out of the folder, which holds what it last gave.
        raise RecipeRefusedError("the adapter does not hold all that the strategy trains", OPTION)


def _is_taken(model: Any, weights: dict[str, Any]) -> bool:
    """Put weights on a model; return whether it gives them back."""
    try:
        set_peft_model_state_dict(model, weights)
    except RuntimeError:  # another shape than the one it would be saved in
        return False
    taken = get_peft_model_state_dict(model, save_embedding_layers=False)
    return all((taken[name] == value.to(taken[name])).all() for name, value in weights.items())


def _shapes(weights: dict[str, Any]) -> dict[str, Any]:
    return {name: value.shape for name, value in weights.items()}
