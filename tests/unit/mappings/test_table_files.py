"""CSV files of a site."""

from __future__ import annotations

import pytest

from mappings import table_files
from mappings.domain import Modality
from mappings.errors import SiteMappingError
from mappings.table_files import read_rows


@pytest.mark.parametrize(
    "text",
    [
        "code,section\nA, findings \n",
        "code;section\r\nA;findings\r\n",
        "\ufeffCode,Section\n\n,\nA,findings,\n",
        'code,section\n"A",findings',
    ],
)
def test_the_forms_that_spreadsheets_write_are_read_alike(text: str) -> None:
    rows = list(read_rows("f.csv", text, needed=("code", "section")))

    assert [(row.text("code"), row.text("section")) for row in rows] == [("A", "findings")]


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("", "column_missing", "f.csv: row 1: code"),
        ("section\n", "column_missing", "f.csv: row 1: code"),
        ("code,colour\n", "unknown_column", "f.csv: row 1: colour"),
        ("code,code\n", "given_twice", "f.csv: row 1: code"),
        ("code\nA,B\n", "too_many_cells", "f.csv: row 2"),
        ('code\n"A\n', "not_csv", "f.csv: row 2"),
    ],
)
def test_a_file_of_another_form_is_refused_by_its_row(text: str, reason: str, where: str) -> None:
    with pytest.raises(SiteMappingError) as refused:
        read_rows("f.csv", text, needed=("code",), optional=("side",))

    assert (refused.value.reason, refused.value.where) == (reason, where)


def test_other_columns_of_a_published_file_pass() -> None:
    rows = list(read_rows("f.csv", "x,code,x\n1,A,2\n", needed=("code",), optional=None))

    assert [row.text("code") for row in rows] == ["A"]


def test_cells_are_checked_when_they_are_read() -> None:
    _, row = read_rows("f.csv", "code,m\nA,\n,XX\n", needed=("code", "m"))

    for read in (lambda: row.text("code"), lambda: row.member("m", Modality)):
        with pytest.raises(SiteMappingError, match=r"bad_value at f\.csv: row 3: "):
            read()


def test_a_code_that_comes_twice_is_refused_whatever_its_case() -> None:
    rows = read_rows("f.csv", "code\na b\nA  B\n", needed=("code",))

    with pytest.raises(SiteMappingError, match=r"given_twice at f\.csv: row 3: code"):
        list(rows.unique("code"))


def test_the_rows_of_a_file_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "ROWS_MAX", 3)

    assert len(list(read_rows("f.csv", "code\nA\nB\n", needed=("code",)))) == 2
    with pytest.raises(SiteMappingError, match=r"too_many_rows at f\.csv: row 4"):
        read_rows("f.csv", "code\nA\nB\nC\n", needed=("code",))
