"""Cells are trained and tried, once; what cannot be run says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")
pytest.importorskip("torch")
pytest.importorskip("peft")

from model.comparing import running
from model.comparing.outcomes import Outcome
from model.comparing.running import run_cells
from model.errors import RecipeRefusedError

if TYPE_CHECKING:
    from tests.unit.model.comparing.conftest import Ran

pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def fail(*_: object, **__: object) -> None:
    raise AssertionError


def outcomes(ran: Ran) -> dict[str, Outcome | str]:
    return {cell.name: told for cell, told in ran.compared.cells.items()}


def test_each_cell_is_trained_and_drafts_every_report(ran: Ran) -> None:
    for name in ("tiny-base lora", "tiny-base prompt"):
        told = outcomes(ran)[name]
        assert isinstance(told, Outcome)
        assert told.training is not None
        assert 0 < told.training.parameters < told.base_parameters
        assert told.training.cost.cpu_s > 0
        assert told.training.dev_loss > 0
        assert len(told.drafting.drafts) == len(ran.asked.reports)
        assert told.drafting.alone_s > 0


def test_the_base_alone_is_asked_too(ran: Ran) -> None:
    told = outcomes(ran)["tiny-base untrained"]

    assert isinstance(told, Outcome)
    assert told.training is None


def test_a_base_that_is_missing_has_a_reason_instead(ran: Ran) -> None:
    assert outcomes(ran)["gone lora"] == "folder_missing"


def test_baselines_stand_beside_the_cells(ran: Ran) -> None:
    whole = ran.compared.comparison.parts[0].contenders

    assert set(whole) == {
        *("constant", "nearest", "consensus", "extractive"),
        *("tiny-base untrained", "tiny-base lora", "tiny-base prompt"),
    }
    assert {test.against for test in ran.compared.comparison.tests} == {"nearest"}


def test_a_watcher_hears_of_each_run_and_its_length(ran: Ran) -> None:
    assert ("tiny-base lora", 2) in ran.began
    assert ("tiny-base lora, drafting", len(ran.asked.reports)) in ran.began


def test_what_is_done_is_not_done_again(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "run_training", fail)
    monkeypatch.setattr("model.training.writer.load_writer", fail)

    assert run_cells(ran.cells, ran.asked) == ran.compared.cells


def test_other_reports_are_drafted_without_training_again(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "run_training", fail)
    monkeypatch.setattr("model.prompt.OUTPUT_TOKENS_MAX", 2)
    cell = next(cell for cell in ran.cells if cell.name == "tiny-base lora")

    told = run_cells([cell], replace(ran.asked, reports=ran.asked.reports[:1]))[cell]

    assert isinstance(told, Outcome)
    assert len(told.drafting.drafts) == 1


def test_another_recipe_is_a_run_of_its_own_and_a_refused_one_says_why(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RecipeRefusedError("modules_not_in_base", "strategy.modules")

    monkeypatch.setattr(running, "run_training", refuse)
    cell = next(cell for cell in ran.cells if cell.name == "tiny-base lora")
    assert cell.recipe is not None
    other = replace(cell, recipe=cell.recipe.model_copy(update={"seed": 5}))

    assert run_cells([other], ran.asked) == {other: "modules_not_in_base"}
