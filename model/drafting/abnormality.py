"""Predicts whether a report's impression will be more than a short normal one.

A radiologist's choice, not a disease: some impressions of normal chests are long, and some abnormal
findings are not worth a word. Logistic regression over the words of the findings, what the rules of
``model/normality.py`` call abnormal in them, and how the nearest training reports were concluded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from model.corpora.asking import findings_of
from model.errors import RecipeRefusedError
from model.evaluation.content import calls_normal
from model.normality import asserted, is_abnormal, problems
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.corpora.schema import CorpusRow
    from model.drafting.recipe import ClassFilter

VOTE_POWERS = (4, 8, 16)
PRIOR_VOTE = 1e-3  # of nobody in particular: a report near to none gets the share of all
SENTENCES_MAX = 4
ITERATIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Predicted:
    """What is held of each report.

    Attributes:
        probabilities: Of not being a short normal one, of each judged report.
        threshold: Above it a report is held not to be a short normal one.
        curve: Invented and missed shares of training, cross-validated, at several thresholds.
    """

    probabilities: list[float]
    threshold: float
    curve: tuple[tuple[float, float, float], ...]

    @property
    def is_abnormal(self) -> list[bool]:
        """The decision for each judged report."""
        return [one > self.threshold for one in self.probabilities]


def predict_abnormality(
    train: Sequence[CorpusRow],
    among_train: np.ndarray[Any, Any],
    reports: Sequence[CorpusRow],
    similarities: np.ndarray[Any, Any],
    plan: ClassFilter,
    seed: int,
) -> Predicted:
    """Learn from the training reports and judge the others.

    Args:
        train: Reports with impressions; both kinds, ``plan.folds`` of each at least.
        among_train: Their similarities to each other, one row a report.
        reports: What is judged; their impressions are not looked at.
        similarities: Of each of them (row) to each training report.
        plan: How many normal ones may be taken for others.
        seed: Of the folds.

    Raises:
        RecipeRefusedError: There are fewer reports of a kind than folds.
    """
    from scipy.sparse import hstack
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    is_other = np.array([not calls_normal(findings_of(row), row.impression) for row in train])
    if min(is_other.sum(), (~is_other).sum()) < plan.folds:
        raise RecipeRefusedError("--train has fewer reports of a kind than folds", "classes.folds")
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    facts = DictVectorizer()
    others = among_train.copy()
    np.fill_diagonal(others, 0.0)  # nobody votes on himself
    learned, asked = (
        hstack([of_words, of_facts, _votes(near, is_other)]).tocsr()
        for of_words, of_facts, near in (
            (words.fit_transform(_texts(train)), facts.fit_transform(_told(train)), others),
            (words.transform(_texts(reports)), facts.transform(_told(reports)), similarities),
        )
    )
    model = LogisticRegression(C=plan.strength, max_iter=ITERATIONS_MAX)
    folds = StratifiedKFold(plan.folds, shuffle=True, random_state=seed)
    told = cross_val_predict(model, learned, is_other, cv=folds, method="predict_proba")[:, 1]
    probabilities = model.fit(learned, is_other).predict_proba(asked)[:, 1]
    return Predicted(
        probabilities=[float(one) for one in probabilities],
        threshold=_threshold(told[~is_other], plan.invented_max),
        curve=_curve(told, is_other),
    )


def _texts(rows: Sequence[CorpusRow]) -> list[str]:
    return [row.findings for row in rows]


def _told(rows: Sequence[CorpusRow]) -> list[dict[str, float]]:
    return [_facts(row.findings) for row in rows]


def _threshold(of_normal: np.ndarray[Any, Any], invented_max: float) -> float:
    """Return the lowest threshold that at most the told share of the normal ones passes."""
    return float(np.quantile(of_normal, 1 - invented_max, method="higher"))


def _curve(
    told: np.ndarray[Any, Any], is_other: np.ndarray[Any, Any]
) -> tuple[tuple[float, float, float], ...]:
    points = []
    for share in (0.02, 0.04, 0.06, 0.08, 0.10, 0.15, 0.20):
        threshold = _threshold(told[~is_other], share)
        invented = float((told[~is_other] > threshold).mean())
        missed = float((told[is_other] <= threshold).mean())
        points.append((threshold, invented, missed))
    return tuple(points)


def _votes(
    similarities: np.ndarray[Any, Any], is_other: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the share of votes of the reports that are not short normal ones, near and nearer."""
    prior = PRIOR_VOTE * is_other.mean()
    shares = []
    for power in VOTE_POWERS:
        votes = similarities**power
        shares.append((votes @ is_other + prior) / (votes.sum(axis=1) + PRIOR_VOTE))
    return np.column_stack(shares)


def _facts(findings: str) -> dict[str, float]:
    """Say what the rules find in the findings, each number about 0..1."""
    sentences = [sentence.text for sentence in split_sentences(findings)]
    abnormal = [sentence for sentence in sentences if is_abnormal(sentence)]
    count = min(len(abnormal), SENTENCES_MAX)
    facts = {
        f"{count} abnormal": 1.0,
        "abnormal": count / SENTENCES_MAX,
        "sentences": len(sentences) / 10,
        "characters": len(findings) / 500,
    }
    named = {problem for sentence in abnormal for problem in problems(asserted(sentence))}
    return facts | {f"problem {problem}": 1.0 for problem in sorted(named)}
