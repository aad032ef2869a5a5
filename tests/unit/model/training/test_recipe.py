"""A recipe is checked before a run that takes half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import model.training
from model.base_model import NAME as DEMO_BASE
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

    # The name is the adapter's: one that is gone on from keeps it.
    assert recipe.name == path.stem.removesuffix("-further")
    assert recipe.steps is None or recipe.steps > recipe.warmup_steps


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("steps: 0", "steps"),
        ("learning_rate: 5", "learning_rate"),
        ("seed: many", "seed"),
        ("seed: -1", "seed"),
        ("seed: 9223372036854775808", "seed"),
        ("steps: 99999999999999999999", "steps"),
        ('name: ""', "name"),
        ("dtype: float16", "dtype"),
        ("stepz: 3", "stepz"),
    ],
)
def test_a_wrong_field_is_named(wrong: str, field: str, tmp_path: Path) -> None:
    kept = "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{field}:"))

    with pytest.raises(ValidationError) as caught:
        load(f"{kept}\n{wrong}\n", tmp_path)

    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("epochs: 3", "steps or epochs"),
        ("strategy: {kind: prefix}\ngradient_checkpointing: true", "prefix tuning cannot"),
        ("workers: 2", "workers need device: cpu"),
        ("device: cpu\nworkers: 2", "workers need as many batches a step: accumulation"),
        ("device: cpu\nworkers: 4\naccumulation: 3", "as many batches a step"),
        ("device: cpu\nworkers: 2\nstrategy: {kind: lora, dropout: 0.1}", "without dropout"),
        ("strategy: {kind: dora}", "does not match any of the expected tags"),
        ("strategy: {kind: freeze, rank: 4}", "Extra inputs"),
    ],
)
def test_what_does_not_go_together_is_refused(line: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=said):
        load(f"{GOOD}{line}\n", tmp_path)


def test_a_step_may_have_as_many_workers_as_batches(tmp_path: Path) -> None:
    load(f"{GOOD}device: cpu\nworkers: 3\naccumulation: 3\n", tmp_path)


def test_a_run_is_all_of_its_recipe_but_the_workers() -> None:
    recipe = load_recipe(RECIPES / "demo.yaml")
    told = recipe.model_dump(mode="json")
    quicker = recipe.model_copy(update={"workers": told["workers"] + 1})

    assert recipe.as_run() == quicker.as_run()
    assert told == recipe.as_run() | {"workers": told["workers"]}
    assert recipe.model_copy(update={"threads": 7}).as_run() != recipe.as_run()


def test_a_shipped_recipe_for_another_base_says_whose_licence_must_be_accepted() -> None:
    recipes = [load_recipe(path) for path in sorted(RECIPES.glob("*.yaml"))]
    others = [recipe for recipe in recipes if recipe.base.name != DEMO_BASE]

    assert {one.base.name for one in others} == {
        "Baichuan2-13B-Chat",
        "ChatGLM-6B",
        "Meta-Llama-3-8B-Instruct",
    }
    assert all("icen" in one.base.note and "accepted" in one.base.note for one in others)
    native = {one.name for one in recipes if not one.base.needs_remote_code}
    assert native == {"chatradio-single-site", "demo", "llama3-8b-qlora", "mira-site-modality"}


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        load("- steps\n", tmp_path)
