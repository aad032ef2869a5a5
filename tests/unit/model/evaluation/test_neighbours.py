"""The nearest reports are those of scikit-learn's TF-IDF; the consensus is what most say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("numpy")
pytest.importorskip("rouge_score")

from model.evaluation.neighbours import NeighbourIndex, consensus

VECTORS = Path(__file__).parents[3] / "vectors" / "evaluation" / "metrics.json"
STORED = json.loads(VECTORS.read_text(encoding="utf-8"))["tfidf"]


def test_similarities_are_those_of_scikit_learn() -> None:
    index = NeighbourIndex(STORED["train"])

    for asked, expected in zip(STORED["asked"], STORED["similarities"], strict=True):
        assert index.similarities(asked) == pytest.approx(expected, abs=1e-6)


def test_the_nearest_come_first_and_twins_in_the_order_of_training() -> None:
    index = NeighbourIndex(["clear lungs", "left effusion", "clear lungs", "large heart"])

    nearest = index.nearest("lungs are clear", 3)

    assert [place for place, _ in nearest] == [0, 2, 1]
    assert nearest[0][1] == nearest[1][1] > nearest[2][1] == 0.0


def test_chinese_findings_have_neighbours() -> None:
    index = NeighbourIndex(["双肺清晰。", "左侧胸腔积液。"])

    assert index.nearest("左侧少量积液。", 1)[0][0] == 1


def test_findings_of_unknown_words_are_near_to_nothing() -> None:
    assert NeighbourIndex(["clear lungs"]).similarities("zzz qqq") == [0.0]


def test_the_consensus_is_what_most_neighbours_say() -> None:
    said = ["Left effusion.", "No acute disease.", "No acute abnormality.", "No acute disease."]

    assert consensus(said, [0.5, 0.5, 0.5, 0.5], "en") == "No acute disease."


def test_a_much_nearer_report_outvotes_the_others() -> None:
    said = ["Left effusion.", "No acute disease.", "No acute disease."]

    assert consensus(said, [0.9, 0.5, 0.5], "en") == "Left effusion."
