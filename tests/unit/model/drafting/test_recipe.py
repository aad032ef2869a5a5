"""Recipes are checked as they are read, and those that are shipped can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import model.drafting
from model.drafting.recipe import DraftingRecipe, load_drafting_recipe

SHIPPED = sorted((Path(model.drafting.__file__).parent / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_named_as_its_file(path: Path) -> None:
    assert load_drafting_recipe(path).name == path.stem


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="samples"):
        DraftingRecipe.model_validate({"name": "mine", "samples": 3})
