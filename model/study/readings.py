"""The answers joined with the key: only here does an answer get to know whose text it judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model.errors import StudyInputError
from model.study.cases import SOURCES
from model.study.files import ANSWERS, KEY, read_json
from model.study.forms import KEY_FORMAT
from model.study.questions import SCALES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from model.study.cases import Source
    from model.study.design import Kind


@dataclass(frozen=True, slots=True)
class Place:
    """Which case a reader judged, and where it comes from."""

    reader: str
    case: str = field(repr=False)
    site: str
    modality: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One text judged by one reader."""

    place: Place
    source: Source
    ratings: Mapping[str, int]
    said: Source | None
    """In a Turing study, whom the reader took for the writer."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Whose text a reader found better: ``model``, ``reference`` or ``same``."""

    place: Place
    better: str


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a reader took."""

    place: Place
    has_draft: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Answers:
    """All that came back of a study."""

    study_id: str
    kind: Kind
    readers: tuple[str, ...]
    cases: int
    items: int
    """Rows given out, without those of timing."""
    readings: tuple[Reading, ...]
    preferences: tuple[Preference, ...]
    timings: tuple[Timing, ...]
    answered: int
    """Rows of ``items`` that came back."""


def join_answers(study: Path) -> Answers:
    """Read the key and every stored answer.

    Raises:
        StudyInputError: There is no key, no answer yet, or an answer that the key does not know.
    """
    key = read_json(study / KEY)
    if not isinstance(key, dict) or key.get("format") != KEY_FORMAT:
        raise StudyInputError("not_a_key", str(study / KEY))
    paths = sorted((study / ANSWERS).glob("*.json"))
    if not paths:
        raise StudyInputError("no_answers_yet", str(study / ANSWERS))
    placed = {entry["item"]: entry for entry in (*key["items"], *key["timed"])}
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for path in paths:
        for number, answer in enumerate(read_json(path)):
            if answer.get("item") not in placed:
                raise StudyInputError("not_in_the_key", f"{path.name}[{number}].item")
            rows.append((placed[answer["item"]], answer))
    judged = [(entry, answer) for entry, answer in rows if "sources" in entry]
    return Answers(
        study_id=key["study"],
        kind=key["kind"],
        readers=tuple(key["readers"]),
        cases=key["cases"],
        items=len(key["items"]),
        readings=tuple(one for entry, answer in judged for one in _readings(entry, answer)),
        preferences=tuple(_preference(*row) for row in judged if "better" in row[1]),
        timings=tuple(
            Timing(_place(entry), entry["has_draft"], float(answer["seconds"]))
            for entry, answer in rows
            if "has_draft" in entry
        ),
        answered=len(judged),
    )


def _place(entry: Mapping[str, Any]) -> Place:
    return Place(entry["reader"], entry["case"], entry["site"], entry["modality"])


def _readings(entry: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Reading]:
    sources = entry["sources"]
    prefixes = ("a_", "b_") if len(sources) > 1 else ("",)
    said: dict[object, Source] = {"machine": "model", "human": "reference"}
    for source, prefix in zip(sources, prefixes, strict=True):
        ratings = {scale: int(answer[prefix + scale]) for scale in SCALES}
        yield Reading(_place(entry), source, ratings, said.get(answer.get("writer")))


def _preference(entry: Mapping[str, Any], answer: Mapping[str, Any]) -> Preference:
    by_letter = dict(zip("AB", entry["sources"], strict=True))
    return Preference(_place(entry), by_letter.get(answer["better"], "same"))


def by_case_and_source(
    readings: Iterable[Reading],
) -> dict[str, dict[Source, dict[str, Reading]]]:
    """Return case, source, reader, reading."""
    found: dict[str, dict[Source, dict[str, Reading]]] = {}
    for reading in readings:
        sources = found.setdefault(reading.place.case, {source: {} for source in SOURCES})
        sources[reading.source][reading.place.reader] = reading
    return found
