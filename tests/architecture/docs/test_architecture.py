"""ARCHITECTURE.md draws the life cycle and the files that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.lifecycle import TRANSITIONS

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


ARROW = re.compile(r"^\s*([A-Z]+) --> ([A-Z]+): (.+)$", re.MULTILINE)
ENTRY = re.compile(r"^- `([\w/]+\.py)`: \S", re.MULTILINE)


def test_the_life_cycle_is_drawn_as_it_is_run(tree: Tree) -> None:
    drawn = {
        (start, event.strip(), end)
        for start, end, events in ARROW.findall(tree.section("ARCHITECTURE.md", "life-cycle"))
        for event in events.split(",")
    }

    assert drawn == {
        (start.value, event.value, end.value) for (start, event), end in TRANSITIONS.items()
    }


def test_the_codemap_has_a_line_for_each_source_file(tree: Tree) -> None:
    told = [Path(name) for name in ENTRY.findall(tree.section("ARCHITECTURE.md", "codemap"))]

    assert sorted(told) == sorted(path for path in tree.sources if path.name != "__init__.py")
