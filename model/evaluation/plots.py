"""Plots of a comparison as SVG text: bars with their intervals, and ROUGE-L against missed.

Written by hand: two plain charts are no reason to install a plotting library with the product.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.evaluation.comparison import Part

WIDTH = 720
LEFT, RIGHT, TOP, LINE = 250, 60, 34, 20
SIDE = 420
MARGIN = 56
COLOURS = ("#4063a3", "#c4622d", "#3d8f5f", "#8a4fa0", "#a38a2b", "#5a6b7b")


def plot_bars(parts: Sequence[Part], metric: str) -> str:
    """Draw a mean in percent for each contender of each part, with its interval as a line."""
    bars = [
        (f"{part.name}: {who}", place, one.means[metric])
        for part in parts
        for place, (who, one) in enumerate(part.contenders.items())
    ]
    scale = (WIDTH - LEFT - RIGHT) / 1.0
    drawn = [_text(LEFT, 20, f"{metric}, percent, with 95 % interval")]
    for line, (label, place, told) in enumerate(bars):
        if told is None:
            continue
        y = TOP + line * LINE
        middle = y + LINE / 2 - 2
        drawn += [
            _text(LEFT - 8, middle + 4, label, anchor="end"),
            (
                f'<rect x="{LEFT}" y="{y}" width="{told.mean * scale:.1f}" height="{LINE - 5}"'
                f' fill="{COLOURS[place % len(COLOURS)]}"/>'
            ),
            (
                f'<line x1="{LEFT + told.low * scale:.1f}" x2="{LEFT + told.high * scale:.1f}"'
                f' y1="{middle}" y2="{middle}" stroke="#222" stroke-width="2"/>'
            ),
            _text(LEFT + told.high * scale + 6, middle + 4, f"{told.mean * 100:.1f}"),
        ]
    return _svg(WIDTH, TOP + len(bars) * LINE + 10, drawn)


def plot_missed(part: Part) -> str:
    """Draw each contender by its ROUGE-L and its share of missed abnormals: best is below right.

    A point has its contender's number: names would lie over each other.
    """
    inner = SIDE - 2 * MARGIN
    drawn = [
        (
            f'<rect x="{MARGIN}" y="{MARGIN}" width="{inner}" height="{inner}" fill="none"'
            ' stroke="#999"/>'
        ),
        _text(SIDE / 2, SIDE - 16, "ROUGE-L, percent", anchor="middle"),
        _text(MARGIN, 24, "missed abnormals, percent"),
    ]
    for percent in (0, 50, 100):
        at = inner * percent / 100
        drawn.append(_text(MARGIN + at, SIDE - MARGIN + 18, str(percent), anchor="middle"))
        drawn.append(_text(MARGIN - 6, SIDE - MARGIN - at + 4, str(percent), anchor="end"))
    for number, (who, one) in enumerate(part.contenders.items(), 1):
        gained, missed = one.value("rouge_l"), one.value("missed_abnormal")
        if gained is None or missed is None:
            continue
        x, y = MARGIN + inner * gained, SIDE - MARGIN - inner * missed
        line, colour = MARGIN + number * LINE, COLOURS[(number - 1) % len(COLOURS)]
        drawn += [
            _circle(x, y, colour),
            # Beside it or above it in turn: two that nearly meet can be read.
            _text(x + 8, y + 4, str(number)) if number % 2 else _text(x - 4, y - 8, str(number)),
            _circle(SIDE, line - 4, colour),
            _text(SIDE + 12, line, f"{number} {who}"),
        ]
    return _svg(WIDTH, max(SIDE, MARGIN + (len(part.contenders) + 1) * LINE), drawn)


def _circle(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )
