"""A whole study on a tiny base: trained, drafted, scored, and taken up where it was left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.errors import PromptRefusedError
from model.transfer.institutions import read_institution
from model.transfer.report import as_dict
from model.transfer.transferring import Study, run_transfer
from tests.unit.model.marks import TRAINING
from tests.unit.model.transfer_samples import RECIPE, make_institutions

if TYPE_CHECKING:
    from pathlib import Path

    from model.transfer.transferring import Transfer

pytestmark = TRAINING
pytest.importorskip("torch")
OUTPUT_TOKENS = 6


@pytest.fixture(scope="module")
def study(tiny_base: Path, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    _, south = make_institutions()
    return Study(
        institutions=(
            read_institution("synthetic", small_corpus, reports_max=2),
            replace(south, test=south.test[:1], systems=("chest",)),
        ),
        train_on=("synthetic",),
        recipe=RECIPE,
        out=tmp_path_factory.mktemp("transfer") / "study",
        base=tiny_base,
        latency_reports=1,
    )


def run_all(study: Study) -> tuple[Transfer, set[str]]:
    """Run a study, and tell what it said it was doing."""
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.prompt.OUTPUT_TOKENS_MAX", OUTPUT_TOKENS)
        done = run_transfer(replace(study, report=lambda doing, *_: seen.add(doing)))
    return done, seen


def test_a_study_runs_goes_on_and_says_what_it_cost(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, seen = run_all(study)

    assert [(row.trained_on, row.writer) for row in done.rows] == [
        ("synthetic", "model"),
        ("synthetic", "nearest"),
        ("synthetic", "constant"),
    ]
    assert {name: len(one.parts["f1"]) for name, one in done.rows[0].scored.items()} == {
        "synthetic": 2,
        "south": 1,
    }
    (cost,) = done.costs
    assert cost.trained_parameters is not None
    assert 0 < cost.trained_parameters < cost.parameters
    assert cost.training_wall_s is not None
    assert [pace.reports for pace in (cost.alone, *cost.together)] == [1, 2, 1]
    assert seen == {"train on synthetic", "synthetic on synthetic", "synthetic on south"}

    # Nothing is left to do: what trains and what writes is not called again.
    monkeypatch.setattr("model.training.run_training", None)
    monkeypatch.setattr("model.training.writer.load_writer", None)
    again, _ = run_all(study)
    assert as_dict(again) == as_dict(done)

    # What is too long for the model is judged for nobody.
    long = replace(study.institutions[1].test[0], findings="Clear lungs. " * 900)
    south = replace(study.institutions[1], test=(long, *study.institutions[1].test))
    monkeypatch.undo()
    told, _ = run_all(replace(study, institutions=(study.institutions[0], south)))
    assert told.left_out == {"synthetic": 0, "south": 1}
    assert {len(row.scored["south"].parts["rouge_l"]) for row in told.rows} == {1}
    assert [pace.reports for pace in told.costs[0].together] == [2, 1]
    with pytest.raises(PromptRefusedError, match="no_report_short_enough"):
        run_all(replace(study, institutions=(study.institutions[0], replace(south, test=(long,)))))

    # What was trained before is taken where it is.
    reused = replace(
        study,
        institutions=study.institutions[:1],
        out=study.out / "again",
        adapters={"synthetic": study.out / "adapters" / "synthetic"},
    )
    told, seen = run_all(reused)
    assert seen == {"synthetic on synthetic"}
    assert told.costs[0].training_wall_s is None
