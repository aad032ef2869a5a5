"""Each source file has its unit tests where a reader looks for them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


Function = ast.FunctionDef | ast.AsyncFunctionDef
UNIT = Path("tests/unit")
# A part that has no life of its own, and the tests of the whole that run it.
TESTED_WITHIN = {
    Path("daemon/config_drafts.py"): UNIT / "daemon/test_serving_drafts.py",
    Path("daemon/config_fhir.py"): UNIT / "daemon/test_config.py",
    Path("daemon/errors.py"): UNIT / "daemon/test_stage.py",
    Path("daemon/journal_commit.py"): UNIT / "daemon/test_journal_writer.py",
    Path("daemon/journal_questions.py"): UNIT / "daemon/test_journal_sqlite.py",
    Path("daemon/config_mllp.py"): UNIT / "daemon/test_config.py",
    Path("daemon/config_values.py"): UNIT / "daemon/test_config.py",
    Path("interfaces/fhir_retries.py"): UNIT / "interfaces/test_fhir_client.py",
    Path("interfaces/mllp_faults.py"): UNIT / "interfaces/test_mllp_connection.py",
}


def states_something(function: Function) -> bool:
    """Tell whether a function does more than document itself."""
    rest = function.body[1:] if ast.get_docstring(function) else function.body
    return any(not (isinstance(node, ast.Expr | ast.Pass)) for node in rest)


def has_behaviour(module: ast.Module) -> bool:
    """Tell whether a file has a function with a body; a port or a set of types has none."""
    functions = [
        node for node in ast.walk(module) if isinstance(node, Function) and node.name != "__init__"
    ]
    return any(states_something(function) for function in functions)


def mirror_of(source: Path) -> Path:
    """Return where the unit tests of a source file belong."""
    return UNIT / source.parent / f"test_{source.stem.strip('_')}.py"


def test_each_source_file_has_its_unit_tests(tree: Tree) -> None:
    tested = set(tree.files)

    missing = [
        str(mirror_of(path))
        for path in tree.sources
        if path.stem != "__init__"
        and has_behaviour(tree.parse(path))
        and TESTED_WITHIN.get(path, mirror_of(path)) not in tested
    ]

    assert missing == []


def test_each_unit_test_file_has_its_source_file(tree: Tree) -> None:
    expected = {mirror_of(path) for path in tree.sources}
    there = {path for path in tree.python_files if path.is_relative_to(UNIT)}

    strays = {path for path in there - expected if path.name.startswith("test_")}

    assert strays == set()


def test_a_file_said_to_be_tested_within_another_still_exists(tree: Tree) -> None:
    assert set(TESTED_WITHIN) <= set(tree.sources)
