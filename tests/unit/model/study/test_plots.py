"""Plots are SVG, the same from the same results, and left out where nothing can draw."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from model.study.analysis import analyse
from model.study.plots import draw_plots
from model.study.readings import join_answers
from tests.unit.model.study_samples import run_study

if TYPE_CHECKING:
    from pathlib import Path

    from model.study.analysis import Analysis


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return analyse(join_answers(run_study(tmp_path, timed=4)))


def test_ratings_groups_and_times_are_drawn_with_their_names(analysis: Analysis) -> None:
    plots = draw_plots(analysis)

    assert set(plots) == {"ratings", "groups", "time"}
    assert all(ET.fromstring(text).tag.endswith("svg") for text in plots.values())  # noqa: S314 - ours
    assert "conciseness" in plots["ratings"]
    assert "site south" in plots["groups"]


def test_the_same_results_make_the_same_bytes(analysis: Analysis) -> None:
    assert draw_plots(analysis) == draw_plots(analysis)


def test_without_matplotlib_nothing_is_drawn(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert draw_plots(analysis) == {}
