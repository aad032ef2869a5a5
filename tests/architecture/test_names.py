"""The four import names are ours alone: another owner would be imported instead of us, or by us."""

from __future__ import annotations

import importlib
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


PACKAGES = ("daemon", "interfaces", "mappings", "model")


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_installed_distribution_owns_a_name_of_ours(name: str) -> None:
    owners = set(packages_distributions().get(name, ()))

    assert owners <= {"prelim"}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_name_of_ours_imports_this_tree(tree: Tree, name: str) -> None:
    package = importlib.import_module(name)

    assert Path(str(package.__file__)) == tree.root / name / "__init__.py"


def test_the_distribution_cannot_be_uploaded_by_mistake(tree: Tree) -> None:
    project = tomllib.loads(tree.read("pyproject.toml"))["project"]

    # Package indexes refuse every classifier that starts with "Private ::".
    assert "Private :: Do Not Upload" in project["classifiers"]


def test_the_constraints_keep_out_the_other_owner_of_daemon(tree: Tree) -> None:
    assert "python-daemon<0" in tree.read("constraints.txt").splitlines()
