"""The tables of the report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model.costs import Cost
from model.transfer.tables import cost_note, tables_of
from tests.unit.model.transfer_samples import make_transfer

if TYPE_CHECKING:
    from pathlib import Path

    from model.transfer.tables import Table


def tables(tmp_path: Path) -> dict[str, Table]:
    return {one.title: one for one in tables_of(make_transfer(tmp_path))}


def test_every_row_has_a_cell_for_each_column(tmp_path: Path) -> None:
    for one in tables(tmp_path).values():
        assert one.rows, one.title
        assert {len(row) for row in one.rows} == {len(one.head)}


def test_the_names_of_a_row_tell_it_from_every_other(tmp_path: Path) -> None:
    for one in tables(tmp_path).values():
        assert len({row[: one.names] for row in one.rows}) == len(one.rows), one.title


def test_institutions_tell_their_systems_and_who_is_trained_on(tmp_path: Path) -> None:
    rows = tables(tmp_path)["Institutions"].rows

    assert rows[0] == ("north", "6", "12", "en", "chest 9, abdomen 3", "0", "yes")
    assert rows[1] == ("south", "-", "6 (2 too long, left out)", "en", "chest 6", "2", "no")


def test_home_is_marked_and_baselines_stand_beside(tmp_path: Path) -> None:
    rows = tables(tmp_path)["Findings, all reports of an institution"].rows

    assert [row[1:3] for row in rows] == [
        ("model", "north *"),
        ("model", "south"),
        ("nearest", "north *"),
        ("nearest", "south"),
        ("constant", "north *"),
        ("constant", "south"),
    ]
    assert rows[0][3] == "100.0 (100.0-100.0)"


def test_too_few_reports_say_so(tmp_path: Path) -> None:
    rows = tables(tmp_path)["By body system"].rows

    assert ("north", "model", "north *", "abdomen", "3", *["n too small"] * 7) in rows


def test_costs_stand_with_what_is_assumed(tmp_path: Path) -> None:
    told = dict(tables(tmp_path)["What the model costs"].rows)

    assert told["parameters"] == "134,500,000"
    assert told["memory, MB"] == "950"
    assert told["latency alone p95, s"] == "2.50"
    assert told["tokens per second, alone"] == "5.0"
    assert told["reports per hour, together"] == "7200"
    assert told["joules per report, together"] == "8.3"
    note = cost_note(make_transfer(tmp_path))
    assert "an estimate: 10 W for each busy core" in note
    assert "0.3 a kWh, 0.2 a machine hour" in note


def test_counted_energy_is_called_counted(tmp_path: Path) -> None:
    transfer = make_transfer(tmp_path)
    (cost,) = transfer.costs
    counted = replace(cost.alone, usage=Cost(1, 1, 5.0, gpu_peak_mb=9.0))

    note = cost_note(replace(transfer, costs=(replace(cost, alone=counted, together=()),)))

    assert "RAPL" in note
    assert "400 W for a GPU" in note


def test_the_labellers_own_numbers_are_told(tmp_path: Path) -> None:
    rows = tables(tmp_path)["How right the labeller is"].rows

    assert rows == (("en", "12", "8", "100.0%", "100.0%", "-"),)
