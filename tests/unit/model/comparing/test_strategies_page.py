"""The study's table: a row for each cell, costs and numbers, baselines after them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")
pytest.importorskip("torch")
pytest.importorskip("peft")

from model.comparing.strategies_page import (
    HEAD,
    compared_as_dict,
    strategies_page,
    strategy_of,
    table_of,
)
from model.pages import render_html, render_markdown
from tests.unit.model.marks import WITH_TORCH

if TYPE_CHECKING:
    from tests.unit.model.comparing.conftest import Ran

pytestmark = WITH_TORCH


def test_each_cell_and_each_baseline_has_a_row(ran: Ran) -> None:
    table = table_of(ran.compared)

    assert {len(row) for row in table.rows} == {len(HEAD)}
    assert [row[:2] for row in table.rows] == [
        ("tiny-base", "untrained"),
        ("tiny-base", "lora"),
        ("tiny-base", "prompt"),
        ("gone", "lora"),
        ("gone", "prompt"),
        *(("-", name) for name in ("constant", "nearest", "consensus", "extractive")),
    ]


def test_a_trained_row_has_costs_and_numbers_and_one_not_run_its_reason(ran: Ran) -> None:
    rows = {row[:2]: dict(zip(HEAD, row, strict=True)) for row in table_of(ran.compared).rows}

    lora = rows["tiny-base", "lora"]
    assert int(lora["trained"].replace(",", "")) > 0
    assert 0 < float(lora["%"]) < 100
    assert float(lora["dev loss"]) > 0
    assert float(lora["ROUGE-L"]) >= 0
    assert float(lora["s alone"]) >= 0
    assert rows["gone", "lora"]["trained"] == "not run: folder_missing"
    assert rows["tiny-base", "untrained"]["trained"] == "0"


def test_a_recipe_with_a_name_of_its_own_is_told_by_both(ran: Ran) -> None:
    cell = next(cell for cell in ran.cells if cell.recipe)
    assert cell.recipe is not None
    named = type(cell)(cell.base, cell.recipe.model_copy(update={"name": "house"}))

    assert strategy_of(cell) == "lora"
    assert strategy_of(named) == "house (lora)"


def test_the_page_has_table_plots_and_no_report_text(ran: Ran) -> None:
    page = strategies_page(ran.compared)

    assert set(page.plots) == {"rouge_l", "missed"}
    finding = ran.asked.reports[0].findings[:30]
    for text in (render_markdown(page), render_html(page)):
        assert "Bases and strategies" in text
        assert finding not in text


def test_programs_get_every_cell_without_its_drafts(ran: Ran) -> None:
    told = json.loads(json.dumps(compared_as_dict(ran.compared)))

    cells = {cell["name"]: cell for cell in told["cells"]}
    assert cells["gone lora"]["not_run"] == "folder_missing"
    assert cells["tiny-base lora"]["training"]["cost"]["cpu_s"] > 0
    assert set(cells["tiny-base lora"]["drafting"]) == {"cost", "alone_s", "too_long"}
    assert "nearest" in told["parts"]["all"]["contenders"]
