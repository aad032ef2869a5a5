"""Plots of a comparison as SVG text: bars with their intervals, and ROUGE-L against missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.svg import draw_picture, draw_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.evaluation.by_reference import Part

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
    scale = WIDTH - LEFT - RIGHT
    drawn = [draw_text(LEFT, 20, f"{metric}, percent, with 95 % interval")]
    for line, (label, place, told) in enumerate(bars):
        if told is None:
            continue
        y = TOP + line * LINE
        middle = y + LINE / 2 - 2
        drawn += [
            draw_text(LEFT - 8, middle + 4, label, anchor="end"),
            (
                f'<rect x="{LEFT}" y="{y}" width="{told.mean * scale:.1f}" height="{LINE - 5}"'
                f' fill="{COLOURS[place % len(COLOURS)]}"/>'
            ),
            (
                f'<line x1="{LEFT + told.low * scale:.1f}" x2="{LEFT + told.high * scale:.1f}"'
                f' y1="{middle}" y2="{middle}" stroke="#222" stroke-width="2"/>'
            ),
            draw_text(LEFT + told.high * scale + 6, middle + 4, f"{told.mean * 100:.1f}"),
        ]
    return draw_picture(WIDTH, TOP + len(bars) * LINE + 10, drawn)


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
        draw_text(SIDE / 2, SIDE - 16, "ROUGE-L, percent", anchor="middle"),
        draw_text(MARGIN, 24, "missed abnormals, percent"),
    ]
    for percent in (0, 50, 100):
        at = inner * percent / 100
        drawn.append(draw_text(MARGIN + at, SIDE - MARGIN + 18, str(percent), anchor="middle"))
        drawn.append(draw_text(MARGIN - 6, SIDE - MARGIN - at + 4, str(percent), anchor="end"))
    for number, (who, one) in enumerate(part.contenders.items(), 1):
        gained, missed = one.value("rouge_l"), one.value("missed_abnormal")
        if gained is None or missed is None:
            continue
        x, y = MARGIN + inner * gained, SIDE - MARGIN - inner * missed
        line, colour = MARGIN + number * LINE, COLOURS[(number - 1) % len(COLOURS)]
        drawn += [
            _circle(x, y, colour),
            # Beside it or above it in turn: two that nearly meet can be read.
            draw_text(x + 8, y + 4, str(number))
            if number % 2
            else draw_text(x - 4, y - 8, str(number)),
            _circle(SIDE, line - 4, colour),
            draw_text(SIDE + 12, line, f"{number} {who}"),
        ]
    return draw_picture(WIDTH, max(SIDE, MARGIN + (len(part.contenders) + 1) * LINE), drawn)


def _circle(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
