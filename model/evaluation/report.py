"""A comparison as a page for people, and as JSON for programs.

It holds numbers and names of contenders and parts, and nothing of a report's text.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from model.evaluation.plots import plot_bars, plot_missed
from model.pages import Page, Section, write_page

if TYPE_CHECKING:
    from pathlib import Path

    from model.evaluation.by_reference import Comparison, Numbers, Test

IN_PERCENT_NOT = ("words", "reference_words")
SHORT = ("rouge_l", "missed_abnormal", "invented_abnormal", "words")
CARD_PARTS = ("all", "unseen findings")
TESTS_HEAD = ("contender", "metric", "difference", "95 %", "p (random)", "p (rank)")
"""The tests are approximate randomisation and Wilcoxon's signed ranks."""
WARNING = (
    "Text against text: no label of a clinician, no patient's outcome. ROUGE rewards calling all"
    " normal; read it beside the missed abnormals."
)


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the numbers for JSON, without the drafts."""
    return {
        "data": comparison.source.name,
        "sha256": comparison.source.sha256,
        "left_out": comparison.left_out,
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


def for_card(comparison: Comparison) -> dict[str, Any]:
    """Return what an adapter's card takes: all reports and those of unseen findings, no tests.

    ``systems`` and ``metrics`` keep their order, which the card's file does not.
    """
    told = as_dict(comparison)
    del told["tests"]
    return told | {
        "parts": {name: part for name, part in told["parts"].items() if name in CARD_PARTS},
        "systems": list(comparison.parts[0].contenders),
        "metrics": list(comparison.meaning),
        "warning": WARNING,
    }


def write_report(folder: Path, comparison: Comparison) -> None:
    """Write ``report.md``, ``report.html`` and the plots as SVG into a folder."""
    write_page(folder, page_of(comparison))


def page_of(comparison: Comparison) -> Page:
    """Lay out a comparison."""
    meanings = (f"{name}: {meaning}." for name, meaning in comparison.meaning.items())
    return Page(
        title=f"Evaluation on {comparison.source.name}",
        lead=f"sha256 {comparison.source.sha256}. {WARNING}",
        sections=sections_of(comparison),
        notes=(*comparison.notes, *meanings),
        plots={
            "rouge_l": plot_bars(comparison.parts, "rouge_l"),
            "missed": plot_missed(comparison.parts[0]),
        },
    )


def sections_of(comparison: Comparison, *, has_intervals: bool = True) -> list[Section]:
    """Return the tables: every number of all reports, few of each other part, the tests.

    Without intervals they fit a terminal.
    """

    def told(numbers: Numbers, metric: str) -> str:
        value = format_value(numbers, metric)
        return value if has_intervals else value.split(" ")[0]

    whole, *others = comparison.parts
    names = list(whole.contenders)
    sections = [
        Section(
            f"All {whole.reports} reports"
            + ", with 95 % intervals" * has_intervals
            + left_out_told(comparison.left_out),
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
        sections.append(Section("In parts", ("part", "reports", "contender", *SHORT), rows, 3))
    if comparison.tests:
        against = comparison.tests[0].against
        title = f"Against {against}, paired, in percent; p corrected by Holm-Bonferroni"
        rows = tuple(map(format_test, comparison.tests))
        sections.append(Section(title, TESTS_HEAD, rows, 2))
    return sections


def left_out_told(left_out: int) -> str:
    """End a table's title with how many reports are judged for nobody, where there are any."""
    return f"; {left_out} left out, too long for a base" if left_out else ""


def format_value(numbers: Numbers, metric: str) -> str:
    """Return a number as people read it: in percent but for lengths; "-" where none was counted."""
    value = numbers.value(metric)
    if value is None:
        return "-"
    scale = 1 if metric in IN_PERCENT_NOT else 100
    told = numbers.means.get(metric)
    if told is None:
        return f"{value * scale:.2f}"
    return f"{value * scale:.2f} ({told.low * scale:.2f}-{told.high * scale:.2f})"


def format_test(test: Test) -> tuple[str, ...]:
    """Return a test under ``TESTS_HEAD``, its difference in percent."""
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


def _told(numbers: Numbers, metric: str) -> dict[str, float | int] | None:
    value, told = numbers.value(metric), numbers.means.get(metric)
    if value is None:
        return None
    return (
        {"value": value}
        if told is None
        else {"value": value, "low": told.low, "high": told.high, "n": told.n}
    )
