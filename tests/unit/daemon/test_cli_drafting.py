"""A drafting recipe is read with a word about what is wrong, and its costs are told."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")
pytest.importorskip("rouge_score")

from daemon.cli_drafting import notes_of, read_drafting_recipe
from daemon.errors import ConfigurationError
from model.costs import Cost
from model.drafting.by_recipe import Drafted
from model.errors import EngineUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_wrong_field_is_told_by_its_path(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: mine\nclasses: {invented_max: 2}\n")

    with pytest.raises(ConfigurationError) as caught:
        read_drafting_recipe(recipe)

    assert caught.value.where == f"{recipe}: classes.invented_max"


def test_a_recipe_whose_libraries_are_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: mine\nclasses: {}\n")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(EngineUnavailableError, match="sklearn"):
        read_drafting_recipe(recipe)


def test_each_part_tells_its_cost_and_the_classifier_its_trade() -> None:
    drafted = Drafted(costs={"writing": Cost(2.0, 1.5)}, curve=((0.5, 0.08, 0.25),))

    assert notes_of(drafted) == [
        "writing: 2.0 s, 1.5 s of CPU time",
        "classifier, cross-validated on training, above 0.500: invented 8.0 %, missed 25.0 %",
    ]
