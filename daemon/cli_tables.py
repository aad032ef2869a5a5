"""Prints a table of numbers to the terminal: names left, numbers right, nothing cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH_MIN = 110
"""Columns taken where the output is no terminal, or a narrow one."""


def print_table(
    title: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    names: int = 1,
    width_min: int = WIDTH_MIN,
) -> None:
    """Print one table; the first so many columns are ``names``."""
    table = Table(title=title, box=None, padding=(0, 2, 0, 0))
    for place, heading in enumerate(head):
        table.add_column(heading, justify="left" if place < names else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=max(Console().width, width_min)).print(table)
