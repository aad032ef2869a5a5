"""Prints a table of numbers to the terminal: names left, numbers right, nothing cut.

A table that is wider than the terminal becomes several, one under the other, each with the names of
its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 110
"""Columns taken where the output is no terminal."""
GAP = 2
ROOM_MIN = 24
"""Columns that a text too long for the terminal is folded into, whatever the names leave."""


def print_table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1
) -> None:
    """Print one table; the first so many columns are ``names``."""
    told = [tuple(row) for row in rows]
    console = Console()
    width = console.width if console.is_terminal else max(console.width, WIDTH)
    widths = [max(map(cell_len, cells)) + GAP for cells in zip(head, *told, strict=True)]
    groups = _fitting(widths, names, width)
    for number, places in enumerate(groups, 1):
        part = f"{title} ({number} of {len(groups)})" if len(groups) > 1 else title
        table = Table(box=None, padding=(0, GAP, 0, 0))
        for place in places:
            is_name = place < names
            side = "left" if is_name else "right"
            table.add_column(head[place], justify=side, no_wrap=is_name, overflow="fold")  # type: ignore[arg-type]
        for row in told:
            table.add_row(*(row[place] for place in places))
        # A name is a text from outside, and no markup.
        shown = Console(width=max(width, sum(widths[:names]) + ROOM_MIN), markup=False, emoji=False)
        shown.print(part, style="italic")
        shown.print(table)


def _fitting(widths: Sequence[int], names: int, width: int) -> list[list[int]]:
    """Return the columns of each table: the names, and as many others as fit, or one."""
    groups: list[list[int]] = [[*range(names)]]
    for place in range(names, len(widths)):
        taken = sum(widths[one] for one in groups[-1])
        if len(groups[-1]) > names and taken + widths[place] > width:
            groups.append([*range(names)])
        groups[-1].append(place)
    return groups
