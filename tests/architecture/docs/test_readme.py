"""README.md speaks of the commands that are there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typer.main import get_command

from daemon.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.architecture.source_tree import Tree

COMMAND = re.compile(r"`prelim ([a-z][a-z -]*[a-z])")


def command_names(command: object, prefix: str = "") -> Iterator[str]:
    """Yield the full name of each command that does something."""
    children = getattr(command, "commands", None)
    if children is None:
        yield prefix.strip()
        return
    for name, child in children.items():
        if not child.hidden:
            yield from command_names(child, f"{prefix} {name}")


def test_the_commands_table_names_every_command_and_no_other(tree: Tree) -> None:
    told = {COMMAND.findall(row[0])[0] for row in tree.rows("README.md", "commands")}

    assert told == set(command_names(get_command(app)))
