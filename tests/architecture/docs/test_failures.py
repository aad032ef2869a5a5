"""docs/FAILURES.md promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


TEST_NAME = re.compile(r"`(test_[a-z0-9_]+)`")


def test_each_fault_names_tests_that_exist(tree: Tree) -> None:
    there = {
        node.name
        for path in tree.python_files
        if path.parts[0] == "tests"
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    unproven = [
        fault
        for fault, _, _, tests in tree.rows("docs/FAILURES.md", "failures")
        if not TEST_NAME.findall(tests) or set(TEST_NAME.findall(tests)) - there
    ]

    assert unproven == []


def test_each_fault_is_told_of_whole(tree: Tree) -> None:
    rows = tree.rows("docs/FAILURES.md", "failures")

    assert rows
    assert [row[0] for row in rows if not all(row)] == []
