"""Reports out of CSV and JSON lines, whatever their columns are called: a column map tells.

A map is YAML: ``columns`` names for each field of a row the column it comes from, ``constants``
gives what no column says. Modality and region are read from the exam's name where neither tells.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mappings.domain import Modality, Region
from mappings.exam_names import read_name
from model.corpora.schema import CorpusRow
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.corpora.schema import Pseudonyms

SHIPPED_MAPS = Path(__file__).parent / "maps"
CELL_CHARACTERS_MAX = 2**24
Name = Literal[
    "report_id",
    "patient",
    "site",
    "modality",
    "region",
    "language",
    "exam_code",
    "exam_display",
    "indication",
    "findings",
    "impression",
    "date",
    "style",
]
_DATE_CHARACTERS = 10


class ColumnMap(BaseModel):
    """Where each field of a row comes from.

    Attributes:
        columns: Field to column; a field without one has the column of its own name. ``patient``
            is any number or name of the patient: only its salted hash is kept.
        constants: Field to value, where the row has no column for it or nothing in it.
        keep_report_ids: Keep the ids as they are; else they are hashed as the patient is, since an
            accession number leads to a patient, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[Name, str] = Field(default_factory=dict)
    constants: dict[Name, str] = Field(default_factory=dict)
    keep_report_ids: bool = False


def load_column_map(name: str) -> ColumnMap:
    """Read a column map: a file, or the name of one in ``maps/``.

    Raises:
        CorpusUnreadableError: It is not there, or a field of it is wrong.
    """
    shipped = SHIPPED_MAPS / f"{name}.yaml"
    path = shipped if name.isidentifier() and shipped.is_file() else Path(name)
    try:
        return ColumnMap.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        reason = f"cannot_read_column_map ({type(error).__name__})"
        raise CorpusUnreadableError(reason, name) from None
    except yaml.YAMLError:
        raise CorpusUnreadableError("column_map_not_yaml", name) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or name
        raise CorpusUnreadableError(first["msg"], where) from None


def read_table_rows(path: Path, columns: ColumnMap, pseudonyms: Pseudonyms) -> Iterator[CorpusRow]:
    """Read a CSV (``.csv``, ``.tsv``) or JSON lines file, one row after the other.

    Args:
        path: UTF-8, with or without a byte order mark; bytes that are not stay to be seen.
        columns: Which column is what.
        pseudonyms: Makes the keys.

    Raises:
        CorpusUnreadableError: A line cannot be read; ``where`` is its number.
    """
    read = _csv_lines if path.suffix.lower() in {".csv", ".tsv"} else _json_lines
    try:
        for number, told in read(path):
            yield _row(_Told(told, columns), number, pseudonyms, columns)
    except OSError as error:
        reason = f"cannot_read_file ({type(error).__name__})"
        raise CorpusUnreadableError(reason, str(path)) from None


def _csv_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    mark = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file, delimiter=mark)
        try:
            for told in reader:
                yield reader.line_num, told
        except csv.Error:
            raise CorpusUnreadableError("row_not_csv", f"line {reader.line_num}") from None


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                told = json.loads(line)
            except (ValueError, RecursionError):
                raise CorpusUnreadableError("row_not_json", f"line {number}") from None
            if not isinstance(told, dict):
                raise CorpusUnreadableError("row_not_object", f"line {number}")
            yield number, told


class _Told:
    """What a source row says, by our names."""

    def __init__(self, told: Mapping[str, Any], columns: ColumnMap) -> None:
        self._told = told
        self._columns = columns

    def get(self, name: Name) -> str | None:
        value = self._told.get(self._columns.columns.get(name, name))
        text = "" if value is None else str(value)
        return text if text.strip() else self._columns.constants.get(name)


def _row(told: _Told, number: int, pseudonyms: Pseudonyms, columns: ColumnMap) -> CorpusRow:
    own_id = told.get("report_id") or f"line {number}"
    patient = told.get("patient")
    site = told.get("site") or "unknown"
    language = told.get("language") or "en"
    date = told.get("date")
    exam = told.get("exam_display")
    return CorpusRow(
        report_id=own_id if columns.keep_report_ids else pseudonyms.of("report", site, own_id),
        patient_key=None if patient is None else pseudonyms.of("patient", site, patient.strip()),
        site=site,
        language=language,
        modality=_modality(told.get("modality"), exam, language),
        region=_region(told.get("region"), exam, language),
        exam_code=told.get("exam_code"),
        exam_display=exam,
        indication=told.get("indication"),
        findings=told.get("findings") or "",
        impression=told.get("impression") or "",
        date=None if date is None else date.strip()[:_DATE_CHARACTERS],
        style=told.get("style"),
    )


def _modality(told: str | None, exam: str | None, language: str) -> Modality | None:
    """Return the modality as coded, else as its own words or the exam's name tell."""
    if told and told.strip().upper() in Modality.__members__:
        return Modality(told.strip().upper())
    return read_name(told or "", language).modality or read_name(exam or "", language).modality


def _region(told: str | None, exam: str | None, language: str) -> Region | None:
    if told and told.strip().upper() in Region.__members__:
        return Region(told.strip().lower())
    return read_name(told or "", language).region or read_name(exam or "", language).region
