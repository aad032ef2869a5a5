"""Spine levels are places in a row, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.checks.spine import find_levels, is_covered

# C1 is place 0; T1 is 7, L1 is 19, S1 is 24.
LEVELS = [
    ("C1", [(0, 0)]),
    ("S5", [(28, 28)]),
    ("L4", [(22, 22)]),
    ("l4", [(22, 22)]),
    ("L4-L5", [(22, 23)]),
    ("L4-5", [(22, 23)]),
    ("L4/5", [(22, 23)]),
    ("L4\u2013L5", [(22, 23)]),
    ("L4 to L5", [(22, 23)]),
    ("L3 through S1", [(21, 24)]),
    ("L5-S1", [(23, 24)]),
    ("C7-T1", [(6, 7)]),
    ("T12", [(18, 18)]),
    ("Th12", [(18, 18)]),
    ("L2 and L4", [(20, 20), (22, 22)]),
    ("L2, L4", [(20, 20), (22, 22)]),
]
NO_LEVELS = ["L6", "C8", "T13", "S6", "L0", "T2 mm", "CT2", "L4.5", "T1%", "C3PO", "x.L4", "spine"]


@pytest.mark.parametrize(("text", "places"), LEVELS)
def test_a_level_is_read_as_its_place(text: str, places: list[tuple[int, int]]) -> None:
    assert [(one.first, one.last) for one in find_levels(f"Disc at {text}.")] == places


@pytest.mark.parametrize("text", NO_LEVELS)
def test_what_only_looks_like_a_level_is_none(text: str) -> None:
    assert find_levels(text) == []


def test_a_level_stands_at_its_place_in_the_text() -> None:
    text = "Bulge at L4-L5, fracture of T12."

    assert [text[slice(*one.span)] for one in find_levels(text)] == ["L4-L5", "T12"]


@pytest.mark.parametrize(
    ("told", "known", "is_known"),
    [
        ("L4", "L4", True),
        ("L4", "L3-L5", True),
        ("L4", "L3 and L5", False),
        ("L4", "L5", False),
        ("L3-L5", "L3-L4. L4-L5.", True),
        ("L4-L5", "L3-S1", True),
        ("L4-L5", "L4. L5.", True),
        ("L4-L5", "L3-L4. L5-S1.", False),
        ("L3-S1", "L3-L4. L5-S1.", False),
        ("L5-S1", "L5. S1.", True),
        ("C7-T1", "C6-T2", True),
        ("L4-L5", "", False),
    ],
)
def test_a_stretch_is_covered_when_nothing_of_it_is_missing(
    told: str, known: str, *, is_known: bool
) -> None:
    (level,) = find_levels(told)

    assert is_covered(level, find_levels(known)) is is_known


@given(st.lists(st.sampled_from([text for text, _ in LEVELS]), min_size=1, max_size=5))
def test_levels_always_cover_themselves(texts: list[str]) -> None:
    levels = find_levels(". ".join(texts))

    assert all(is_covered(level, levels) for level in levels)


@given(st.text(alphabet="CTLSthx0123456789-/ and", max_size=40))
def test_every_level_is_a_stretch_of_the_spine(text: str) -> None:
    for level in find_levels(text):
        assert 0 <= level.first <= level.last <= 28
        assert 0 <= level.span[0] < level.span[1] <= len(text)
