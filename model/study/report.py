"""The report of a study as Markdown, HTML and JSON, with its plots.

The rule: numbers alone, and the names of sites and modalities; no text that was judged, no id.
"""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Any

from model.study.files import make_private_folder, write_private, write_private_json
from model.study.plots import draw_plots
from model.study.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from model.study.analysis import Analysis
    from model.study.tables import Table

CAPTIONS = {
    "ratings": "Ratings: mean difference over cases with its 95 % interval, resampled over cases.",
    "groups": "By site and modality, with Wilson's 95 % interval.",
    "time": "Drafting time; the interval of all is resampled over cases.",
}
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}"
    "p.note{color:#555;max-width:48rem;margin:0}figure{margin:1rem 0}"
    "svg{max-width:100%;height:auto}"
)


def write_report(analysis: Analysis, folder: Path) -> list[Path]:
    """Write report.json, report.md, report.html and a file for each plot.

    Returns:
        What was written.
    """
    make_private_folder(folder)
    plots = draw_plots(analysis)
    tables = tables_of(analysis)
    title = f"Reader study {analysis.study_id}: {analysis.kind}"
    texts = {
        "report.md": render_markdown(title, tables, plots),
        "report.html": render_html(title, tables, plots),
        **{f"{name}.svg": drawn for name, drawn in plots.items()},
    }
    for name, text in texts.items():
        write_private(folder / name, text)
    write_private_json(folder / "report.json", as_json_object(analysis))
    return [folder / name for name in ("report.json", *texts)]


def as_json_object(analysis: Analysis) -> dict[str, Any]:
    """Return every number by name."""
    return asdict(analysis)


def render_markdown(title: str, tables: Sequence[Table], plots: Mapping[str, str]) -> str:
    """Return the report for a repository or a mail."""
    parts = [f"# {title}"]
    for table in tables:
        lines = [
            _line(table.columns),
            "|" + "---|" + "---:|" * (len(table.columns) - 1),
            *map(_line, table.rows),
        ]
        parts += [f"## {table.title}", *([table.note] if table.note else []), "\n".join(lines)]
    parts += [f"![{CAPTIONS[name]}]({name}.svg)" for name in plots]
    return "\n\n".join(parts) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render_html(title: str, tables: Sequence[Table], plots: Mapping[str, str]) -> str:
    """Return the report as one page that needs no other file."""
    parts = [f"<h1>{escape(title)}</h1>"]
    for table in tables:
        parts.append(f"<h2>{escape(table.title)}</h2>")
        parts.append(f'<p class="note">{escape(table.note)}</p>')
        parts.append(f"<table><thead>{_row('th', table.columns)}</thead><tbody>")
        parts += [_row("td", row) for row in table.rows]
        parts.append("</tbody></table>")
    for name, drawn in plots.items():
        svg = drawn[drawn.index("<svg") :]
        parts.append(f"<figure>{svg}<figcaption>{escape(CAPTIONS[name])}</figcaption></figure>")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'
    )


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
