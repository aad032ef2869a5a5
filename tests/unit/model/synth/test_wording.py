"""Articles, capitals and sizes."""

from __future__ import annotations

import random

import pytest

from model.evaluation.truth import sizes_mm
from model.synth.lexicon import Style
from model.synth.wording import capitalised, drawn_size, filled, sentence

MM = Style(site="s", style=None, labels="none", wrap=0, unit="mm", items="sentences")
CM = MM.model_copy(update={"unit": "cm"})
MIXED = MM.model_copy(update={"unit": "mixed"})


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a corpus is no secret


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("5 mm", "a 5 mm stone"),
        ("8 mm", "an 8 mm stone"),
        ("80 mm", "an 80 mm stone"),
        ("11 mm", "an 11 mm stone"),
        ("18 mm", "an 18 mm stone"),
        ("1.1 cm", "a 1.1 cm stone"),
        ("110 mm", "a 110 mm stone"),
    ],
)
def test_an_article_follows_the_sound_of_the_size(size: str, expected: str) -> None:
    assert filled("a {size} stone", {"size": size}) == expected


def test_an_article_follows_the_sound_of_the_word() -> None:
    assert filled("A {severity} tear of a {place}", {"severity": "acute", "place": "knee"}) == (
        "An acute tear of a knee"
    )


def test_a_sentence_has_one_capital_and_one_full_stop() -> None:
    assert sentence("small effusion") == "Small effusion."
    assert sentence("Small effusion.") == "Small effusion."
    assert capitalised("") == ""


@pytest.mark.parametrize("style", [MM, CM, MIXED])
@pytest.mark.parametrize("area", [True, False])
def test_a_size_says_its_largest_diameter_exactly(style: Style, area: bool) -> None:  # noqa: FBT001 - a case
    for seed in range(200):
        size = drawn_size(chance(seed), (3, 60), style, area=area)
        written = sizes_mm(size.text)

        assert written[0] == size.mm == max(written)
        assert 3 <= size.mm <= 60
        assert len(written) <= (2 if area else 1)


def test_a_size_below_a_centimetre_is_always_written_in_millimetres() -> None:
    sizes = [drawn_size(chance(seed), (2, 9), CM, area=False) for seed in range(50)]

    assert all(size.text == f"{size.mm} mm" for size in sizes)
    assert drawn_size(chance(0), (23, 23), CM, area=False).text == "2.3 cm"
