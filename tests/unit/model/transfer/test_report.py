"""The report's files: no text of a report in any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from model.transfer.report import DRAWN, as_dict, write_report
from tests.unit.model.transfer_samples import FINDINGS, IMPRESSIONS, make_transfer

if TYPE_CHECKING:
    from pathlib import Path


def test_the_report_is_written_with_its_maps(tmp_path: Path) -> None:
    write_report(tmp_path, make_transfer(tmp_path))

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "transfer.json",
        "report.md",
        "report.html",
        *(f"{metric}.svg" for metric in DRAWN),
    }
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == len(DRAWN)
    assert "Away from home" in (tmp_path / "report.md").read_text()


def test_no_text_of_a_report_is_in_it(tmp_path: Path) -> None:
    write_report(tmp_path, make_transfer(tmp_path))

    for path in tmp_path.iterdir():
        told = path.read_text()
        assert not any(text in told for text in (*FINDINGS, *IMPRESSIONS)), path.name


def test_the_numbers_are_told_for_programs(tmp_path: Path) -> None:
    told = json.loads(json.dumps(as_dict(make_transfer(tmp_path))))

    assert [(row["trained_on"], row["writer"]) for row in told["rows"]] == [
        ("north", "model"),
        ("north", "nearest"),
        ("north", "constant"),
    ]
    home = told["rows"][0]["judged_on"]["north"]
    assert home["all"]["f1"]["mean"] == 1.0
    assert home["abdomen"] == {"reports": 3}
    assert told["institutions"]["south"]["judged"] == 6
    assert told["institutions"]["south"]["left_out"] == 2
    assert told["labeller"][0]["found"] == 8
    assert told["rates"]["watts_per_core"] == 10.0
