"""Gives every guard the tree that it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.source_tree import Tree


@pytest.fixture(scope="session")
def tree() -> Tree:
    """Return the repository that these tests stand in."""
    return Tree(Path(__file__).resolve().parents[2])
