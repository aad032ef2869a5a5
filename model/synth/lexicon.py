"""The words the corpus is made of, read from words/ and checked.

One folder a region: exams.yaml (what is ordered, why, where things lie), organs.yaml (what is said
when nothing is wrong), findings.yaml (what can be wrong); frames.yaml is shared.
Everything under ``held_back`` is met only in the test split: training must never see it. It is a
sentence never seen, made of terms that were: what no one taught can only be guessed.

``in`` names the techniques and ``parts`` the parts of the body that a row belongs to; without them
it belongs to all.

A phrase is a noun phrase that goes into a frame; one that ends with a full stop is a sentence of
its own. Slots: {place} {side} {severity} {Severity} {size}. A place that names a side brings
the side.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mappings.domain import Modality, Region

Group = Literal["XR", "CT", "MR", "US", "MG"]
Groups = Annotated[
    tuple[Group, ...], BeforeValidator(lambda told: (told,) if isinstance(told, str) else told)
]
REPORTED_RANK_MIN = 20
WORDS = Path(__file__).parent / "words"
REGIONS = (
    Region.CHEST,
    Region.ABDOMEN,
    Region.MUSCULOSKELETAL,
    Region.HEAD,
    Region.SPINE,
    Region.BREAST,
    Region.NECK,
)
"""Neck is neck and face."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def group_of(modality: Modality) -> Group:
    """Return a modality's technique: computed and digital radiography are one."""
    others: dict[Modality, Group] = {
        Modality.CT: "CT",
        Modality.MR: "MR",
        Modality.US: "US",
        Modality.MG: "MG",
    }
    return others.get(modality, "XR")


class _Fitting(_Row):
    groups: Groups = Field((), alias="in")
    parts: tuple[str, ...] = ()

    def fits(self, exam: ExamKind) -> bool:
        """Whether a report of this exam may hold it."""
        return (not self.groups or exam.group in self.groups) and (
            not self.parts or exam.part in self.parts
        )


class Kind(_Fitting):
    """A kind of finding. ``rank`` orders an impression; below 20 it is left out of it.

    ``is_alone`` is for what cannot be beside anything wrong with the organ, as its removal.
    """

    name: str
    organ: str
    rank: int
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


class Normal(_Fitting):
    """A sentence of health. ``denies`` names the findings it rules out; ``beside`` lets it stand
    next to something wrong in the same organ; ``asked`` answers what the exam was ordered for;
    ``covers`` are other organs that it calls healthy too.
    """

    text: str
    denies: tuple[str, ...] = ()
    beside: bool = False
    asked: bool = False
    covers: tuple[str, ...] = ()


class Organ(_Fitting):
    """What is looked at together; ``label`` heads its paragraph at sites that use headings.

    ``deniable`` gives the findings that a report may rule out, each in the words of a denial.
    """

    label: str
    deniable: dict[str, str] = {}
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
        """The technique that it is done with."""
        return group_of(self.modality)


class Lexicon(_Row):
    """All the words of a region."""

    region: Region
    normal: dict[Group, str]
    exams: tuple[ExamKind, ...]
    indications: tuple[str, ...]
    places: dict[str, dict[str, tuple[str, ...]]]
    organs: dict[str, Organ]
    findings: tuple[Kind, ...]

    def kinds_for(self, exam: ExamKind) -> list[Kind]:
        """What can be wrong in this exam; a place must lie in the part of the body it shows."""
        return [
            kind
            for kind in self.findings
            if kind.fits(exam) and (kind.place is None or exam.part in self.places[kind.place])
        ]


class Change(_Row):
    """What is said of an earlier size, in the findings and in the impression."""

    text: str
    summary: str


class Style(_Row):
    """How a site writes: the prompt's style, the organs' headings, line wraps (0: none), units,
    and whether an impression is a numbered list, lines or sentences.
    """

    site: str
    style: str | None
    labels: Literal["none", "capitals", "words"]
    wrap: int
    unit: Literal["mm", "cm", "mixed"]
    items: Literal["numbers", "lines", "sentences"]


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
