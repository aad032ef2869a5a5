"""The phrase books of the corpus's other languages, read from languages/ and checked.

One folder a language: language.yaml (sides, degrees and sizes as they are written there, its sites)
and one file a region. Nothing is put together from noun phrases: every wording is a whole sentence
as a radiologist of that country would write it, with slots. A slot is a *form*: the sides, degrees
and places are tables of forms (German ``{side}`` links, ``{stem}`` link-, so ``im {stem}en Knie``),
and a slot that begins with a capital gives its form with one (``{Side}``).

Everything under ``held_back`` is met only in the test split, and is made of terms that training
sentences use too. All wordings of a finding name the same things: side, place, degree, size.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mappings.domain import Region
from model.synth.lexicon import REPORTED_RANK_MIN, ExamKind, Group, Style
from model.synth.wording import capitalised

Side = Literal["left", "right", "bilateral"]
FOLDER = Path(__file__).parent / "languages"


Forms = dict[str, str]
# A bare text in YAML stands for a place of one form, and for an indication of any exam.
Place = Annotated[
    Forms, BeforeValidator(lambda told: {"place": told} if isinstance(told, str) else told)
]
Wordings = Annotated[tuple[str, ...], Field(min_length=1)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scoped(_Row):
    """What is only met in some exams: of these techniques, of these body parts (none: of all)."""

    groups: tuple[Group, ...] = Field((), alias="in")
    parts: tuple[str, ...] = ()

    def fits(self, exam: ExamKind) -> bool:
        """Whether it can be met in this exam."""
        return (not self.groups or exam.group in self.groups) and (
            not self.parts or exam.part in self.parts
        )


class Finding(Scoped):
    """A kind of finding, by the English corpus's name for it.

    ``words`` are lower-case beginnings of words that name it. ``rank`` orders an impression; what
    is below 20 is left out of it and needs no summary. ``no`` are the sentences that deny it. Of
    one that ``is_followed`` an earlier size may be told.
    """

    name: str
    organ: str
    rank: int
    words: Wordings
    sides: tuple[Side, ...] = ("left", "right")
    place: str | None = None
    degree: str | None = None
    size: tuple[int, int] | None = None
    is_area: bool = False
    is_followed: bool = False
    says: Wordings
    held_back: Wordings
    no: tuple[str, ...] = ()
    no_held_back: tuple[str, ...] = ()
    summary: str = ""

    @property
    def is_reported(self) -> bool:
        """Whether an impression names it."""
        return self.rank >= REPORTED_RANK_MIN

    @property
    def wordings(self) -> tuple[str, ...]:
        """Every sentence that states it, its summary among them."""
        return (*self.says, *self.held_back, *((self.summary,) if self.is_reported else ()))


class Reason(Scoped):
    """Why an exam was ordered."""

    text: str


Indication = Annotated[
    Reason, BeforeValidator(lambda told: {"text": told} if isinstance(told, str) else told)
]


class Healthy(Scoped):
    """A sentence of health. ``denies``: what it rules out; ``unless``: what else may not be there;
    ``beside``: it may stand next to something wrong in the same organ.
    """

    text: str
    denies: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    beside: bool = False


class Part(Scoped):
    """What is looked at together; ``label`` heads its paragraph at sites that use headings."""

    label: str
    normal: tuple[Healthy, ...] = Field(min_length=1)
    held_back: tuple[Healthy, ...] = Field(min_length=1)


class Chapter(_Row):
    """All the sentences of a region. ``normal``: impressions of health, the first that fits.

    An exam whose ``display`` has a side slot is of a limb: all its findings lie on that side.
    """

    region: Region
    normal: tuple[Healthy, ...]
    exams: tuple[ExamKind, ...]
    indications: tuple[Indication, ...]
    places: dict[str, tuple[Place, ...]] = {}
    organs: dict[str, Part]
    findings: tuple[Finding, ...]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = {finding.name for finding in self.findings}
        rows = [row for part in self.organs.values() for row in (*part.normal, *part.held_back)]
        unknown = {name for row in rows for name in (*row.denies, *row.unless)} - names
        unknown |= {finding.organ for finding in self.findings} - set(self.organs)
        unknown |= {finding.place for finding in self.findings if finding.place} - set(self.places)
        unknown |= {exam.asks for exam in self.exams if exam.asks} - names
        if unknown:
            message = f"{self.region}: nobody knows {sorted(unknown)}"
            raise ValueError(message)
        return self


class Change(_Row):
    """What is said of an earlier size, in the findings and in the impression."""

    text: str
    summary: str


class Language(_Row):
    """How a language writes sides, degrees, sizes and lists, and how its sites write.

    ``gap`` stands between sentences, ``stop`` ends one, ``label`` heads a paragraph.
    """

    sides: dict[Side, Forms]
    degrees: dict[str, dict[str, Forms]]
    decimal: Literal[".", ","]
    size: str
    area: str
    gap: str
    stop: str
    label: str
    item: str
    openings: Wordings
    openings_held_back: Wordings
    changes: tuple[Change, ...] = Field(min_length=1)
    changes_held_back: tuple[Change, ...] = Field(min_length=1)
    styles: tuple[Style, ...] = Field(min_length=2)


class Slots(dict[str, str]):
    """Values by form; one asked for with a capital is given with one."""

    def __missing__(self, name: str) -> str:
        """Return the capitalised value of the same form.

        Raises:
            KeyError: Nobody gave this form a value.
        """
        plain = name[:1].lower() + name[1:]
        if plain == name:
            raise KeyError(name)
        return capitalised(self[plain])


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are phrase books for, beside English."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/language.yaml")))


@cache
def language_named(language: str) -> Language:
    """Read how a language writes.

    Raises:
        pydantic.ValidationError: A table is wrong; it holds only our own words.
    """
    return Language.model_validate(_table(language, "language"))


@cache
def chapter(language: str, region: Region) -> Chapter:
    """Read a region's sentences in a language.

    Raises:
        pydantic.ValidationError: A table is wrong; it holds only our own words.
    """
    return Chapter.model_validate(_table(language, region.value))


@cache
def regions_of(language: str) -> tuple[Region, ...]:
    """The regions that a language has sentences for."""
    return tuple(region for region in Region if (FOLDER / language / f"{region}.yaml").is_file())


@cache
def slots_of(sentence: str) -> frozenset[str]:
    """The forms that a sentence asks for, by their plain names."""
    names = (name for _, name, _, _ in Formatter().parse(sentence) if name)
    return frozenset(name[:1].lower() + name[1:] for name in names)


def _table(language: str, name: str) -> dict[str, Any]:
    text = (FOLDER / language / f"{name}.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table
