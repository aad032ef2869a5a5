"""transfer as it is called; the study itself is run in tests/unit/model/transfer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from daemon import cli_evaluate
from daemon.cli import app
from mappings.errors import PrelimError
from tests.unit.model.tiny_base import make_corpus
from tests.unit.model.transfer_samples import make_transfer

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

for library in (*cli_evaluate.METRIC_LIBRARIES, *cli_evaluate.MODEL_LIBRARIES):
    pytest.importorskip(library)

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
