"""The ledger for people: report.md, report.html and the funnel as a picture. No report text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from model.cleaning.ledger import Ledger

_LABEL_PX, _BAR_PX, _NUMBER_PX, _ROW_PX, _HEAD_PX = 190, 460, 190, 26, 34
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:left;"
    "border-bottom:1px solid #ccc}td.n,th.n{text-align:right}"
)
_REVIEW = (
    "Rows of each rule stand in `samples.jsonl` for review; it holds report text, and its owner"
    " alone can read it. `removed.jsonl` names each removed row with every rule that it breaks."
)
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def write_report(out: Path, ledger: Ledger) -> None:
    """Write report.md, report.html and funnel.svg."""
    picture = render_funnel(ledger)
    (out / "funnel.svg").write_text(picture, encoding="utf-8")
    (out / "report.md").write_text(render_markdown(ledger), encoding="utf-8")
    (out / "report.html").write_text(render_html(ledger, picture), encoding="utf-8")


def render_markdown(ledger: Ledger) -> str:
    """Return the report as Markdown."""
    parts = ["# Cleaning", _summary(ledger), "![funnel](funnel.svg)", "## Rules"]
    parts += [_markdown_table(_rules_table(ledger)), _REVIEW]
    for name in ledger.parts:
        parts += [f"## By {name}", _markdown_table(_part_table(ledger, name))]
    return "\n\n".join(parts) + "\n"


def render_html(ledger: Ledger, picture: str) -> str:
    """Return the report as one page of HTML, the funnel in it."""
    parts = [
        f"<!doctype html><meta charset=utf-8><title>Cleaning</title><style>{_STYLE}</style>",
        f"<h1>Cleaning</h1><p>{escape(_summary(ledger))}</p>{picture}<h2>Rules</h2>",
        _html_table(_rules_table(ledger)),
        f"<p>{escape(_REVIEW.replace('`', ''))}</p>",
    ]
    parts += [
        f"<h2>By {escape(name)}</h2>{_html_table(_part_table(ledger, name))}"
        for name in ledger.parts
    ]
    return "\n".join(parts) + "\n"


def render_funnel(ledger: Ledger) -> str:
    """Return the funnel as SVG: a bar of what is left after each rule."""
    steps = [("read", 0, ledger.rows)]
    steps += [(one.rule, one.taken, one.left) for one in ledger.rules if one.is_enabled]
    height = _HEAD_PX + _ROW_PX * len(steps)
    width = _LABEL_PX + _BAR_PX + _NUMBER_PX
    title = f"{ledger.rows:,} rows read, {ledger.kept:,} kept"
    marks = [f'<text x="8" y="20" font-weight="bold">{title}</text>']
    for number, (name, taken, left) in enumerate(steps):
        top = _HEAD_PX + number * _ROW_PX
        scale = _BAR_PX / max(1, ledger.rows)
        base = top + 14
        told = f"{left:,} (-{taken:,})" if taken else f"{left:,}"
        marks += [
            f'<text x="{_LABEL_PX - 8}" y="{base}" text-anchor="end">{escape(name)}</text>',
            _bar(_LABEL_PX, top, left * scale, "#3b6ea5"),
            _bar(_LABEL_PX + left * scale, top, taken * scale, "#d08770"),
            f'<text x="{_LABEL_PX + _BAR_PX + 8}" y="{base}">{told}</text>',
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="sans-serif" font-size="13" role="img">'
        f"<title>{title}</title>\n" + "\n".join(marks) + "\n</svg>\n"
    )


def _bar(left: float, top: int, width: float, colour: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_ROW_PX - 8}"'
        f' fill="{colour}"/>'
    )


def _summary(ledger: Ledger) -> str:
    return (
        f"{ledger.rows:,} rows read, {ledger.kept:,} kept ({_share(ledger.kept, ledger.rows)})."
        f" Read: sha256 {ledger.source_sha256[:16]}; kept: sha256 {ledger.kept_sha256[:16]}."
    )


def _rules_table(ledger: Ledger) -> Table:
    head: tuple[str, ...] = ("rule", "takes out", "alone", "in order", "left")
    rows: list[tuple[str, ...]] = [
        (
            one.rule,
            one.meaning,
            f"{one.alone:,}",
            f"{one.taken:,}" if one.is_enabled else "off",
            f"{one.left:,}",
        )
        for one in ledger.rules
    ]
    return head, rows


def _part_table(ledger: Ledger, name: str) -> Table:
    rows: list[tuple[str, ...]] = [
        (value, f"{one['read']:,}", f"{one['kept']:,}", _share(one["kept"], one["read"]))
        for value, one in ledger.parts[name].items()
    ]
    return (name, "read", "kept", "share"), rows


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _markdown_table(table: Table) -> str:
    head, rows = table
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(escape(cell, quote=False).replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def _html_table(table: Table) -> str:
    head, rows = table
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(_html_cell(cell) for cell in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{top}</tr>\n{body}</table>"


def _html_cell(cell: str) -> str:
    kind = ' class="n"' if cell[:1].isdigit() or cell in {"-", "off"} else ""
    return f"<td{kind}>{escape(cell)}</td>"
