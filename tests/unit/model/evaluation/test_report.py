"""The report for people: every number, its interval, a dash where there is none, and no text."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from model.evaluation.by_reference import MEANING, Source, run_comparison
from model.evaluation.report import as_dict, for_card, page_of, sections_of, write_report
from model.pages import render_html, render_markdown
from tests.unit.model.evaluation.test_by_reference import DRAFTS, REPORTS

if TYPE_CHECKING:
    from pathlib import Path

    from model.evaluation.by_reference import Comparison


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    hostile = [
        replace(one, site="a|b\n<script>" if one.site == "north" else "south") for one in REPORTS
    ]
    return run_comparison(hostile, DRAFTS, source=Source("made.jsonl", "ab" * 32))


class Tags(HTMLParser):
    """Notes which tags a page opens."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.opened.append(tag)


def test_a_report_is_written_with_its_plots(comparison: Comparison, tmp_path: Path) -> None:
    write_report(tmp_path / "new", comparison)

    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["missed.svg", "report.html", "report.md", "rouge_l.svg"]
    assert (tmp_path / "new" / "report.html").read_text().count("<svg") == 2


def test_markdown_has_every_number_and_what_it_is(comparison: Comparison) -> None:
    text = render_markdown(page_of(comparison))

    assert all(f"| {name} |" in text and f"- {name}: " in text for name in MEANING)
    assert "100.00 (100.00-100.00)" in text
    assert "Against constant" in text
    assert "Small left" not in text


def test_no_name_from_outside_breaks_the_tables(comparison: Comparison) -> None:
    page, text = Tags(), render_markdown(page_of(comparison))
    page.feed(render_html(page_of(comparison)))

    assert "script" not in page.opened
    assert "a\\|b &lt;script&gt;" in text
    rows = [line for line in text.splitlines() if line.startswith("| site a")]
    assert len(rows) == len(DRAFTS)


def test_a_terminals_table_has_no_intervals(comparison: Comparison) -> None:
    wide, narrow = sections_of(comparison), sections_of(comparison, has_intervals=False)

    assert "(" in wide[0].rows[0][1]
    assert "(" not in narrow[0].rows[0][1]


def test_json_tells_what_was_not_counted_as_null(comparison: Comparison) -> None:
    told = json.loads(json.dumps(as_dict(comparison)))

    south = [part for part in told["parts"] if part.startswith("site")]
    whole = told["parts"]["all"]["contenders"]["constant"]
    assert whole["bleu_4"].keys() == {"value"}
    assert whole["rouge_l"].keys() == {"value", "low", "high", "n"}
    assert south == ["site a|b\n<script>"]
    assert "drafts" not in told


def test_a_card_takes_all_reports_and_those_of_unseen_findings() -> None:
    source, train = Source("made.jsonl", "ab" * 32), REPORTS[:4]
    told = for_card(run_comparison(REPORTS, DRAFTS, source=source, train=train))

    assert list(told["parts"]) == ["all", "unseen findings"]
    assert told["systems"] == list(DRAFTS)
    assert told["metrics"] == list(MEANING)
    assert "missed abnormals" in told["warning"]
    assert "tests" not in told
    assert "Small left" not in json.dumps(told)
