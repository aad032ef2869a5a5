"""The curve of a run: its losses as JSON, and drawn as SVG. The same losses make the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.training.loop import Position

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 40, 44
TRAIN_COLOUR, DEV_COLOUR = "#9db4d8", "#c4622d"
POINTS_MAX = 400
"""More steps than this are drawn as the means of neighbours."""

Point = tuple[float, float]


def write_curve(out: Path, position: Position) -> None:
    """Write curve.json and curve.svg."""
    told = {"train": position.losses, "dev": position.dev_losses, "best_step": position.best_step}
    (out / "curve.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    (out / "curve.svg").write_text(draw_curve(position), encoding="utf-8")


def draw_curve(position: Position) -> str:
    """Draw the loss of each step, and the dev loss at each look."""
    train = _thinned(position.losses)
    dev = [(float(step), loss) for step, loss in position.dev_losses.items()]
    highest = max((loss for _, loss in [*train, *dev]), default=1.0) or 1.0
    last = max(1, position.step)
    inner = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM)

    def place(point: Point) -> Point:
        return LEFT + inner[0] * point[0] / last, TOP + inner[1] * (1 - point[1] / highest)

    drawn = [
        _line([place(point) for point in train], TRAIN_COLOUR, 1),
        _line([place(point) for point in dev], DEV_COLOUR, 2),
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{DEV_COLOUR}"/>'
            for x, y in map(place, dev)
        ),
        _line([place((0, highest)), place((0, 0)), place((last, 0))], "#999", 1),
        _text(LEFT, 24, "loss, nats a token"),
        _text(LEFT + 150, 24, "train", TRAIN_COLOUR),
        _text(LEFT + 200, 24, "dev", DEV_COLOUR),
        _text(LEFT - 44, TOP + 4, f"{highest:.2f}"),
        _text(LEFT - 44, HEIGHT - BOTTOM + 4, "0"),
        _text(WIDTH - RIGHT - 80, HEIGHT - BOTTOM + 22, f"step {last}"),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _thinned(losses: Sequence[float]) -> list[Point]:
    stride = -(-len(losses) // POINTS_MAX) or 1
    chunks = [losses[start : start + stride] for start in range(0, len(losses), stride)]
    return [
        (index * stride + (len(chunk) + 1) / 2, sum(chunk) / len(chunk))
        for index, chunk in enumerate(chunks)
    ]


def _line(points: Sequence[Point], colour: str, width: int) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, colour: str = "#222") -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}">{text}</text>'
