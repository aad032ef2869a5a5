"""Who may import whom; and the gateway process never loads torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.architecture.source_tree import Tree


MODEL_LIBRARIES = {"torch", "transformers", "peft", "accelerate", "safetensors", "gguf", "trl"}
MAY_LOAD_A_MODEL = ("model/engines/", "model/training", "model/evaluation", "model/base_model")


def imported_names(module: ast.Module) -> Iterator[str]:
    """Yield the top-level name of every import, wherever in the file it stands."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.timeout(120)
def test_the_import_contracts_hold(tree: Tree) -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [lint_imports, "--no-cache"], cwd=tree.root, check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout


def test_model_libraries_are_named_only_where_a_model_runs(tree: Tree) -> None:
    strangers = [
        f"{path} imports {name}"
        for path in tree.sources
        if not str(path).startswith(MAY_LOAD_A_MODEL)
        for name in imported_names(tree.parse(path))
        if name in MODEL_LIBRARIES
    ]

    assert strangers == []


@pytest.mark.process
@pytest.mark.parametrize("module", ["daemon.app", "model.engines.openai_compatible"])
def test_the_gateway_starts_without_loading_a_model_library(tree: Tree, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import model.worker, {module}"],
        cwd=tree.root,
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}

    assert module in loaded
    assert {name.split(".")[0] for name in loaded} & MODEL_LIBRARIES == set()
