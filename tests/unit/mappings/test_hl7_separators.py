"""MSH-1 and MSH-2."""

from __future__ import annotations

import pytest

from mappings.hl7_separators import DEFAULT_SEPARATORS, Separators, parse_separators


def test_the_usual_five_characters_are_read() -> None:
    assert parse_separators("|", "^~\\&") == DEFAULT_SEPARATORS


def test_a_fifth_character_of_msh_2_is_the_truncation_character() -> None:
    separators = parse_separators("#", "*+!@$")

    assert separators == Separators("#", "*", "+", "!", "@", "$")


def test_a_missing_separator_falls_to_its_default() -> None:
    assert parse_separators("|", "^~\\") == DEFAULT_SEPARATORS
    assert parse_separators("#", "*") == Separators("#", "*", "~", "\\", "&")


@pytest.mark.parametrize(
    ("field", "encoding"),
    [
        ("|", ""),
        ("|", "^~\\&##"),
        ("|", "A~\\&"),
        ("\xe9", "^~\\&"),
        ("|", "^ \\&"),
        ("|", "^~\\\\&"),
        ("&", "^"),
    ],
)
def test_what_cannot_separate_is_no_separator(field: str, encoding: str) -> None:
    assert parse_separators(field, encoding) is None
