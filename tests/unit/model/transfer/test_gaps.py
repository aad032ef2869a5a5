"""Away from home, and against baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.transfer.gaps import away_from_home, gains_over_baselines
from tests.unit.model.transfer_samples import make_transfer

if TYPE_CHECKING:
    from pathlib import Path


def test_a_writer_is_compared_with_itself_at_home(tmp_path: Path) -> None:
    told = away_from_home(make_transfer(tmp_path))

    model = {(one.metric, one.where): one.gap for one in told if one.writer == "model"}
    assert set(model) == {(metric, "south") for metric in ("rouge_l", "f1", "called_normal")}
    assert model["f1", "south"].difference == -1.0
    assert model["called_normal", "south"].difference == 1.0
    assert model["rouge_l", "south"].high < 0


def test_a_baseline_that_is_as_bad_everywhere_loses_nothing(tmp_path: Path) -> None:
    told = away_from_home(make_transfer(tmp_path))

    constant = [one for one in told if one.writer == "constant" and one.metric == "called_normal"]
    assert [one.gap.difference for one in constant] == [0.0]


def test_the_model_is_compared_with_baselines_at_home_and_away(tmp_path: Path) -> None:
    told = gains_over_baselines(make_transfer(tmp_path))

    gaps = {(one.baseline, one.metric, one.where): one.gap for one in told}
    assert gaps["nearest", "f1", "in-house"].difference == 1.0
    assert gaps["nearest", "called_normal", "in-house"].difference == -1.0
    assert gaps["constant", "rouge_l", "external"].difference == 0.0
