"""A comparison for people: Markdown, and HTML with its plots inside; one file each, no network.

It holds numbers and names of contenders and parts, and nothing of a report's text. Texts that come
from outside (a site's name) are escaped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from model.evaluation.plots import plot_bars, plot_missed

if TYPE_CHECKING:
    from pathlib import Path

    from model.evaluation.comparison import Comparison, Contender, Test

IN_PERCENT_NOT = ("words", "reference_words")
SHORT = ("rouge_l", "missed_abnormal", "invented_abnormal", "words")
TESTS_HEAD = ("contender", "metric", "difference", "95 %", "p (random)", "p (rank)")
"""The tests are approximate randomisation and Wilcoxon's signed ranks."""
WARNING = (
    "Text against text: no label of a clinician, no patient's outcome. ROUGE rewards calling all"
    " normal; read it beside the missed abnormals."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table under it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the numbers for JSON, without the drafts."""
    return {
        "data": comparison.source.name,
        "sha256": comparison.source.sha256,
        "parts": {
            part.name: {
                "reports": part.reports,
                "contenders": {
                    who: {metric: _told(one, metric) for metric in comparison.meaning}
                    for who, one in part.contenders.items()
                },
            }
            for part in comparison.parts
        },
        "tests": [asdict(test) for test in comparison.tests],
        "notes": list(comparison.notes),
        "meaning": dict(comparison.meaning),
    }


def write_report(folder: Path, comparison: Comparison) -> None:
    """Write ``report.md``, ``report.html`` and the plots as SVG into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "rouge_l.svg": plot_bars(comparison.parts, "rouge_l"),
        "missed.svg": plot_missed(comparison.parts[0]),
    }
    for name, drawn in plots.items():
        (folder / name).write_text(drawn, encoding="utf-8")
    (folder / "report.md").write_text(render_markdown(comparison, tuple(plots)), encoding="utf-8")
    (folder / "report.html").write_text(render_html(comparison, plots), encoding="utf-8")


def render_markdown(comparison: Comparison, plots: tuple[str, ...] = ()) -> str:
    """Return the report as Markdown; plots stand beside it under their names."""
    lines = [
        f"# Evaluation on {_cell(comparison.source.name)}",
        "",
        f"sha256 `{comparison.source.sha256}`. {WARNING}",
    ]
    for name in plots:
        lines += ["", f"![{name.removesuffix('.svg')}]({name})"]
    for section in sections_of(comparison):
        lines += ["", f"## {_cell(section.title)}", "", _row(section.head)]
        lines += ["|" + "---|" * len(section.head), *map(_row, section.rows)]
    lines += ["", "## Notes", "", *(f"- {_cell(note)}" for note in comparison.notes)]
    lines += [f"- `{name}`: {meaning}." for name, meaning in comparison.meaning.items()]
    return "\n".join(lines) + "\n"


def render_html(comparison: Comparison, plots: dict[str, str]) -> str:
    """Return the report as one HTML file with its plots inside."""
    body = [f"<h1>Evaluation on {escape(comparison.source.name)}</h1>"]
    body += [f"<p>sha256 <code>{escape(comparison.source.sha256)}</code>. {escape(WARNING)}</p>"]
    body += [f"<figure>{drawn}</figure>" for drawn in plots.values()]
    for section in sections_of(comparison):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in section.head)
        body += [f"<h2>{escape(section.title)}</h2>", f"<table><tr>{head}</tr>"]
        for row in section.rows:
            body.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>")
        body.append("</table>")
    told = [f"{name}: {meaning}" for name, meaning in comparison.meaning.items()]
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*comparison.notes, *told))
    return _PAGE.format(title=escape(comparison.source.name), body="\n".join(body), notes=notes)


def sections_of(comparison: Comparison, *, has_intervals: bool = True) -> list[Section]:
    """Return the tables: every number of all reports, few of each other part, the tests.

    Without intervals they fit a terminal.
    """

    def told(contender: Contender, metric: str) -> str:
        value = format_value(contender, metric)
        return value if has_intervals else value.split(" ")[0]

    whole, *others = comparison.parts
    names = list(whole.contenders)
    sections = [
        Section(
            f"All {whole.reports} reports" + ", with 95 % intervals" * has_intervals,
            ("metric", *names),
            tuple(
                (metric, *(told(whole.contenders[who], metric) for who in names))
                for metric in comparison.meaning
            ),
        )
    ]
    if others:
        rows = tuple(
            (part.name, str(part.reports), who, *(told(one, metric) for metric in SHORT))
            for part in comparison.parts
            for who, one in part.contenders.items()
        )
        sections.append(Section("In parts", ("part", "reports", "contender", *SHORT), rows))
    if comparison.tests:
        against = comparison.tests[0].against
        title = f"Against {against}, paired, in percent; p corrected by Holm-Bonferroni"
        sections.append(Section(title, TESTS_HEAD, tuple(map(_test_row, comparison.tests))))
    return sections


def format_value(contender: Contender, metric: str) -> str:
    """Return a number as people read it: in percent but for lengths; "-" where none was counted."""
    value = contender.value(metric)
    if value is None:
        return "-"
    scale = 1 if metric in IN_PERCENT_NOT else 100
    told = contender.means.get(metric)
    if told is None:
        return f"{value * scale:.2f}"
    return f"{value * scale:.2f} ({told.low * scale:.2f}-{told.high * scale:.2f})"


def _test_row(test: Test) -> tuple[str, ...]:
    told = test.difference
    return (
        test.contender,
        test.metric,
        f"{told.mean * 100:+.2f}",
        f"{told.low * 100:+.2f} to {told.high * 100:+.2f}",
        _p(test.randomisation_p),
        _p(test.wilcoxon_p),
    )


def _p(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"  # noqa: PLR2004 - four digits are told


def _told(contender: Contender, metric: str) -> dict[str, float | int] | None:
    value, told = contender.value(metric), contender.means.get(metric)
    if value is None:
        return None
    return (
        {"value": value}
        if told is None
        else {"value": value, "low": told.low, "high": told.high, "n": told.n}
    )


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Keep a text from ending its cell, its line, or from being read as HTML."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Evaluation on {title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left; }}
</style></head><body>
{body}
<h2>Notes</h2><ul>{notes}</ul>
</body></html>
"""
