"""The curve is told as numbers and drawn as a picture of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from model.training.curve import POINTS_MAX, draw_curve, write_curve
from model.training.loop import Position

if TYPE_CHECKING:
    from pathlib import Path

POSITION = Position(step=4, losses=[4.0, 3.0, 2.0, 1.0], dev_losses={2: 3.5, 4: 2.0}, best_step=4)
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(svg: str) -> list[list[tuple[float, float]]]:
    root = ET.fromstring(svg)  # noqa: S314 - of our own making
    return [
        [
            (float(x), float(y))
            for x, y in (pair.split(",") for pair in line.get("points", "").split())
        ]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_losses_are_written_as_they_are(tmp_path: Path) -> None:
    write_curve(tmp_path, POSITION)

    told = json.loads((tmp_path / "curve.json").read_text())
    assert told == {"train": [4.0, 3.0, 2.0, 1.0], "dev": {"2": 3.5, "4": 2.0}, "best_step": 4}
    assert (tmp_path / "curve.svg").read_text() == draw_curve(POSITION)


def test_a_lower_loss_is_drawn_lower_and_a_later_step_further_right() -> None:
    train, dev, _ = lines_of(draw_curve(POSITION))

    assert len(train) == 4
    assert [x for x, _ in train] == sorted(x for x, _ in train)
    assert [y for _, y in train] == sorted(y for _, y in train)
    assert dev[1] == (train[3][0], train[2][1]), "step 4, loss 2"


def test_a_long_run_is_thinned_to_means() -> None:
    steps = 5 * POINTS_MAX
    position = Position(step=steps, losses=[1.0, 3.0] * (steps // 2))

    train = lines_of(draw_curve(position))[0]

    assert len(train) <= POINTS_MAX
    assert draw_curve(Position()), "nothing done yet"
