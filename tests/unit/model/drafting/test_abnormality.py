"""What is predicted: the kind of impression, at a threshold that training alone has set."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("rouge_score")

import numpy as np

from model.drafting.abnormality import Predicted, predict_abnormality
from model.drafting.recipe import ClassFilter
from model.errors import RecipeRefusedError
from model.evaluation.neighbours import NeighbourIndex
from tests.unit.model.drafting_samples import make_reports


def predict(invented_max: float = 0.08) -> Predicted:
    train, asked = make_reports("t", 6), make_reports("q", 2)
    index = NeighbourIndex([row.findings for row in train])
    among, near = (
        np.array([index.similarities(row.findings) for row in rows]) for rows in (train, asked)
    )
    return predict_abnormality(train, among, asked, near, ClassFilter(invented_max=invented_max), 0)


def test_reports_with_something_in_them_are_told_from_clear_ones() -> None:
    predicted = predict()

    assert predicted.is_abnormal == [False, True] * 6
    assert predict() == predicted


def test_fewer_reports_of_a_kind_than_folds_are_refused() -> None:
    with pytest.raises(RecipeRefusedError, match="fewer reports of a kind"):
        predict_abnormality(make_reports("t", 1), np.eye(6), [], np.eye(6), ClassFilter(), 0)


def test_the_threshold_keeps_to_the_share_that_may_be_invented() -> None:
    predicted = predict(invented_max=0.5)

    assert predicted.threshold < predict(invented_max=0.05).threshold
    assert all(0.0 <= invented <= 0.2 for _, invented, _ in predicted.curve)


def test_nobody_votes_on_himself() -> None:
    train = make_reports("t", 6)
    index = NeighbourIndex([row.findings for row in train])
    among = np.array([index.similarities(row.findings) for row in train])
    alone = among.copy()
    np.fill_diagonal(alone, 0.0)

    told, told_alone = (
        predict_abnormality(train, near, train, among, ClassFilter(), 0) for near in (among, alone)
    )

    assert told == told_alone
