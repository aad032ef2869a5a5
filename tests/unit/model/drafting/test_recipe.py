"""Recipes are checked as they are read; those that are shipped can be read, trained and drafted by.

Each is run with a tiny base; nothing is cut but the length of its training and of its drafts.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

import model.drafting
from model.drafting.by_recipe import Means, draft_by_recipe
from model.drafting.recipe import DraftingRecipe, load_drafting_recipe
from tests.unit.model.drafting_samples import ALL_CLEAR, make_reports
from tests.unit.model.marks import WITH_TORCH

SHIPPED = sorted((Path(model.drafting.__file__).parent / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_named_as_its_file(path: Path) -> None:
    assert load_drafting_recipe(path).name == path.stem


def shortened(recipe: DraftingRecipe) -> DraftingRecipe:
    """Cut the training of a recipe's adapter to two steps."""
    if recipe.adapter is None:
        return recipe
    training = recipe.adapter.training.model_copy(update={"steps": 2, "dev_every": 1})
    adapter = recipe.adapter.model_copy(update={"training": training})
    return recipe.model_copy(update={"adapter": adapter})


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=WITH_TORCH, id=path.stem) for path in SHIPPED]
)
def test_every_shipped_recipe_trains_what_it_needs_and_drafts(
    path: Path,
    tiny_base: Path,
    torch_as_it_was: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for library in ("torch", "sklearn", "rouge_score"):
        pytest.importorskip(library)
    monkeypatch.setattr("model.prompt.OUTPUT_TOKENS_MAX", 6)
    recipe, asked = shortened(load_drafting_recipe(path)), make_reports("q", 1)
    steps: list[int] = []
    drafted_by_adapter: list[int] = []
    means = Means(
        base=tiny_base,
        cache=tmp_path,
        report=lambda step, *_: steps.append(step),
        advance=drafted_by_adapter.append,
    )

    drafted = draft_by_recipe(recipe, asked, make_reports("t", 6), means)

    drafts = drafted.drafts[recipe.name]
    assert [text == ALL_CLEAR for text in drafts] == [True, False] * 3
    assert all(drafts)
    cards = [json.loads(card.read_text()) for card in tmp_path.glob("*/card.json")]
    if recipe.adapter is None:
        assert (steps, drafted_by_adapter, cards) == ([], [], [])
    else:
        assert (steps, sum(drafted_by_adapter)) == ([1, 2], 3)
        assert [card["recipe"] for card in cards] == [
            recipe.adapter.training.model_dump(mode="json")
        ]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="samples"):
        DraftingRecipe.model_validate({"name": "mine", "samples": 3})
