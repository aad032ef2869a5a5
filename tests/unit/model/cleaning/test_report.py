"""The ledger as Markdown, HTML and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from model.cleaning.ledger import Ledger, RuleCount
from model.cleaning.report import render_funnel, render_html, render_markdown, write_report

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 75_884
LEDGER = Ledger(
    source_sha256="a" * 64,
    kept_sha256="b" * 64,
    rows=140_000,
    kept=KEPT,
    rules=(
        RuleCount(
            "duplicate", "Same <again>.", is_enabled=True, alone=70_000, taken=64_116, left=KEPT
        ),
        RuleCount("addendum", "Holds | one.", is_enabled=False, alone=12, taken=0, left=KEPT),
    ),
    parts={"site": {"north <1>": {"read": 140_000, "kept": 75_884}}},
    settings={},
)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_table_tells_alone_in_order_and_left() -> None:
    text = render_markdown(LEDGER)

    assert "140,000 rows read, 75,884 kept (54.2 %)" in text
    assert "| duplicate | Same &lt;again&gt;. | 70,000 | 64,116 | 75,884 |" in text
    assert "| addendum | Holds \\| one. | 12 | off | 75,884 |" in text
    assert "| north &lt;1&gt; | 140,000 | 75,884 | 54.2 % |" in text


def test_what_a_corpus_says_cannot_become_markup() -> None:
    page = render_html(LEDGER, render_funnel(LEDGER))

    assert "north &lt;1&gt;" in page
    assert "Same &lt;again&gt;." in page
    assert "<again>" not in page


def test_the_bars_are_as_long_as_the_rows_that_are_left() -> None:
    picture = ET.fromstring(render_funnel(LEDGER))  # noqa: S314 - our own picture

    widths = [float(bar.attrib["width"]) for bar in picture.iter(f"{SVG}rect")]
    read, _, left, taken = widths
    assert len(widths) == 4  # the rule that is off has no bar
    assert abs(left / read - 75_884 / 140_000) < 0.001
    assert abs(left + taken - read) < 0.2


def test_an_empty_corpus_has_a_report_too(tmp_path: Path) -> None:
    write_report(tmp_path, Ledger("a", "b", 0, 0, (), {}, {}))

    assert "0 rows read, 0 kept (-)" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "funnel.svg").read_text() in (tmp_path / "report.html").read_text()
