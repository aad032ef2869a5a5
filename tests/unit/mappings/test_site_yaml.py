"""YAML read as text, key by key."""

from __future__ import annotations

import pytest

from mappings.domain import Region
from mappings.errors import SiteMappingError
from mappings.site_yaml import read_yaml


def test_a_scalar_is_the_text_that_stands_there() -> None:
    table = read_yaml("f", "t: {0123: 'NO', NO: x}").table("t", frozenset({"NO", "x"}))

    assert table == {"0123": "NO", "NO": "x"}


@pytest.mark.parametrize("text", ["", "a:", "a: null", "a: ~", "a: ''"])
def test_absent_empty_and_null_are_the_same(text: str) -> None:
    reader = read_yaml("f", text)

    assert reader.text("a") is None
    reader.refuse_unread()


def test_lists_and_single_words_are_read_alike() -> None:
    assert read_yaml("f", "a: x").texts("a") == ("x",)
    assert read_yaml("f", "a: [x, y]").texts("a") == ("x", "y")
    assert read_yaml("f", "").texts("a") == ()
    assert read_yaml("f", "a: chest").members("a", Region) == {Region.CHEST}
    assert [one.text("x") for one in read_yaml("f", "a: [{x: 1}, {x: 2}]").children("a")] == [
        "1",
        "2",
    ]


@pytest.mark.parametrize(
    ("text", "reason", "where"),
    [
        ("a: [", "not_yaml", "f"),
        ("- a", "not_a_mapping", "f"),
        ("{[a]: b}", "not_yaml", "f"),
        ("a: 1\na: 2", "key_given_twice", "f: a"),
        ("b: {c: 1, c: 2}", "key_given_twice", "f: c"),
    ],
)
def test_what_is_no_mapping_of_different_keys_is_refused(
    text: str, reason: str, where: str
) -> None:
    with pytest.raises(SiteMappingError) as refused:
        read_yaml("f", text)

    assert (refused.value.reason, refused.value.where) == (reason, where)


@pytest.mark.parametrize("value", ["-1", "1.5", "1234567", "[1]", "x"])
def test_a_number_is_whole_and_not_negative(value: str) -> None:
    assert read_yaml("f", "a: 7").number("a", 1) == 7
    assert read_yaml("f", "").number("a", 1) == 1
    with pytest.raises(SiteMappingError, match="bad_value at f: a"):
        read_yaml("f", f"a: {value}").number("a", 1)
