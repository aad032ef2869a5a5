"""The matrix of a study as SVG text: writers down, institutions and body systems across.

A cell's colour runs from pale to dark over 0 to 100 percent; the writer's own institution has a
frame. What has too few reports is grey and says so.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from model.svg import draw_picture, draw_text
from model.transfer.scoring import REPORTS_MIN, WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.transfer.transferring import Row

LEFT, TOP, WIDE, HIGH, BETWEEN = 210, 180, 46, 24, 10
DARK = (33, 74, 135)
TOO_SMALL = "#d9d9d9"
_WHITE_FROM = 0.55


def draw_heat_map(rows: Sequence[Row], metric: str, columns: Sequence[tuple[str, str]]) -> str:
    """Draw one metric of all cells.

    Args:
        rows: Writers.
        metric: Of ``scoring.MEANING``; 0..1.
        columns: Institution and body system (or ``all``), those of an institution together.
    """
    drawn = [
        draw_text(10, 20, f"{metric}, percent; grey: n too small (under {REPORTS_MIN} reports)")
    ]
    places = _places(columns)
    for (institution, system), x in zip(columns, places, strict=True):
        label = f"{institution}: {system}"
        drawn.append(_slanted(x + WIDE / 2, TOP - 8, label))
    for line, row in enumerate(rows):
        y = TOP + line * HIGH
        drawn.append(draw_text(LEFT - 8, y + 16, f"{row.trained_on}: {row.writer}", anchor="end"))
        for (institution, system), x in zip(columns, places, strict=True):
            drawn += _cell(row, metric, institution, system, (x, y))
    return draw_picture(places[-1] + WIDE + 140, TOP + len(rows) * HIGH + 12, drawn)


def columns_of(rows: Sequence[Row], systems: Sequence[str]) -> list[tuple[str, str]]:
    """Return each institution with all of its reports, then by the systems that it has."""
    scored = rows[0].scored
    return [
        (institution, system)
        for institution, one in scored.items()
        for system in (WHOLE, *systems)
        if system in one.cells
    ]


def _places(columns: Sequence[tuple[str, str]]) -> list[int]:
    """Return where each column begins, with a gap between institutions."""
    places: list[int] = []
    at = LEFT
    for index, (institution, _) in enumerate(columns):
        if index and columns[index - 1][0] != institution:
            at += BETWEEN
        places.append(at)
        at += WIDE
    return places


def _cell(
    row: Row, metric: str, institution: str, system: str, place: tuple[int, int]
) -> list[str]:
    (x, y), cell = place, row.scored[institution].cells[system]
    value = cell.value(metric)
    is_home = institution == row.trained_on
    frame = ' stroke="#c4622d" stroke-width="2"' if is_home else ' stroke="#fff"'
    fill = TOO_SMALL if value is None else _colour(value)
    told = f"n={cell.reports}" if cell.reports < REPORTS_MIN else "-"
    ink = "#fff" if value is not None and value > _WHITE_FROM else "#222"
    return [
        (
            f'<rect x="{x + 1}" y="{y + 1}" width="{WIDE - 2}" height="{HIGH - 2}"'
            f' fill="{fill}"{frame}/>'
        ),
        draw_text(
            x + WIDE / 2,
            y + 16,
            told if value is None else f"{value * 100:.0f}",
            anchor="middle",
            ink=ink,
        ),
    ]


def _colour(value: float) -> str:
    share = min(1.0, max(0.0, value))
    return "#" + "".join(f"{round(247 + (dark - 247) * share):02x}" for dark in DARK)


def _slanted(x: float, y: float, text: str) -> str:
    turned = f'transform="rotate(-50 {x:.1f} {y:.1f})"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {turned} fill="#222">{escape(text)}</text>'
