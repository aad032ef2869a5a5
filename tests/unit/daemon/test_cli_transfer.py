"""transfer as it is called: once for real on a tiny base, else with a study that is made up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from daemon import cli_evaluate
from daemon.cli import app
from mappings.errors import PrelimError
from model.transfer.report import DRAWN
from tests.unit.model.tiny_base import make_corpus, make_tiny_base
from tests.unit.model.torch_state import torch_kept
from tests.unit.model.transfer_samples import make_transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

for library in (*cli_evaluate.METRIC_LIBRARIES, *cli_evaluate.MODEL_LIBRARIES):
    pytest.importorskip(library)

DEMO_BASE_PARAMETERS = 130_000_000
RECIPE = "name: tiny\nsteps: 1\ntokens_per_batch: 900\nlearning_rate: 0.01\n"


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["transfer", *map(str, arguments)])
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
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path / "recipe.yaml"


@pytest.fixture
def west(tmp_path: Path) -> Path:
    rows = [{"id": "1", "findings": "Clear lungs.", "impression": "Normal.", "exam": "CT chest"}]
    (tmp_path / "west.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "west.jsonl"


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Take a study's place: the numbers are those of the samples."""
    asked: list[Any] = []

    def run(study: Any) -> Any:  # noqa: ANN401 - a study, whose type is imported late
        asked.append(study)
        study.report("train on north", 1, 2)
        return make_transfer(study.out)

    monkeypatch.setattr("model.transfer.transferring.run_transfer", run)
    return asked


def test_the_study_is_asked_for_as_told(
    corpus: Path, recipe: Path, west: Path, studied: list[Any], tmp_path: Path
) -> None:
    shown = call(
        *("--institution", f"north={corpus}", "--institution", f"west={west}"),
        *("--recipe", recipe, "--out", tmp_path / "out", "--reports", 2, "--train-reports", 4),
        *("--watts-per-core", 7, "--price-per-kwh", 0.5, "--latency-reports", 3),
    )

    (study,) = studied
    assert [(one.name, len(one.test), len(one.train)) for one in study.institutions] == [
        ("north", 2, 4),
        ("west", 1, 0),
    ]
    assert (study.train_on, study.recipe.name, study.latency_reports) == (("north",), "tiny", 3)
    assert (study.rates.watts_per_core, study.rates.price_per_kwh) == (7, 0.5)
    assert "Away from home" in shown.stdout
    assert "By body system" not in shown.stdout
    assert (tmp_path / "out" / "report.html").is_file()


def test_json_has_every_cell(
    corpus: Path, recipe: Path, studied: list[Any], tmp_path: Path
) -> None:
    options = ("--institution", f"a={corpus}", "--adapter", f"a={tmp_path}", "--train-on", "a")

    printed = json.loads(
        call(*options, "--recipe", recipe, "--out", tmp_path / "out", "--json").stdout
    )

    assert studied[0].adapters == {"a": tmp_path}
    assert printed["rows"][0]["judged_on"]["north"]["abdomen"] == {"reports": 3}


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    with torch_kept():
        yield


def run_tiny(corpus: Path, recipe: Path, west: Path, out: Path, *options: object) -> Result:
    """Run a study whose model trains one step and writes a few tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.prompt.OUTPUT_TOKENS_MAX", 6)
        return call(
            *("--institution", f"north={corpus}", "--institution", f"west={west}"),
            *("--recipe", recipe, "--out", out, *options),
            *("--reports", 2, "--latency-reports", 1),
        )


@pytest.mark.model
@pytest.mark.timeout(300)
# torch calls names that Python will drop.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_study_is_run_for_real_and_leaves_its_matrix_and_heat_maps(
    corpus: Path, recipe: Path, west: Path, torch_as_it_was: None, tmp_path: Path
) -> None:
    base, out = make_tiny_base(tmp_path / "base", corpus), tmp_path / "out"

    shown = run_tiny(corpus, recipe, west, out, "--base", base).stdout
    again = run_tiny(corpus, recipe, west, out, "--base", base, "--json").stdout

    told = json.loads((out / "transfer.json").read_text())
    assert json.loads(again) == told
    assert [(row["trained_on"], row["writer"]) for row in told["rows"]] == [
        ("north", "model"),
        ("north", "nearest"),
        ("north", "constant"),
    ]
    judged = [
        {name: parts["all"]["reports"] for name, parts in row["judged_on"].items()}
        for row in told["rows"]
    ]
    assert judged == [{"north": 2, "west": 1}] * 3
    (card,) = (out / "adapters").glob("*/card.json")
    assert json.loads(card.read_text())["steps"] == 1
    assert told["costs"][0]["parameters"] < DEMO_BASE_PARAMETERS
    maps = {path.stem: path.read_text() for path in out.glob("*.svg")}
    assert maps.keys() == set(DRAWN)
    cells = ("north: all", "west: all", "north: model", "north: nearest", "north: constant")
    assert [name for name in cells for drawn in maps.values() if name not in drawn] == []
    page = (out / "report.html").read_text()
    assert "<h2>Words, all reports of an institution" in page
    assert page.count("<svg") == len(DRAWN)
    assert "Away from home" in shown
    assert str(out / "report.html") in shown


def test_what_cannot_be_studied_is_refused(
    corpus: Path, recipe: Path, west: Path, tmp_path: Path
) -> None:
    rest = ("--recipe", recipe, "--out", tmp_path / "out")
    north = ("--institution", f"north={corpus}")

    assert refused("--institution", "north", *rest).where == "--institution"
    assert refused("--institution", f"a/b={corpus}", *rest).where == "--institution"
    assert refused("--institution", f"..={corpus}", *rest).where == "--institution"
    assert refused(*north, *rest[:2], "--out", recipe).reason.startswith("cannot_write (")
    assert refused(*north, *north, *rest).where == "--institution"
    assert refused("--institution", "x=nowhere", *rest).where == "--institution x"
    assert refused("--institution", f"west={west}", *rest).reason == "none_has_train_jsonl"
    assert refused(*north, "--train-on", "west", *rest).where == "--train-on"
    assert refused(*north, "--adapter", f"west={west}", *rest).where == "--adapter"
    (tmp_path / "recipe.yaml").write_text(RECIPE + "speed: 9\n")
    assert refused(*north, *rest).where == f"{recipe}: speed"
