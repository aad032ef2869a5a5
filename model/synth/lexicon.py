"""The words the corpus is made of, read from words/ and checked.

One folder a region: exams.yaml (what is ordered, why, where things lie), organs.yaml (what is said
when nothing is wrong), findings.yaml (what can be wrong); frames.yaml is shared.
Everything under ``held_back`` is met only in the test split: training must never see it.

A phrase is a noun phrase that goes into a frame; one that ends with a full stop is a sentence of
its own. Slots: {place} {side} {severity} {Severity} {size}. A place that names a side brings
the side.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from mappings.domain import Modality, Region

Group = Literal["XR", "CT"]
REPORTED_RANK_MIN = 20
WORDS = Path(__file__).parent / "words"
REGIONS = (Region.CHEST, Region.ABDOMEN, Region.MUSCULOSKELETAL)


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(_Row):
    """A kind of finding. ``rank`` orders an impression; below 20 it is left out of it.

    ``is_alone`` is for what cannot be beside anything wrong with the organ, as its removal.
    """

    name: str
    organ: str
    rank: int
    group: Group | None = Field(None, alias="in")
    words: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    place: str | None = None
    sides: tuple[Literal["left", "right", "bilateral"], ...] = ()
    severities: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    is_area: bool = False
    plural: bool = False
    is_alone: bool = False
    phrases: tuple[str, ...] = Field(min_length=1)
    held_back: tuple[str, ...] = Field(min_length=1)
    summary: str = ""

    @property
    def is_reported(self) -> bool:
        """Whether an impression names it."""
        return self.rank >= REPORTED_RANK_MIN

    @property
    def stems(self) -> tuple[str, ...]:
        """Lower-case beginnings of words that name this finding in a text."""
        return self.words or (self.name,)


class Normal(_Row):
    """A sentence of health. ``denies`` names the findings it rules out; ``beside`` lets it stand
    next to something wrong in the same organ; ``asked`` answers what the exam was ordered for;
    ``covers`` are other organs that it calls healthy too.
    """

    text: str
    group: Group | None = Field(None, alias="in")
    denies: tuple[str, ...] = ()
    beside: bool = False
    asked: bool = False
    covers: tuple[str, ...] = ()


class Organ(_Row):
    """What is looked at together; ``label`` heads its paragraph at sites that use headings.

    ``deniable`` gives the findings that a report may rule out, each in the words of a denial.
    """

    label: str
    deniable: dict[str, str] = {}
    group: Group | None = Field(None, alias="in")
    normal: tuple[Normal, ...] = Field(min_length=1)
    held_back: tuple[Normal, ...] = Field(min_length=1)


class ExamKind(_Row):
    """An order. ``part`` chooses the places; ``asks`` is the finding it was ordered for."""

    modality: Modality
    code: str
    display: str
    part: str
    asks: str | None = None

    @property
    def group(self) -> Group:
        """Radiography or CT."""
        return "CT" if self.modality is Modality.CT else "XR"


class Lexicon(_Row):
    """All the words of a region."""

    region: Region
    normal: dict[Group, str]
    exams: tuple[ExamKind, ...]
    indications: tuple[str, ...]
    places: dict[str, dict[str, tuple[str, ...]]]
    organs: dict[str, Organ]
    findings: tuple[Kind, ...]


class Change(_Row):
    """What is said of an earlier size, in the findings and in the impression."""

    text: str
    summary: str


class Style(_Row):
    """How a site writes: the prompt's style, headings, line wraps (0: none), units, numbering."""

    site: str
    style: str | None
    labels: bool
    wrap: int
    unit: Literal["mm", "cm", "mixed"]
    list: bool


class Frames(_Row):
    """Sentences that hold any finding, and what surrounds them."""

    frames: tuple[str, ...]
    held_back: tuple[str, ...]
    denials: tuple[str, ...]
    denials_held_back: tuple[str, ...]
    details: tuple[str, ...]
    details_held_back: tuple[str, ...]
    changes: tuple[Change, ...]
    changes_held_back: tuple[Change, ...]
    references: tuple[str, ...]
    openings: tuple[str, ...]
    openings_held_back: tuple[str, ...]
    styles: tuple[Style, ...]


@cache
def lexicon(region: Region) -> Lexicon:
    """Read a region's words.

    Raises:
        pydantic.ValidationError: A table is wrong; it holds only our own words.
    """
    rows: dict[str, object] = {}
    for name in ("exams", "organs", "findings"):
        rows |= yaml.safe_load((WORDS / region / f"{name}.yaml").read_text(encoding="utf-8"))
    return Lexicon.model_validate(rows)


@cache
def frames() -> Frames:
    """Read the sentences that are shared by all regions."""
    return Frames.model_validate(
        yaml.safe_load((WORDS / "frames.yaml").read_text(encoding="utf-8"))
    )


@cache
def kind_named(region: Region, name: str) -> Kind:
    """The first kind of that name."""
    return next(kind for kind in lexicon(region).findings if kind.name == name)
