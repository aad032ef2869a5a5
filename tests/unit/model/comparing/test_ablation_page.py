"""The ablation's page: sets side by side, costs, parts and tests, and no report text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from model.comparing.ablation_page import ablation_as_dict, ablation_page, sections_of
from model.pages import render_html, render_markdown
from model.prompt import VARIANTS

if TYPE_CHECKING:
    from model.comparing.ablation import Ablation

pytestmark = pytest.mark.timeout(120)


def test_the_sets_stand_side_by_side_with_an_interval_each(ablation: Ablation) -> None:
    table = sections_of(ablation)[0]

    assert table.head == ("metric", "told", "here, 10 reports", "abroad, 10 reports")
    rows = {row[:2]: row[2:] for row in table.rows}
    assert rows["rouge_l", "both"] == ("100.00 (100.00-100.00)",) * 2
    assert rows["missed_abnormal", "site"] == ("100.00 (100.00-100.00)",) * 2


def test_a_variant_that_asks_what_another_asked_has_no_cost_of_its_own(ablation: Ablation) -> None:
    costs = {row[:2]: row[2:] for row in sections_of(ablation)[1].rows}

    assert costs["abroad", "both"] == ("the same prompts as another", "-", "-")
    assert float(costs["here", "both"][0]) >= 0


def test_each_site_has_its_row_for_every_variant(ablation: Ablation) -> None:
    parts = next(one for one in sections_of(ablation) if one.title == "Parts of here")

    assert parts.head == ("part", "reports", "metric", *VARIANTS)
    assert parts.rows[0][:3] == ("site north", "5", "rouge_l")


def test_the_notes_say_what_could_be_told_at_all(ablation: Ablation) -> None:
    notes = ablation_page(ablation).notes

    assert "Told besides: exam." in notes
    assert "abroad: 10 of 10 reports have a modality to tell, 0 a site." in notes
    assert any(note.startswith("The adapter was taught one variant alone") for note in notes)
    assert any(note.startswith("An exam's title may name the modality") for note in notes)


def test_the_page_has_both_plots_and_no_report_text(ablation: Ablation) -> None:
    page = ablation_page(ablation)

    assert set(page.plots) == {"rouge_l", "missed_abnormal"}
    for text in (render_markdown(page), render_html(page)):
        assert "effusion" not in text
    assert "Against both" in render_markdown(page)


def test_programs_get_every_number(ablation: Ablation) -> None:
    told = json.loads(json.dumps(ablation_as_dict(ablation)))

    assert told["taught"] == "both"
    assert told["told_besides"] == {"indication": False, "exam": True, "site_name": False}
    assert told["sets"]["abroad"]["with_site"] == 0
    assert told["sets"]["abroad"]["costs"]["both"] is None
    assert told["sets"]["here"]["costs"]["both"]["wall_s"] >= 0
    assert told["sets"]["here"]["parts"]["all"]["contenders"]["both"]["rouge_l"]["value"] == 1.0
    assert {test["set"] for test in told["tests"]} == {"here", "abroad"}
