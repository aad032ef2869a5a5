"""docs/FAILURES.md promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


TEST_NAME = re.compile(r"`(test_[a-z0-9_]+)`")


def faults(tree: Tree) -> list[list[str]]:
    """Return the table's rows but for those that only carry a bold title."""
    rows = tree.rows("docs/FAILURES.md", "failures")
    return [row for row in rows if not row[0].startswith("**")]


def test_each_fault_names_tests_that_exist(tree: Tree) -> None:
    there = {
        node.name
        for path in tree.python_files
        if path.parts[0] == "tests"
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = {fault: set(TEST_NAME.findall(tests)) for fault, _, _, tests in faults(tree)}

    assert named
    assert {fault: tests - there for fault, tests in named.items() if tests - there} == {}
    assert [fault for fault, tests in named.items() if not tests] == []


def test_each_fault_is_told_of_whole(tree: Tree) -> None:
    assert [row[0] for row in faults(tree) if len(row) != 4 or not all(row)] == []
