"""Which of five body systems a report is about; the table is body_systems.yaml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mappings.domain import Region
from mappings.exam_names import read_name
from model.labels.denials import folded

if TYPE_CHECKING:
    from model.corpora.schema import CorpusRow

UNKNOWN = "unknown"
FACE_AND_NECK = "maxillofacial and neck"


def body_systems() -> tuple[str, ...]:
    """Return the names of the systems, in the table's order."""
    return tuple(_table()["regions"])


def system_of(row: CorpusRow) -> tuple[str, bool]:
    """Return a report's body system, and whether the words of its text had to tell it.

    The region decides, then the exam's name, then what the text names most often. ``unknown`` where
    nothing is named.
    """
    named = read_name(row.exam_display or "", row.language).region
    region = row.region or named
    exam = folded(row.exam_display or "")
    if region in {None, Region.HEAD} and _face().search(exam):
        return FACE_AND_NECK, False
    if region in _of_region():
        return _of_region()[region], False
    text = folded(f"{exam} {row.indication or ''} {row.findings}")
    counts = {system: len(words.findall(text)) for system, words in _words().items()}
    most = max(counts, key=counts.__getitem__)
    return (most if counts[most] else UNKNOWN), True


@cache
def _of_region() -> dict[Region | None, str]:
    rows = _table()["regions"].items()
    return {Region(region): system for system, regions in rows for region in regions}


@cache
def _words() -> dict[str, re.Pattern[str]]:
    return {system: _at_word(words) for system, words in _table()["words"].items()}


@cache
def _face() -> re.Pattern[str]:
    return _at_word(_table()["face"])


def _at_word(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})")


@cache
def _table() -> dict[str, Any]:
    text = Path(__file__).with_name("body_systems.yaml").read_text(encoding="utf-8")
    told: dict[str, Any] = yaml.safe_load(text)
    return told
