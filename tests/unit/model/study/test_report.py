"""The report holds every number three times over, and no text that was judged."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from model.study.analysis import analyse
from model.study.readings import join_answers
from model.study.report import write_report
from tests.unit.model.study_samples import run_study

if TYPE_CHECKING:
    from pathlib import Path

    from model.study.analysis import Analysis


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return analyse(join_answers(run_study(tmp_path, timed=4)))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)


def test_a_report_is_written_as_markdown_html_json_and_plots(
    analysis: Analysis, tmp_path: Path
) -> None:
    written = write_report(analysis, tmp_path / "report")

    assert [path.name for path in written] == [
        "report.json", "report.md", "report.html", "ratings.svg", "groups.svg", "time.svg"
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    tags = Tags()
    tags.feed((tmp_path / "report" / "report.html").read_text())
    assert (tags.seen.count("svg"), tags.seen.count("h1")) == (3, 1)
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["ratings"][0]["difference"] == analysis.ratings[0].difference
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert f"| accuracy | 12 | {analysis.ratings[0].model:.2f} |" in markdown


def test_no_text_and_no_id_of_a_report_is_in_it(analysis: Analysis, tmp_path: Path) -> None:
    for path in write_report(analysis, tmp_path / "report"):
        text = path.read_text().lower()
        assert not [word for word in ("nodule", "drafted", "signed.", "case-1") if word in text]


def test_a_name_of_a_site_is_never_markup(analysis: Analysis, tmp_path: Path) -> None:
    odd = replace(analysis.groups[0], name="<script>a|b$")
    write_report(replace(analysis, groups=(odd,)), tmp_path / "report")

    html = (tmp_path / "report" / "report.html").read_text()
    assert "<script>" not in html
    assert "&lt;script&gt;a|b$" in html
    assert "<script>a\\|b$" in (tmp_path / "report" / "report.md").read_text()
