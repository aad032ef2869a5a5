"""Reads the parts of a FHIR resource as they stand in its JSON, whatever they should have been.

A part of the wrong kind is no part, and raises nothing. Whether a resource is valid is judged by
fhir_judge.py, once, at the door.

Standard: FHIR JSON; data types Coding, CodeableConcept, CodeableReference, Identifier.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias, cast

Node: TypeAlias = Mapping[str, object]
"""A resource, or a part of one."""


class Coding(NamedTuple):
    """A code with its system and name; empty where it has none."""

    system: str
    code: str
    display: str


def read_object(text: bytes) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        ValueError: Not JSON, or not an object. Its text may quote the input.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the same fate as no JSON
    return cast("dict[str, object]", document)


def find_object(text: bytes) -> dict[str, object] | None:
    """Read a JSON object of another's; None for anything else."""
    try:
        return read_object(text)
    except (ValueError, RecursionError):  # their text quotes the input
        return None


def word(node: Node, *names: str) -> str:
    """Return the text of the first of the elements that has one, trimmed; empty when none has."""
    for name in names:
        value = node.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def parts(node: Node, *names: str) -> list[Node]:
    """Return the objects that stand under names, one or many under each."""
    found: list[Node] = []
    for name in names:
        value = node.get(name)
        each = value if isinstance(value, list) else [value]
        found += [one for one in each if isinstance(one, Mapping)]
    return found


def part(node: Node, *names: str) -> Node:
    """Return the first object under names; an empty one when there is none."""
    return next(iter(parts(node, *names)), {})


def kind_of(resource: Node) -> str:
    """Return the resource's type."""
    return word(resource, "resourceType")


def codings(concepts: list[Node]) -> list[Coding]:
    """Return every coding of concepts; a concept without one gives its text as a display.

    A bare Coding (R4 ImagingStudy.modality) and a CodeableReference (R5) are read as well.
    """
    return [one for concept in concepts for one in _codings_of(concept)]


def _codings_of(concept: Node) -> Iterator[Coding]:
    inner = part(concept, "concept") or concept
    listed = parts(inner, "coding") or ([inner] if word(inner, "code", "display") else [])
    for one in listed:
        yield Coding(word(one, "system"), word(one, "code"), word(one, "display"))
    text = word(inner, "text")
    if text and not listed:
        yield Coding("", "", text)


def name_of(concept: Node) -> str:
    """Return what a concept is called: its text, else a display, else a code."""
    found = codings([concept])
    return (
        word(part(concept, "concept") or concept, "text")
        or next((one.display for one in found if one.display), "")
        or next((one.code for one in found if one.code), "")
    )
