"""A recipe is a file or a shipped name; what is wrong with it is told with file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli_recipes import DRAFTING, TRAINING, names_of, read_recipe, read_training_recipe
from daemon.errors import ConfigurationError
from model.training import load_recipe

RECIPE = "name: mine\nsteps: 2\ntokens_per_batch: 900\nlearning_rate: 0.01\n"


def refused(told: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read_training_recipe(told)
    return caught.value


def test_without_one_it_is_the_demo_adapters_and_a_name_is_that_of_a_shipped_one() -> None:
    assert read_training_recipe(None) == read_training_recipe(Path("demo"))
    assert read_training_recipe(Path("llama3-8b-qlora")).strategy.kind == "qlora"


def test_each_shipped_name_is_listed() -> None:
    assert names_of(DRAFTING) == "openi, openi-no-model"
    assert "demo" in names_of(TRAINING).split(", ")


def test_a_file_goes_before_the_shipped_one_of_its_name_and_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()

    assert read_training_recipe(Path("demo")).name == "demo"
    Path("demo").rmdir()
    Path("demo").write_text(RECIPE)
    assert read_training_recipe(Path("demo")).name == "mine"


def test_a_folder_is_no_recipe() -> None:
    assert refused(Path("..")).reason.startswith("cannot_read_file")


@pytest.mark.parametrize("told", ["openii", "no/such.yaml"])
def test_one_that_is_not_there_is_refused_with_the_shipped_names(told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_recipe(Path(told), DRAFTING, load_recipe)

    assert caught.value.reason == "no_such_recipe (shipped: openi, openi-no-model)"
    assert caught.value.where == told


@pytest.mark.parametrize(
    ("content", "reason", "where"),
    [
        (b"\xff", "cannot_read_file (UnicodeDecodeError)", ""),
        (b"a: [", "not_yaml", ""),
        (RECIPE.replace("steps: 2", "steps: 0").encode(), "Input should be greater", ": steps"),
        (b"- a list", "Input should be", ""),
    ],
)
def test_what_is_wrong_is_told_with_file_and_field(
    content: bytes, reason: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)

    error = refused(path)

    assert error.reason.startswith(reason)
    assert error.where == f"{path}{where}"
