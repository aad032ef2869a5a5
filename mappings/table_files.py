"""Reads a site's CSV files: named columns, one row a line, every mistake told by its row.

A spreadsheet's habits are taken: a byte order mark, semicolons for commas, blank rows.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mappings.errors import SiteMappingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from enum import StrEnum

ROWS_MAX = 1_000_000
"""Rows of one file; the published LOINC/RSNA table has some 30,000."""
_KIND = TypeVar("_KIND", bound="StrEnum")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``where`` is its file and line, the head being row 1."""

    where: str
    values: Mapping[str, str]

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        value = self.optional(column)
        if not value:
            raise self.bad(column)
        return value

    def optional(self, column: str) -> str:
        """Return a cell; empty when it or its column is not there."""
        return self.values.get(column, "")

    def choice(self, column: str, choices: frozenset[str], default: str = "") -> str:
        """Return a cell that holds one of a few words."""
        value = self.optional(column) or default
        if value not in choices:
            raise self.bad(column)
        return value

    def member(self, column: str, kind: type[_KIND]) -> _KIND | None:
        """Return one of an enumeration's values; None when the cell is empty."""
        value = self.optional(column)
        try:
            return kind(value) if value else None
        except ValueError:
            raise self.bad(column) from None

    def bad(self, column: str) -> SiteMappingError:
        """Return the error of a cell that makes no sense."""
        return SiteMappingError("bad_value", f"{self.where}: {column}")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, read once."""

    rows: Sequence[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def unique(self, *columns: str) -> Iterator[Row]:
        """Yield the rows, and refuse one that speaks of the same thing as a row before it."""
        seen: set[tuple[str, ...]] = set()
        for row in self.rows:
            key = tuple(" ".join(row.optional(column).upper().split()) for column in columns)
            if key in seen:
                raise SiteMappingError("given_twice", f"{row.where}: {columns[-1]}")
            seen.add(key)
            yield row


def read_rows(
    where: str,
    text: str,
    *,
    needed: Sequence[str],
    optional: Sequence[str] | None = (),
) -> Rows:
    """Read a CSV file.

    Args:
        where: Its name, for errors.
        text: Its whole text.
        needed: Columns that must be there.
        optional: Columns that may be there and no other; None lets every other column pass.

    Returns:
        Its rows without the blank ones; cells are trimmed, column names as they are given here.

    Raises:
        SiteMappingError: A column is missing or unknown, a row has more cells than the head, or
            there are more than a million rows.
    """
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        head = _read_head(where, next(reader, []), needed, optional)
        return Rows(list(_read_body(where, reader, head)))
    except csv.Error:
        raise SiteMappingError("not_csv", f"{where}: row {reader.line_num}") from None


def _read_head(
    where: str, cells: list[str], needed: Sequence[str], optional: Sequence[str] | None
) -> list[str]:
    names = {name.lower(): name for name in (*needed, *(optional or ()))}
    head = [names.get(cell.strip().lower(), cell.strip()) for cell in cells]
    for name in needed:
        if name not in head:
            raise SiteMappingError("column_missing", f"{where}: row 1: {name}")
    for name in head:
        if optional is not None and name.lower() not in names:
            raise SiteMappingError("unknown_column", f"{where}: row 1: {name}")
        if head.count(name) > 1 and name.lower() in names:
            raise SiteMappingError("given_twice", f"{where}: row 1: {name}")
    return head


def _read_body(where: str, reader: Iterator[list[str]], head: list[str]) -> Iterator[Row]:
    for number, cells in enumerate(reader, 2):
        if number > ROWS_MAX:
            raise SiteMappingError("too_many_rows", f"{where}: row {number}")
        trimmed = [cell.strip() for cell in cells]
        if not any(trimmed):
            continue
        if len(trimmed) > len(head) and any(trimmed[len(head) :]):
            raise SiteMappingError("too_many_cells", f"{where}: row {number}")
        yield Row(f"{where}: row {number}", dict(zip(head, trimmed, strict=False)))
