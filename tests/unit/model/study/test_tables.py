"""The tables say in words and figures what the analysis found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.study.analysis import analyse
from model.study.estimates import Interval
from model.study.readings import join_answers
from model.study.tables import interval, number, p_value, percent, percents, tables_of
from tests.unit.model.study_samples import like_the_model, run_study

if TYPE_CHECKING:
    from pathlib import Path

    from model.study.design import Kind


@pytest.mark.parametrize("kind", ["comparison", "turing"])
def test_every_row_has_a_cell_for_every_column(tmp_path: Path, kind: Kind) -> None:
    tables = tables_of(analyse(join_answers(run_study(tmp_path, kind=kind, timed=4))))

    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert len({table.title for table in tables}) == len(tables)


def test_the_tables_of_a_comparison_show_what_was_put_in(tmp_path: Path) -> None:
    study = run_study(tmp_path, timed=4, answer=like_the_model)

    found = {table.title: table for table in tables_of(analyse(join_answers(study)))}

    shares = found["At least as good as the reference"].rows
    assert shares == (("model", "36 of 36", "100.0 %", "90.4 to 100.0", "100.0 to 100.0"),)
    assert found["Votes on which is better"].rows == (("12", "0", "<0.001"),)
    ratings = found["Ratings, 1 to 5 (5 is best)"].rows
    assert ratings[0][:7] == ("accuracy", "12", "5.00", "3.00", "+2.00", "+2.00 to +2.00", "0")
    assert found["Seconds to write an impression"].rows[0][1:4] == ("60.0", "100.0", "-40.0")
    assert [row[0] for row in found["By site"].rows] == ["north", "south"]


def test_the_tables_of_a_turing_study_tell_who_was_taken_for_whom(tmp_path: Path) -> None:
    study = run_study(tmp_path, kind="turing", answer=like_the_model)

    found = {table.title: table for table in tables_of(analyse(join_answers(study)))}

    assert [row[1] for row in found["Who wrote it"].rows] == ["36 of 36", "0 of 36", "0 of 72"]
    assert found["Agreement of readers"].rows[0][:4] == (
        "who wrote it",
        "Fleiss' kappa",
        "24 x 3",
        "1.00",
    )


def test_what_is_not_known_is_no_zero() -> None:
    assert {number(None), percent(None), percents(None), interval(None), p_value(None)} == {"-"}


def test_numbers_are_written_as_journals_do() -> None:
    assert p_value(0.00099) == "<0.001"
    assert p_value(0.0421) == "0.042"
    assert number(-0.001) == "0.00"
    assert percents(Interval(0.1234, 0.5)) == "12.3 to 50.0"
    assert interval(Interval(-0.5, 0.25), "+.1f") == "-0.5 to +0.2"
