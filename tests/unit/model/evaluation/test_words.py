"""Words by language: each language keeps its letters, and says how it was cut."""

from __future__ import annotations

import importlib.util

import pytest

from model.evaluation import words
from model.evaluation.words import cut_of, has_stems, words_of

pytest.importorskip("rouge_score")
pytest.importorskip("sacrebleu")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "No X-ray change; 3 mm.", ["no", "x", "ray", "change", "3", "mm"]),
        ("de", "Kein Pleuraerguß, Größe 3 mm", ["kein", "pleuraerguß", "größe", "3", "mm"]),
        ("ro", "Fără leziuni acute.", ["fără", "leziuni", "acute"]),
        ("zh-Hans", "右肺3 mm结节。", ["右", "肺", "3", "mm", "结", "节"]),
    ],
)
def test_each_language_keeps_its_words(language: str, text: str, expected: list[str]) -> None:
    assert words_of(text, language) == expected


def test_japanese_is_cut_by_mecab_or_says_that_it_is_cut_by_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("MeCab")
    with_mecab = (cut_of("ja"), words_of("胸水を認める。", "ja"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    assert with_mecab == ("ja-mecab", ["胸水", "を", "認める"])
    assert cut_of("ja") == "char"
    assert words_of("胸水を認める。", "ja") == list("胸水を認める")


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [("en", "granulomas", "granuloma"), ("de", "Rundherde", "Rundherd"), ("fr", "aiguë", "aiguës")],
)
def test_stems_are_the_same_for_two_forms_of_a_word(language: str, one: str, other: str) -> None:
    assert has_stems(language)
    assert words_of(one, language) != words_of(other, language)
    assert words_of(one, language, is_stemmed=True) == words_of(other, language, is_stemmed=True)


def test_a_language_without_a_stemmer_keeps_its_words_whole() -> None:
    assert not has_stems("zh")
    assert words_of("肺部", "zh", is_stemmed=True) == words_of("肺部", "zh")
    assert words.words_of("plíce", "cs", is_stemmed=True) == ["plíce"]
