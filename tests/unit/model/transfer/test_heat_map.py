"""The matrix as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from model.transfer.heat_map import columns_of, draw_heat_map
from model.transfer.tables import systems_told
from tests.unit.model.transfer_samples import make_transfer

if TYPE_CHECKING:
    from pathlib import Path


def texts(drawn: str) -> list[str]:
    root = ET.fromstring(drawn)  # noqa: S314 - drawn by us
    return [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]


def test_columns_are_the_systems_that_an_institution_has(tmp_path: Path) -> None:
    rows = make_transfer(tmp_path).rows

    assert columns_of(rows, systems_told()) == [
        ("north", "all"),
        ("north", "chest"),
        ("north", "abdomen"),
        ("south", "all"),
        ("south", "chest"),
    ]


def test_every_cell_is_drawn_and_too_few_reports_say_so(tmp_path: Path) -> None:
    rows = make_transfer(tmp_path).rows
    columns = columns_of(rows, systems_told())

    drawn = draw_heat_map(rows, "f1", columns)

    told = texts(drawn)
    assert {"north: model", "north: nearest", "north: constant"} <= set(told)
    assert told.count("n=3") == 3
    assert told.count("100") == 2
    assert drawn.count('stroke="#c4622d"') == 9


def test_names_are_escaped(tmp_path: Path) -> None:
    rows = make_transfer(tmp_path).rows
    renamed = [type(row)("<b>", row.writer, row.scored) for row in rows]

    drawn = draw_heat_map(renamed, "f1", columns_of(renamed, systems_told()))

    assert "<b>" in texts(drawn)[6]
    assert "&lt;b&gt;" in drawn
