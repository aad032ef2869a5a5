"""Which runs are made: products of bases and recipes, and reasons where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from model.comparing.cells import default_recipes, known_strategies, plan_cells
from model.errors import CorpusUnreadableError
from model.training import Recipe

if TYPE_CHECKING:
    from pathlib import Path


def recipe(**told: object) -> Recipe:
    whole = {"name": "own", "steps": 1, "tokens_per_batch": 100, "learning_rate": 0.001} | told
    return Recipe.model_validate(whole)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_every_strategy_that_a_recipe_can_name_has_a_rate() -> None:
    made = default_recipes(known_strategies(), steps=7, threads=2)

    assert [one.strategy.kind for one in made] == [one.name for one in made]
    assert {one.name for one in made} == {
        *("lora", "qlora", "ia3", "prompt", "p_tuning", "prefix", "freeze", "full")
    }
    assert {(one.steps, one.dev_every, one.threads) for one in made} == {(7, 7, 2)}


def test_a_strategy_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CorpusUnreadableError, match="unknown_strategy"):
        default_recipes(["lora", "magic"], steps=1, threads=1)


def test_every_recipe_is_run_on_every_base_and_the_base_alone_once(base: Path) -> None:
    cells = plan_cells([recipe(name="a"), recipe(name="b")], [str(base)])

    assert [cell.name for cell in cells] == ["small untrained", "small a", "small b"]
    assert {cell.folder for cell in cells} == {base}


def test_a_base_that_is_missing_or_runs_code_of_its_own_keeps_its_row(base: Path) -> None:
    gone = base.with_name("gone")
    (base / "config.json").write_text('{"auto_map": {"AutoModel": "their.Code"}}')

    cells = plan_cells([recipe()], [str(base), str(gone)])

    assert [(cell.name, cell.folder) for cell in cells] == [("small own", None), ("gone own", None)]
    assert "auto_map" in (cells[0].why_not or "")
    assert cells[1].why_not == "folder_missing"


def test_a_recipe_is_run_on_its_own_base_where_none_is_given() -> None:
    remote = recipe(name="a", base={"name": "org/chat", "needs_remote_code": True})
    elsewhere = recipe(name="b", base={"name": "org/big"})

    first, second = plan_cells([remote, elsewhere], None)

    assert (first.base, first.folder) == ("org/chat", None)
    assert "code of its own" in (first.why_not or "")
    assert "--base" in (second.why_not or "")


def test_two_runs_of_one_name_are_refused(base: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="two_runs_of_one_name"):
        plan_cells([recipe(), recipe(seed=1)], [str(base)])
