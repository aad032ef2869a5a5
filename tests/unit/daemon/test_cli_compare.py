"""compare and ablate as they are called: what is asked for, what is refused, what is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from daemon import cli_compare
from daemon.cli import app
from mappings.errors import PrelimError
from tests.unit.model.marks import WITH_TORCH
from tests.unit.model.tiny_base import make_corpus, make_tiny_base
from tests.unit.model.torch_state import torch_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

for library in (*cli_compare.METRIC_LIBRARIES, *cli_compare.MODEL_LIBRARIES):
    pytest.importorskip(library)

pytestmark = WITH_TORCH


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: object) -> PrelimError:
    with pytest.raises(PrelimError) as caught:
        call(*arguments)
    return caught.value


@pytest.fixture(scope="module", autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    with torch_kept():
        yield


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few resamples and short drafts: intervals and drafting are tested where they are made."""
    monkeypatch.setattr("model.evaluation.intervals.RESAMPLES", 20)
    monkeypatch.setattr("model.prompt.OUTPUT_TOKENS_MAX", 6)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("made") / "corpus")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny", corpus)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose reports take turns in what their prompt tells."""
    told = {
        "name": "turns",
        "steps": 2,
        "tokens_per_batch": 400,
        "learning_rate": 0.01,
        "prompt": {"variant": "mixed", "exam": False},
    }
    path = tmp_path_factory.mktemp("recipe") / "turns.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


@pytest.fixture(scope="module")
def adapter(
    tmp_path_factory: pytest.TempPathFactory, corpus: Path, base: Path, recipe: Path
) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    call("train", "--data", corpus, "--base", base, "--recipe", recipe, "--out", folder)
    return folder


def test_recipes_are_run_on_bases_and_the_table_is_printed_and_written(
    corpus: Path, base: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--data", corpus, "--out", out, "--recipes", recipe, "--reports", 2)

    shown = call("compare", *options, "--bases", f"{base},{tmp_path / 'gone'}", "--steps", 1)

    assert "turns (lora)" in shown.stdout
    assert "not run: folder_missing" in shown.stdout
    assert "consensus" in shown.stdout
    names = {path.name for path in out.iterdir()}
    assert names == {"cells", "report.md", "report.html", "rouge_l.svg", "missed.svg"}


def test_a_base_of_ones_own_that_is_missing_is_a_row_of_json(corpus: Path, tmp_path: Path) -> None:
    options = ("--data", corpus, "--out", tmp_path / "out", "--strategies", "lora, ia3")

    printed = json.loads(call("compare", *options, "--bases", tmp_path / "gone", "--json").stdout)

    assert [(cell["strategy"], cell["not_run"]) for cell in printed["cells"]] == [
        ("lora", "folder_missing"),
        ("ia3", "folder_missing"),
    ]
    assert "nearest" in printed["parts"]["all"]["contenders"]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ((), "--strategies"),
        (("--strategies", "lora", "--recipes", "demo"), "--strategies"),
        (("--strategies", "magic"), "--strategies"),
        (("--strategies", ""), "--strategies, --recipes"),
        (("--recipes", ","), "--strategies, --recipes"),
        (("--strategies", "lora", "--bases", ""), "--bases"),
    ],
)
def test_what_to_train_is_told_once_and_known(
    options: tuple[str, ...], where: str, corpus: Path, tmp_path: Path
) -> None:
    assert refused("compare", "--data", corpus, "--out", tmp_path / "out", *options).where == where


@pytest.mark.parametrize("command", ["compare", "ablate"])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    command: str, corpus: Path, adapter: Path, tmp_path: Path
) -> None:
    own = {"compare": ("--strategies", "lora"), "ablate": ("--adapter", adapter)}[command]
    (tmp_path / "file").write_text("")

    error = refused(command, "--data", corpus, "--out", tmp_path / "file" / "out", *own)

    assert (error.reason, error.where) == ("cannot_write (NotADirectoryError)", "--out")


@pytest.mark.parametrize("command", ["compare", "ablate"])
def test_a_corpus_that_is_not_there_is_refused(command: str, tmp_path: Path, adapter: Path) -> None:
    own = {"compare": ("--strategies", "lora"), "ablate": ("--adapter", adapter)}[command]

    error = refused(command, "--data", tmp_path, "--out", tmp_path / "out", *own)

    assert error.reason == "corpus_file_missing"


def test_an_adapter_is_asked_in_every_way_on_own_and_others_reports(
    corpus: Path, base: Path, adapter: Path, tmp_path: Path
) -> None:
    row = {"id": "a", "findings": "Small left effusion.", "impression": "Left effusion."}
    others = tmp_path / "others.jsonl"
    others.write_text(json.dumps(row))
    options = ("--data", corpus, "--adapter", adapter, "--base", base, "--limit", 3)

    printed = json.loads(
        call(
            *("ablate", *options, "--out", tmp_path / "out", "--external", others),
            *("--split", "dev", "--no-indication", "--json"),
        ).stdout
    )

    assert printed["taught"] == "mixed"
    assert printed["told_besides"] == {"indication": False, "exam": False, "site_name": False}
    assert list(printed["sets"]) == ["internal dev", "external others"]
    own = printed["sets"]["internal dev"]
    assert own["with_modality"] == 3
    assert list(own["parts"]["all"]["contenders"]) == ["none", "modality", "site", "both"]
    told_nothing = printed["sets"]["external others"]
    assert [told_nothing["costs"][one] for one in ("modality", "site", "both")] == [None] * 3
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"report.md", "report.html", "rouge_l.svg", "missed_abnormal.svg"}


def test_two_external_files_of_one_name_are_refused(
    corpus: Path, adapter: Path, tmp_path: Path
) -> None:
    files = [tmp_path / folder / "dev.jsonl" for folder in ("a", "b")]
    told = [word for path in files for word in ("--external", path)]

    error = refused(
        "ablate", "--data", corpus, "--adapter", adapter, "--out", tmp_path / "out", *told
    )

    assert error.where == "--external"


def test_a_folder_without_an_adapter_is_refused(corpus: Path, base: Path, tmp_path: Path) -> None:
    options = ("--data", corpus, "--adapter", tmp_path, "--out", tmp_path / "out")

    assert refused("ablate", *options, "--base", base).where == "base"
