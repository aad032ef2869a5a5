"""ROUGE, METEOR, BLEU and chrF agree with the packages that others report with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.evaluation import overlap
from model.evaluation.overlap import (
    BLEU_ORDERS,
    corpus_overlap,
    meteor,
    meteor_kind,
    places_of,
    rouge,
    rouge_l,
)
from model.evaluation.words import words_of

pytest.importorskip("rouge_score")
pytest.importorskip("sacrebleu")
pytest.importorskip("nltk")

VECTORS = Path(__file__).parents[3] / "vectors" / "evaluation" / "metrics.json"
STORED = json.loads(VECTORS.read_text(encoding="utf-8"))


@pytest.fixture
def without_wordnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_wordnet", lambda: None)


@pytest.mark.parametrize("pair", STORED["pairs"])
@pytest.mark.parametrize("is_stemmed", [False, True])
def test_rouge_is_that_of_rouge_score(pair: dict[str, Any], *, is_stemmed: bool) -> None:
    scores = rouge(pair["reference"], pair["draft"], is_stemmed=is_stemmed)

    stored = pair["rouge_stemmed" if is_stemmed else "rouge"]
    assert list(scores.values()) == pytest.approx(stored, abs=1e-6)


@pytest.mark.parametrize("pair", STORED["pairs"])
def test_the_fast_rouge_l_is_that_of_rouge_score(pair: dict[str, Any]) -> None:
    words = words_of(pair["reference"], "en")

    told = rouge_l(places_of(words), len(words), words_of(pair["draft"], "en"))

    assert told == pytest.approx(rouge(pair["reference"], pair["draft"])["rouge_l"], abs=1e-12)


@pytest.mark.usefixtures("without_wordnet")
@pytest.mark.parametrize("pair", STORED["pairs"])
def test_meteor_is_that_of_nltk_without_synonyms(pair: dict[str, Any]) -> None:
    assert meteor(pair["reference"], pair["draft"]) == pytest.approx(pair["meteor"], abs=1e-6)


@pytest.mark.parametrize("corpus", STORED["corpora"], ids=lambda one: one["language"])
def test_bleu_and_chrf_are_those_of_sacrebleu_with_the_languages_tokeniser(
    corpus: dict[str, Any],
) -> None:
    if corpus["tokeniser"] == "ja-mecab":
        pytest.importorskip("MeCab")
    references, drafts = zip(*corpus["pairs"], strict=True)

    scores = corpus_overlap(references, drafts, [corpus["language"]] * len(drafts))

    names = [*(f"bleu_{order}" for order in BLEU_ORDERS), "chrf"]
    assert scores == pytest.approx({name: corpus[name] for name in names}, abs=1e-6)


@pytest.mark.usefixtures("without_wordnet")
def test_meteor_says_what_it_matches_by() -> None:
    assert meteor_kind("en") == meteor_kind("de") == "exact+stem only"
    assert meteor_kind("zh") == "exact only"


def test_chinese_has_a_rouge_and_none_with_stems() -> None:
    scores = rouge("左侧胸腔积液。", "右侧胸腔积液。", "zh")

    assert scores["rouge_1"] == pytest.approx(5 / 6)
    assert set(rouge("左侧胸腔积液。", "右侧胸腔积液。", "zh", is_stemmed=True).values()) == {None}


def test_texts_in_several_languages_are_cut_each_by_its_own() -> None:
    english, chinese = "No acute findings.", "未见急性心肺异常。"

    same = corpus_overlap([english, chinese], [english, chinese], ["en", "zh"])
    other = corpus_overlap([english, chinese], [english, "未见急性心肺疾病。"], ["en", "zh"])

    assert same == pytest.approx(dict.fromkeys(same, 1.0))
    assert 0.5 < other["bleu_1"] < 1.0
