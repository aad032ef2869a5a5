"""Each language's words for what a draft may name."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from model.checks import vocabulary
from model.checks.support import find_unsupported
from model.checks.vocabulary import Concept, vocabulary_of
from model.labels.denials import folded
from model.labels.labeller import has_labels, labels
from tests.unit.model.checks.test_support import findings_of

FOLDER = Path(vocabulary.__file__).parent
LANGUAGES = ("en", "de", "fr", "es", "ro", "zh")
ELSEWHERE = LANGUAGES[1:]


def concepts(language: str) -> tuple[Concept, ...]:
    words = vocabulary_of(language)
    assert words
    return words.concepts


@pytest.mark.parametrize("concept", concepts("en"), ids=lambda concept: concept.name)
def test_what_is_named_speaks_for_itself(concept: Concept) -> None:
    name = concept.name
    if concept.named.search(name):
        assert find_unsupported(findings_of(f"There is {name}."), f"{name}.") is None


def test_a_language_is_known_by_its_primary_tag() -> None:
    assert vocabulary_of("de-CH") is vocabulary_of("de")
    assert vocabulary_of("ja") is None


def test_the_same_is_due_in_every_language() -> None:
    due = {one.name for one in concepts("en") if one.critical}

    for language in ELSEWHERE:
        assert {one.name for one in concepts(language) if one.critical} == due


def test_every_concept_is_of_known_labels_and_has_words_in_every_language() -> None:
    table = yaml.safe_load((FOLDER / "concepts_elsewhere.yaml").read_text(encoding="utf-8"))

    for name, row in table.items():
        assert set(row["named"]) <= set(labels()), name
        assert all(tuple(row[key]) == ELSEWHERE for key in ("evidence", "critical") if key in row)
    assert all(has_labels(language) for language in ELSEWHERE)


@pytest.mark.parametrize("language", ELSEWHERE)
def test_no_pattern_matches_nothing_and_each_is_folded(language: str) -> None:
    for concept in concepts(language):
        for pattern in filter(None, (concept.named, concept.evidence, concept.critical)):
            assert pattern.search("") is None
            assert folded(pattern.pattern) == pattern.pattern.lower(), concept.name


@pytest.mark.parametrize(
    ("sentence", "evident"),
    [
        ("Leber: Gallenblase unauffällig, Leber vergrößert.", "leber vergrossert."),
        ("Leber vergrößert ohne Rundherd.", "leber vergrossert"),
        ("Randwinkel nicht frei.", "randwinkel nicht frei."),
    ],
)
def test_what_is_normal_denied_or_a_heading_is_no_evidence(sentence: str, evident: str) -> None:
    words = vocabulary_of("de")

    assert words
    assert re.sub(r"\s+", " ", words.evident(sentence)).strip() == evident


@pytest.mark.parametrize(("language", "word"), [("de", "kein"), ("fr", "pas de"), ("es", "sin")])
def test_a_sentence_of_nothing_but_denials_does_not_keep_others_waiting(
    language: str, word: str
) -> None:
    words = vocabulary_of(language)
    assert words is not None
    sentence = f"{word} , " * 1500
    started_s = time.process_time()

    words.evident(sentence)

    assert time.process_time() - started_s < 1  # 0.02 s; over 2 s if each part reads all anew
