"""A file is read in one sitting and a function in one look; nothing is named for having no name."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.architecture.source_tree import Tree


FILE_LINES_MAX = 350
# A test file is a list, read one test at a time.
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 50
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|tmp/brief)/")
REGISTRY_HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|docker\.io|ghcr\.io|quay\.io|mcr\.microsoft"
    r"|download\.pytorch|deb\.debian|crates\.io|proxy\.golang"
)


def offending_lines(tree: Tree, pattern: re.Pattern[str]) -> Iterator[str]:
    """Find a pattern in every text file of the tree."""
    for path in tree.files:
        try:
            lines = tree.read(path).splitlines()
        except UnicodeDecodeError:
            continue
        yield from (f"{path}:{n}" for n, line in enumerate(lines, 1) if pattern.search(line))


def test_no_file_is_too_long_to_read(tree: Tree) -> None:
    def limit(path: Path) -> int:
        return TEST_FILE_LINES_MAX if path.parts[0] == "tests" else FILE_LINES_MAX

    lengths = {path: len(tree.read(path).splitlines()) for path in tree.python_files}

    assert [f"{path}: {n}" for path, n in lengths.items() if n > limit(path)] == []


def test_no_function_is_too_long_to_see(tree: Tree) -> None:
    too_long = [
        f"{path}:{node.lineno} {node.name}"
        for path in tree.python_files
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert too_long == []


def test_no_file_is_named_for_having_no_subject(tree: Tree) -> None:
    parts = {path: {*path.parts[:-1], path.stem} for path in tree.python_files}

    assert [str(path) for path, names in parts.items() if names & NAMELESS] == []


def test_nothing_is_marked_as_unfinished(tree: Tree) -> None:
    assert list(offending_lines(tree, UNFINISHED)) == []


def test_no_file_names_a_path_of_one_machine(tree: Tree) -> None:
    assert list(offending_lines(tree, MACHINE_PATHS)) == []


def test_no_file_names_a_package_registry(tree: Tree) -> None:
    assert list(offending_lines(tree, REGISTRY_HOSTS)) == []
