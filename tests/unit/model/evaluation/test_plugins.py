"""A plug-in says why it is not computed; it never gives a number that it did not compute."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from model.evaluation.plugins import PLUGINS, Plugin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RADGRAPH = PLUGINS[0]


class Library:
    """RadEval's own way of being called, without its weights."""

    def __init__(self, metrics: Sequence[str], **options: object) -> None:
        assert (tuple(metrics), options["per_sample"]) == (("radgraph",), True)

    def __call__(self, refs: list[str], hyps: list[str]) -> dict[str, list[float]]:
        return {"radgraph_partial": [float(a == b) for a, b in zip(refs, hyps, strict=True)]}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "radeval", SimpleNamespace(RadEval=Library))


def with_weights_in(folder: Path, plugin: Plugin = RADGRAPH) -> Plugin:
    return replace(plugin, weights=((folder, "**/radgraph-xl*"),))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda one: one.name)
def test_without_the_library_the_reason_is_told(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert plugin.unavailable() == "not computed: radeval not installed"


@pytest.mark.usefixtures("installed")
def test_without_its_weights_the_reason_is_told(tmp_path: Path) -> None:
    assert with_weights_in(tmp_path).unavailable() == "not computed: weights missing"


@pytest.mark.usefixtures("installed")
def test_code_that_comes_with_weights_is_not_run() -> None:
    green = next(plugin for plugin in PLUGINS if plugin.name == "GREEN")

    assert "code of their own" in str(green.unavailable())


@pytest.mark.usefixtures("installed")
def test_with_library_and_weights_it_is_computed(tmp_path: Path) -> None:
    (tmp_path / "0.1.18").mkdir()
    (tmp_path / "0.1.18" / "radgraph-xl.tar.gz").touch()
    plugin = with_weights_in(tmp_path)

    assert plugin.unavailable() is None
    assert plugin.score(["a", "b"], ["a", "c"]) == {"radgraph_partial": [1.0, 0.0]}
    assert plugin.meaning.keys() == {"radgraph_partial"}
