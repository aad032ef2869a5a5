"""A page of tables and plots for people: Markdown, and HTML with its plots inside; no network.

Texts that come from outside (a site's name) are escaped; no report text is ever put here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table under it; the first so many columns are ``names`` of its rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown, in this order; ``plots`` are SVG texts by name."""

    title: str
    lead: str
    sections: Sequence[Section]
    notes: Sequence[str] = ()
    plots: Mapping[str, str] = field(default_factory=dict)


def write_page(folder: Path, page: Page) -> None:
    """Write report.md, report.html and each plot as SVG; files there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawn in page.plots.items():
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")
    (folder / "report.md").write_text(render_markdown(page), encoding="utf-8")
    (folder / "report.html").write_text(render_html(page), encoding="utf-8")


def render_markdown(page: Page) -> str:
    """Return the page as Markdown; its plots stand beside it under their names."""
    lines = [f"# {_cell(page.title)}", "", _cell(page.lead)]
    for name in page.plots:
        lines += ["", f"![{name}]({name}.svg)"]
    for section in page.sections:
        lines += ["", f"## {_cell(section.title)}", "", _row(section.head)]
        lines += ["|" + "---|" * len(section.head), *map(_row, section.rows)]
    lines += ["", "## Notes", "", *(f"- {_cell(note)}" for note in page.notes)]
    return "\n".join(lines) + "\n"


def render_html(page: Page) -> str:
    """Return the page as one HTML file."""
    body = [f"<h1>{escape(page.title)}</h1>", f"<p>{escape(page.lead)}</p>"]
    body += [f"<figure>{drawn}</figure>" for drawn in page.plots.values()]
    for section in page.sections:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in section.head)
        body += [f"<h2>{escape(section.title)}</h2>", f"<table><tr>{head}</tr>"]
        for row in section.rows:
            body.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
        body.append("</table>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in page.notes)
    body.append(f"<h2>Notes</h2><ul>{notes}</ul>")
    return _HTML.format(title=escape(page.title), body="\n".join(body))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Keep a text from ending its cell, its line, or from being read as HTML."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left; }}
</style></head><body>
{body}
</body></html>
"""
