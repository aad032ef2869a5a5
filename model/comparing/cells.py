"""Which runs a comparison makes: bases times strategies, each a cell, or the reason why it is none.

A base that would need code of its own is never run, and one whose weights are not here is not
fetched: both stay in the table, so that nobody takes a short table for a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from model.base_model import NAME as DEMO_BASE
from model.base_model import prepare_base_model
from model.engines.weights import has_bfloat16, require_safetensors
from model.errors import CorpusUnreadableError, EngineUnavailableError, RecipeRefusedError
from model.training import Recipe
from model.training.run import find_base

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTRAINED = "untrained"
STEPS = 200
"""Of a run that says nothing of its own."""
RATES = Path(__file__).parent / "strategies.yaml"


@dataclass(frozen=True, slots=True)
class Cell:
    """A base with what is trained on it; ``recipe`` None asks the base as it is.

    ``why_not`` is set where it cannot be run; ``folder`` else.
    """

    base: str
    recipe: Recipe | None
    folder: Path | None = None
    why_not: str | None = None

    @property
    def name(self) -> str:
        """Name the cell's row, and its folder but for the slashes."""
        return f"{self.base} {self.recipe.name if self.recipe else UNTRAINED}"


def default_recipes(strategies: Sequence[str], *, steps: int, threads: int) -> list[Recipe]:
    """Make a recipe of each strategy, by the rates of strategies.yaml.

    Args:
        strategies: Kinds, such as ``lora``.
        steps: Of each.
        threads: CPU threads.

    Raises:
        CorpusUnreadableError: ``unknown_strategy``.
    """
    told = _table()
    if unknown := [kind for kind in strategies if kind not in told["learning_rate"]]:
        raise CorpusUnreadableError(f"unknown_strategy ({', '.join(unknown)})", "--strategies")
    return [
        Recipe.model_validate(
            {
                **told["every"],
                "name": kind,
                "strategy": {"kind": kind},
                "learning_rate": told["learning_rate"][kind],
                "steps": steps,
                "dev_every": steps,
                "threads": threads,
                "dtype": "bfloat16" if has_bfloat16() else "float32",
            }
        )
        for kind in strategies
    ]


def known_strategies() -> tuple[str, ...]:
    """Return the kinds that have a rate."""
    return tuple(_table()["learning_rate"])


def plan_cells(recipes: Sequence[Recipe], bases: Sequence[str] | None) -> list[Cell]:
    """Lay out the cells, each base's untrained one first.

    Args:
        recipes: One or more, of different names.
        bases: Folders, or the demo base's name; every recipe is run on each. None takes each
            recipe's own base.

    Raises:
        CorpusUnreadableError: Two cells would have one name.
    """
    if bases is None:
        trained = [_on_its_own_base(recipe) for recipe in recipes]
    else:
        trained = [_on_base(base, recipe) for base in bases for recipe in recipes]
    cells: list[Cell] = []
    for cell in trained:
        untrained = replace(cell, recipe=None)
        if cell.why_not is None and untrained not in cells:
            cells.append(untrained)
        cells.append(cell)
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise CorpusUnreadableError("two_runs_of_one_name", "--recipes")
    return cells


def _on_its_own_base(recipe: Recipe) -> Cell:
    try:
        folder = find_base(recipe, None)
    except (EngineUnavailableError, RecipeRefusedError) as error:
        return Cell(recipe.base.name, recipe, why_not=error.reason)
    return Cell(folder.name, recipe, folder)


def _on_base(base: str, recipe: Recipe) -> Cell:
    try:
        folder = find_base(recipe, prepare_base_model() if base == DEMO_BASE else Path(base))
        require_safetensors(folder, "--bases")
    except (EngineUnavailableError, RecipeRefusedError) as error:
        return Cell(Path(base).name, recipe, why_not=error.reason)
    return Cell(folder.name, recipe, folder)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(RATES.read_text(encoding="utf-8"))
    return table
