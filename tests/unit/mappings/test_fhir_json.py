"""Parts of a resource as they stand in its JSON, whatever they should have been."""

from __future__ import annotations

import pytest

from mappings.fhir_json import Coding, codings, find_object, kind_of, name_of, part, parts, word


@pytest.mark.parametrize("value", [None, 7, True, "text", ["text"], [None]])
def test_what_is_no_object_is_no_part(value: object) -> None:
    assert parts({"code": value}, "code") == []
    assert part({"code": value}, "code") == {}


def test_one_object_and_a_list_of_them_are_read_alike() -> None:
    assert parts({"a": {"x": 1}, "b": [{"x": 2}, "no", {"x": 3}]}, "a", "b") == [
        {"x": 1},
        {"x": 2},
        {"x": 3},
    ]


@pytest.mark.parametrize("value", [None, 7, "", "  ", {}])
def test_what_is_no_text_is_no_word(value: object) -> None:
    assert word({"status": value}, "status") == ""
    assert word({"status": value, "text": " x "}, "status", "text") == "x"


def test_the_codings_of_a_concept_a_coding_and_a_codeable_reference_are_read_alike() -> None:
    one = {"system": "s", "code": "c", "display": "d"}

    assert (
        codings([{"coding": [one]}, one, {"concept": {"coding": [one]}}])
        == [Coding("s", "c", "d")] * 3
    )
    assert codings([{"text": "Chest"}]) == [Coding("", "", "Chest")]
    assert codings([{"coding": "no"}]) == []


def test_a_concept_is_called_by_its_text_then_a_display_then_a_code() -> None:
    assert name_of({"text": "T", "coding": [{"code": "c", "display": "d"}]}) == "T"
    assert name_of({"coding": [{"code": "c"}, {"code": "e", "display": "d"}]}) == "d"
    assert name_of({"coding": [{"code": "c"}]}) == "c"
    assert name_of({}) == ""


def test_a_resource_without_a_type_has_none() -> None:
    assert kind_of({"resourceType": ["Bundle"]}) == ""


@pytest.mark.parametrize("text", [b"", b"[1]", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_none(text: bytes) -> None:
    assert find_object(text) is None


def test_an_object_of_anothers_is_read() -> None:
    assert find_object(b'{"resourceType": "Task"}') == {"resourceType": "Task"}
