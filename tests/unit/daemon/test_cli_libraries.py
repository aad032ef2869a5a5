"""A library that is not there is named with the extra that brings it."""

from __future__ import annotations

import pytest

from daemon.cli_libraries import require_libraries
from model.errors import EngineUnavailableError


def test_every_missing_library_is_named_with_its_extra_and_what_asks_for_it() -> None:
    with pytest.raises(EngineUnavailableError) as caught:
        require_libraries("study", "json", "not_there", "nor_this", asked_by="--recipe")

    assert caught.value.reason == "not_there, nor_this not installed: install prelim[study]"
    assert caught.value.where == "--recipe"


def test_what_is_installed_is_let_pass() -> None:
    require_libraries("model", "json", "csv")
