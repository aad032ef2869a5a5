"""What a sentence leaves standing once what it denies is gone."""

from __future__ import annotations

import re

import pytest

from model.labels.denials import asserted_in, clauses_of, folded


@pytest.mark.parametrize(
    ("language", "sentence", "left"),
    [
        ("en", "No effusion, but a fracture.", "a fracture."),
        ("de", "Kein Erguss; Rippenfraktur links.", "rippenfraktur links."),
        ("de-CH", "Ein Pneumothorax ist nicht nachweisbar.", ""),
        ("de", "Nicht dislozierte Fraktur.", "nicht dislozierte fraktur."),
        ("fr", "Épanchement sans pneumothorax.", "epanchement"),
        ("es", "Sin derrame pleural.", ""),
        ("zh", "左侧气胸，未见积液。", "左侧气胸"),  # noqa: RUF001 - Chinese
    ],
)
def test_what_is_denied_is_taken_out(language: str, sentence: str, left: str) -> None:
    assert asserted_in(sentence, language) == left


def test_a_clause_states_what_stands_outside_its_denial() -> None:
    (clause,) = clauses_of("Erguss links, kein Pneumothorax.", "de")

    assert clause.states(re.compile("erguss"))
    assert not clause.states(re.compile("pneumothorax"))


def test_a_folded_text_has_small_letters_without_accents() -> None:
    assert folded("Œdème größer") == "oedeme grosser"
