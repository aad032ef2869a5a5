"""A recipe is checked before a run that takes half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import model.training
from model.training import load_recipe

RECIPES = Path(model.training.__file__).parent / "recipes"
GOOD = "name: x\nsteps: 2\ntokens_per_batch: 100\nlearning_rate: 1.0e-3\n"


def load(text: str, folder: Path) -> object:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return load_recipe(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_used(path: Path) -> None:
    recipe = load_recipe(path)

    assert recipe.name == path.stem
    assert recipe.steps is None or recipe.steps > recipe.warmup_steps


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("steps: 0", "steps"),
        ("learning_rate: 5", "learning_rate"),
        ("seed: many", "seed"),
        ("dtype: float16", "dtype"),
        ("stepz: 3", "stepz"),
    ],
)
def test_a_wrong_field_is_named(wrong: str, field: str, tmp_path: Path) -> None:
    kept = "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{field}:"))

    with pytest.raises(ValidationError) as caught:
        load(f"{kept}\n{wrong}\n", tmp_path)

    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        load("- steps\n", tmp_path)
