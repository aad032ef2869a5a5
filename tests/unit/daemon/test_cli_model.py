"""synth and train as they are called, and evaluate after them: what is written and refused."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.errors import ConfigurationError
from mappings.errors import PrelimError
from model.errors import EngineUnavailableError, RecipeRefusedError
from tests.unit.model.tiny_base import make_corpus, make_tiny_base

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RECIPE = "name: tiny\nsteps: 2\ntokens_per_batch: 900\nlearning_rate: 0.01\nwarmup_steps: 1\n"


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> PrelimError:
    with pytest.raises(PrelimError) as caught:
        call(*arguments)
    return caught.value


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_synth_writes_a_corpus_and_prints_its_digests(tmp_path: Path) -> None:
    options = ("--seed", 5, "--train", 3, "--dev", 1, "--test", 2)

    printed = json.loads(call("synth", "--out", tmp_path / "a", *options, "--json").stdout)
    lines = call("synth", "--out", tmp_path / "b", *options).stdout.splitlines()

    assert printed["sha256"] == json.loads((tmp_path / "a" / "corpus.json").read_text())["sha256"]
    assert [line.split()[-1] for line in lines] == list(printed["sha256"].values())


def test_synth_writes_in_the_languages_asked_for_and_refuses_others(tmp_path: Path) -> None:
    options = ("--out", tmp_path, "--train", 14, "--dev", 0, "--test", 0)

    call("synth", *options, "--languages", "en,de")

    rows = map(json.loads, (tmp_path / "train.jsonl").read_text().splitlines())
    assert [row["language"] for row in rows] == ["en"] * 7 + ["de"] * 7
    assert refused("synth", *options, "--languages", "en,xx").where == "--languages"


def test_synth_lists_what_it_can_invent_and_else_needs_a_folder() -> None:
    listed = call("synth", "--list").stdout.splitlines()
    counted = json.loads(call("synth", "--list", "--json").stdout)

    assert [line.split()[1] for line in listed[2:]] == ["en", "de", "es", "fr", "ro", "zh"]
    assert {"language": "de", "region": "chest"}.items() <= counted[7].items()
    assert refused("synth").where == "--out"


@pytest.mark.parametrize(
    ("line", "where"),
    [("steps: 0", "steps"), ("stepz: 3", "stepz"), ("learning_rate: fast", "learning_rate")],
)
def test_a_wrong_recipe_is_refused_with_the_fields_path(
    line: str, where: str, corpus: Path, recipe: Path, tmp_path: Path
) -> None:
    kept = [one for one in RECIPE.splitlines() if not one.startswith(f"{where}:")]
    recipe.write_text("\n".join([*kept, line]))

    error = refused("train", "--data", corpus, "--out", tmp_path / "out", "--recipe", recipe)

    assert isinstance(error, ConfigurationError)
    assert error.where == f"{recipe}: {where}"
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_told_before_any_work(corpus: Path, recipe: Path) -> None:
    error = refused("train", "--data", corpus, "--out", recipe, "--recipe", recipe)

    assert (error.reason, error.where) == ("cannot_write (NotADirectoryError)", "--out")


@pytest.mark.parametrize("name", ["train.jsonl", "dev.jsonl"])
def test_a_folder_that_is_no_corpus_is_refused(name: str, corpus: Path, tmp_path: Path) -> None:
    (corpus / name).unlink()

    error = refused("train", "--data", corpus, "--out", tmp_path / "out")

    assert (error.reason, error.where) == ("corpus_file_missing", str(corpus / name))


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_without_torch_it_is_said_what_to_install(
    command: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else there(name)
    )
    options = ("--out", tmp_path / "out") if command == "train" else ()

    error = refused(command, "--data", corpus, *options)

    assert isinstance(error, EngineUnavailableError)
    assert error.reason == "torch not installed: install prelim[model]"


@pytest.mark.model
@pytest.mark.timeout(300)
# torch calls names that Python will drop.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_adapter_is_trained_then_scored_and_its_card_has_the_numbers(
    corpus: Path, recipe: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    base, out, drafts = make_tiny_base(tmp_path / "base", corpus), tmp_path / "out", tmp_path / "d"
    options: tuple[Any, ...] = ("--data", corpus, "--base", base)
    threads = torch.get_num_threads()
    try:
        trained = call("train", *options, "--out", out, "--recipe", recipe, "--json")
        scoring = ("evaluate", *options, "--adapter", out, "--limit", 2)
        scored = call(*scoring, "--drafts", drafts, "--card", "--json")
        table = call(*scoring)
    finally:
        torch.use_deterministic_algorithms(mode=False)
        torch.set_num_threads(threads)

    made, scores = json.loads(trained.stdout), json.loads(scored.stdout)
    assert (made["steps"], made["rows"]) == (2, 12)
    assert made["dev_loss_nats_per_token"].keys() == {"2"}
    assert json.loads((out / "card.json").read_text())["evaluation"] == scores
    assert scores["reports"] == 2
    rows = [json.loads(line) for line in drafts.read_text().splitlines()]
    assert len(rows) == 2 * len(scores["systems"])
    assert {row["system"] for row in rows} == set(scores["systems"])
    assert "2 reports of test" in table.stdout
    assert "missed_finding" in table.stdout


@pytest.mark.model
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_has_ended_is_said_to_be_and_is_left_as_it_is(
    corpus: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    base, out = make_tiny_base(tmp_path / "base", corpus), tmp_path / "out"
    asked = ("train", "--data", corpus, "--base", base, "--recipe", recipe, "--out", out)
    threads = torch.get_num_threads()
    try:
        call(*asked)
    finally:
        torch.use_deterministic_algorithms(mode=False)
        torch.set_num_threads(threads)
    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    monkeypatch.setattr("model.training.run_training", None)

    shown = call(*asked, "--resume")
    printed = json.loads(call(*asked, "--resume", "--json").stdout)

    assert shown.exit_code == 0
    assert "finished before, nothing was trained now; kept step 2" in shown.stdout
    assert (printed["was_finished"], printed["steps"], printed["cpu_s"]) == (True, 2, 0)
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == written


@pytest.mark.parametrize("name", ["baichuan2-13b-lora", "llama3-8b-qlora"])
def test_a_shipped_recipe_goes_by_its_name_and_is_refused_without_its_base(
    name: str, corpus: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")

    error = refused("train", "--data", corpus, "--out", tmp_path / "out", "--recipe", name)

    assert isinstance(error, RecipeRefusedError)
    assert error.where.startswith("base.")
