"""A page as Markdown and HTML: all of it is there, and no name from outside breaks it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from model.pages import Page, Section, render_html, render_markdown, write_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = Page(
    title="Bases",
    lead="What was done.",
    sections=[Section("Costs", ("set", "seconds"), (("a|b\n<script>", "1.0"), ("south", "2.0")))],
    notes=["<b>One</b> note."],
    plots={"bars": "<svg><text>bars</text></svg>"},
)


class Tags(HTMLParser):
    """Notes which tags a page opens."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.opened.append(tag)


def test_a_page_is_written_as_markdown_html_and_plots(tmp_path: Path) -> None:
    write_page(tmp_path / "new", PAGE)

    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["bars.svg", "report.html", "report.md"]
    assert "![bars](bars.svg)" in (tmp_path / "new" / "report.md").read_text()


def test_markdown_keeps_every_row_in_its_line() -> None:
    text = render_markdown(PAGE)

    assert "| a\\|b &lt;script&gt; | 1.0 |" in text
    assert "## Costs" in text
    assert "- &lt;b&gt;One&lt;/b&gt; note." in text


def test_html_holds_plots_and_tables_and_nothing_else_from_outside() -> None:
    page = Tags()
    page.feed(render_html(PAGE))

    assert "script" not in page.opened
    assert "b" not in page.opened
    assert (page.opened.count("svg"), page.opened.count("td")) == (1, 4)
