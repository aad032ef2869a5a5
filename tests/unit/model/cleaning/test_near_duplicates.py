"""Near texts: exactly those that the definition counts, whatever their number."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.cleaning.near_duplicates import (
    Groups,
    NearIndex,
    Sketches,
    find_leaders,
    join_near,
    text_key,
    words_of,
)

WORDS = ("clear", "effusion", "heart", "left", "lungs", "no", "nodule", "normal", "right", "size")


def jaccard(one: str, other: str) -> float:
    """The definition, counted plainly; a text under three words is one shingle."""
    sets = []
    for text in (one, other):
        words = words_of(text)
        runs = {tuple(words[at : at + 3]) for at in range(len(words) - 2)}
        sets.append(runs or {tuple(words)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def sketched(texts: list[str]) -> Sketches:
    sketches = Sketches()
    for text in texts:
        sketches.add(text)
    return sketches


def changed(text: str, chance: random.Random) -> str:
    words = text.split()
    for _ in range(chance.randrange(4)):
        words[chance.randrange(len(words))] = chance.choice(WORDS)
    return " ".join(words)


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_exactly_the_pairs_of_the_definition_are_found(seed: int, threshold: float) -> None:
    chance = random.Random(seed)  # noqa: S311 - the texts of a test
    stems = [" ".join(chance.choices(WORDS, k=chance.randrange(1, 40))) for _ in range(4)]
    texts = [changed(chance.choice(stems), chance) for _ in range(14)]
    sketches = sketched(texts)

    found = set()
    index = NearIndex(sketches, threshold)
    for place in range(len(texts)):
        found |= {(other, place) for other in index.near(place)}
        index.put(place)

    assert found == {
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if jaccard(texts[one], texts[other]) >= threshold
    }


def test_words_are_one_case_numbers_whole_and_a_chinese_sign_a_word() -> None:
    assert " ".join(words_of("A 1.2 x 3 cm MASS, L4/5.")) == "a 1.2 x 3 cm mass l 4 5"
    assert words_of("\u80ba\u6e05") == ["\u80ba", "\u6e05"]


def test_the_key_of_a_text_does_not_heed_case_and_blanks_but_heeds_parts() -> None:
    assert text_key("No mass.", "Normal") == text_key("no  MASS", "normal.")
    assert text_key("No mass", "normal") != text_key("No mass normal", "")
    assert text_key("No mass", "normal") != text_key("Mass no", "normal")


def test_the_first_of_each_group_is_kept_and_no_chain_takes_all() -> None:
    words = [f"word{number}" for number in range(40)]
    chain = [" ".join(words[start : start + 30]) for start in (0, 1, 2, 3, 4, 5)]

    leaders = dict(find_leaders(sketched(chain), range(6), 0.9))

    assert leaders == {0: None, 1: 0, 2: None, 3: 2, 4: None, 5: 4}


def test_groups_join_through_any_chain() -> None:
    words = [f"word{number}" for number in range(40)]
    chain = [" ".join(words[start : start + 30]) for start in (0, 1, 2, 3)]
    groups = Groups(5)

    joins = join_near(sketched([*chain, "something else altogether here"]), groups, 0.9)

    assert joins == 3
    assert [groups.first_of(place) for place in range(5)] == [0, 0, 0, 0, 4]


@pytest.mark.parametrize("count", [0, 1])
def test_few_texts_have_no_pairs(count: int) -> None:
    assert join_near(sketched(["a b c d"] * count), Groups(count), 0.8) == 0
