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
from model.comparing.running import compare_cells, run_cells
from model.comparing.strategies_page import compared_as_dict, strategies_page, table_of
from model.errors import PromptRefusedError, RecipeRefusedError
from tests.unit.model.marks import WITH_TORCH

if TYPE_CHECKING:
    from tests.unit.model.comparing.conftest import Ran

pytestmark = WITH_TORCH


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


@pytest.mark.parametrize("times", [900, 9_000])  # beyond the base's context; beyond any prompt
def test_a_report_too_long_for_a_base_is_counted_and_left_out_of_all(times: int, ran: Ran) -> None:
    cells = [cell for cell in ran.cells if cell.name == "tiny-base untrained"]
    long = replace(ran.asked.reports[0], findings="Clear lungs. " * times)
    reports = (long, *ran.asked.reports[:2])
    source = ran.compared.comparison.source

    compared = compare_cells(cells, replace(ran.asked, reports=reports), source)

    told = compared.cells[cells[0]]
    assert isinstance(told, Outcome)
    assert [draft is None for draft in told.drafting.drafts] == [True, False, False]
    assert (told.drafting.too_long, compared.comparison.left_out) == (1, 1)
    assert compared.comparison.parts[0].reports == 2
    drafts = {row["draft"] for row in compared.comparison.drafts if row["system"] == cells[0].name}
    assert drafts == {draft for draft in told.drafting.drafts if draft is not None}
    assert "on 2 reports, metrics in percent; 1 left out" in table_of(compared).title
    note = "Reports too long for tiny-base untrained, left out of all: 1."
    assert note in strategies_page(compared).notes
    printed = compared_as_dict(compared)
    assert (printed["left_out"], printed["cells"][0]["drafting"]["too_long"]) == (1, 1)


def test_a_base_that_can_take_no_report_says_why(ran: Ran) -> None:
    cells = [cell for cell in ran.cells if cell.name == "tiny-base untrained"]
    long = replace(ran.asked.reports[0], findings="Clear lungs. " * 2_000)

    told = run_cells(cells, replace(ran.asked, reports=(long,)))

    assert told == {cells[0]: "every_report_too_long"}


def test_no_report_that_all_bases_can_take_is_nothing_to_compare_by(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = dict(ran.compared.cells)
    for place, cell in enumerate(list(done)[:2]):
        told = done[cell]
        assert isinstance(told, Outcome)
        drafts = tuple(
            draft if (at == 0) == (place == 0) else None
            for at, draft in enumerate(told.drafting.drafts)
        )
        done[cell] = replace(told, drafting=replace(told.drafting, drafts=drafts))
    monkeypatch.setattr(running, "run_cells", lambda *_: done)

    with pytest.raises(PromptRefusedError, match="no_report_short_enough"):
        compare_cells(ran.cells, ran.asked, ran.compared.comparison.source)


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
