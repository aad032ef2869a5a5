"""What the tests of training and evaluation share, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.model.tiny_base import make_corpus, make_tiny_base
from tests.unit.model.torch_state import torch_kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("small") / "corpus")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory, small_corpus: Path) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny-base", small_corpus)


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    with torch_kept():
        yield
