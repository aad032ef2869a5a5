"""Plots are well-formed SVG whose marks stand where the numbers are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from model.evaluation.by_reference import Numbers, Part
from model.evaluation.intervals import Interval
from model.evaluation.plots import plot_bars, plot_missed

pytest.importorskip("numpy")

SVG = "{http://www.w3.org/2000/svg}"


def contender(rouge_l: float, missed: float | None) -> Numbers:
    told = None if missed is None else Interval(missed, missed, missed, 4)
    means = {"rouge_l": Interval(rouge_l, rouge_l - 0.1, rouge_l + 0.1, 9), "missed_abnormal": told}
    return Numbers(means, {})


PART = Part("all <1>", 9, {"low": contender(0.2, 0.1), "high": contender(0.8, 0.9)})


def elements(drawn: str, tag: str) -> list[ET.Element]:
    return ET.fromstring(drawn).findall(f"{SVG}{tag}")  # noqa: S314 - our own text


def test_a_bar_is_as_long_as_its_number_and_its_line_spans_the_interval() -> None:
    drawn = plot_bars([PART], "rouge_l")

    _, low, high = (float(one.get("width", "0")) for one in elements(drawn, "rect"))
    first = elements(drawn, "line")[0]
    assert high == pytest.approx(4 * low)
    assert float(first.get("x2", "0")) - float(first.get("x1", "0")) == pytest.approx(low, abs=0.2)
    assert "all <1>: low" in {one.text for one in elements(drawn, "text")}


def test_who_gains_more_stands_to_the_right_and_who_misses_more_above() -> None:
    low, _, high, _ = elements(plot_missed(PART), "circle")

    assert float(low.get("cx", "0")) < float(high.get("cx", "0"))
    assert float(low.get("cy", "0")) > float(high.get("cy", "0"))


def test_points_that_lie_together_are_told_by_their_numbers() -> None:
    part = Part("all", 9, {"one": contender(0.5, 0.1), "other": contender(0.5, 0.1)})

    drawn = plot_missed(part)

    texts = {one.text: float(one.get("y", "0")) for one in elements(drawn, "text")}
    assert {"1", "2", "1 one", "2 other"} <= texts.keys()
    assert texts["1 one"] != texts["2 other"]


def test_what_has_no_number_has_no_mark() -> None:
    part = Part("all", 9, {"normal only": contender(0.5, None)})

    assert elements(plot_missed(part), "circle") == []
