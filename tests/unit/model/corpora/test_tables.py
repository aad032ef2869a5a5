"""CSV and JSON lines with any column names become rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mappings.domain import Modality, Region
from model.corpora.schema import Pseudonyms
from model.corpora.tables import ColumnMap, load_column_map, read_table_rows
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

KEYS = Pseudonyms(b"salt")
COLUMNS = ColumnMap.model_validate(
    {
        "columns": {
            "report_id": "Accession",
            "patient": "MRN",
            "findings": "FINDINGS",
            "impression": "IMPRESSION",
            "exam_display": "Exam",
            "date": "Reported",
        },
        "constants": {"site": "riverside"},
    }
)
HEAD = "Accession,MRN,Exam,Reported,FINDINGS,IMPRESSION\n"


def test_a_csv_row_is_read_by_the_column_map(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(
        HEAD + 'A1,77,CT CHEST,2026-03-04 08:00,"Lungs clear,\nheart normal.",Normal.\n',
        encoding="utf-8-sig",
    )

    (row,) = read_table_rows(path, COLUMNS, KEYS)

    assert row.findings == "Lungs clear,\nheart normal."
    assert (row.site, row.language, row.date) == ("riverside", "en", "2026-03-04")
    assert (row.modality, row.region) == (Modality.CT, Region.CHEST)


def test_patient_and_report_numbers_are_hashed(tmp_path: Path) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(HEAD + "A1,7700,CT,,x,y\nA2,7700,CT,,x,y\nA3,7701,CT,,x,y\n")

    first, second, third = read_table_rows(path, COLUMNS, KEYS)

    assert first.patient_key == second.patient_key != third.patient_key
    assert len({first.report_id, second.report_id, third.report_id}) == 3
    assert "7700" not in str(first.patient_key)
    assert first.report_id != "A1"


def test_ids_are_kept_where_the_map_says_so(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_text('{"id": "CX1", "findings": "x", "exam": "Chest x-ray", "impression": "y"}\n')

    (row,) = read_table_rows(path, load_column_map("openi"), KEYS)

    assert (row.report_id, row.site, row.patient_key) == ("CX1", "openi", None)
    assert (row.modality, row.region) == (Modality.DX, Region.CHEST)


def test_a_modality_may_be_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_text('{"report_id": "1", "modality": "Ultrasound", "region": "ABDOMEN"}\n')

    (row,) = read_table_rows(path, ColumnMap(), KEYS)

    assert (row.modality, row.region) == (Modality.US, Region.ABDOMEN)


@pytest.mark.parametrize(
    ("text", "reason"), [("no json\n", "row_not_json"), ("[1]\n", "row_not_object")]
)
def test_a_bad_line_stops_the_reading(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_text(text)

    with pytest.raises(CorpusUnreadableError, match=reason):
        list(read_table_rows(path, ColumnMap(), KEYS))


@pytest.mark.parametrize(
    ("text", "where"),
    [("columns: {mrn: x}", "columns.mrn"), ("colums: {}", "colums"), ("a: [", None)],
)
def test_a_wrong_column_map_is_refused_with_its_field(
    tmp_path: Path, text: str, where: str | None
) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)

    with pytest.raises(CorpusUnreadableError) as caught:
        load_column_map(str(path))

    assert (where or str(path)) in str(caught.value.where)


def test_a_map_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="cannot_read_column_map"):
        load_column_map(str(tmp_path / "none.yaml"))
