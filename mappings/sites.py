"""What a site does its own way, and which site a sender belongs to.

Sites are tried by their ``order``, then by name, and the first that fits is taken. The order is a
setting and not the name, because a site's name is part of the identity of its Observations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypeAlias

from mappings.charset import UNDECLARED_CODECS
from mappings.headings import DEFAULT_HEADINGS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from mappings.domain import Exam, Modality, Region, ReportStatus
    from mappings.exam_codes import ExamEntry
    from mappings.headings import Headings

Validation: TypeAlias = Literal["off", "structure"]

ACCESSION_FIELDS = ("OBR-18", "OBR-3", "ORC-3", "OBR-20")
"""Where an accession number may stand, in the order of looking."""
PATIENT_FIELDS = ("PID-3", "PID-2")
PLACER_FIELDS = ("ORC-2", "OBR-2")
FILLER_FIELDS = ("OBR-3", "ORC-3")
MODALITY_FIELDS = ("OBR-24", "OBR-21")
REASON_FIELDS = ("OBR-31", "OBR-13")
ORDER_DEFAULT = 100
TOPIC_DOOR = "kafka:"
"""Begins the name of a topic as a door."""


@dataclass(frozen=True, slots=True)
class DraftingRule:
    """Which adapter writes, and in which style, for some exams; None fits every exam."""

    modalities: frozenset[Modality] | None = None
    regions: frozenset[Region] | None = None
    adapter: str | None = None
    style: str | None = None

    def fits(self, exam: Exam) -> bool:
        """Say whether an exam is one of the rule's."""
        is_modality = self.modalities is None or exam.modality in self.modalities
        return is_modality and (self.regions is None or exam.region in self.regions)


@dataclass(frozen=True, slots=True)
class Site:
    """One site's ways.

    ``applications`` and ``facilities`` are shell patterns for MSH-3 and MSH-4; ``listeners`` and
    ``topics`` for the door (that of a topic is ``kafka:TOPIC``), which must be one of either where
    any is named. A ``*_fields`` tuple is
    the order of looking. ``observation_codes`` (OBX-3) and ``status_words`` ((field, word) in
    capitals) win over the shipped tables. ``exams`` is keyed by code or ``CODE^SYSTEM``.
    ``modalities`` and ``regions`` are what is drafted for, None for all. ``undeclared_codecs`` are
    tried in order where MSH-18 is empty. ``notes_are_text``: NTE after an OBR or OBX goes on with
    the report. ``oru_target`` names an ``mllp.send`` entry.
    """

    name: str
    order: int = ORDER_DEFAULT
    language: str = "en"
    time_zone: ZoneInfo | None = None
    applications: tuple[str, ...] = ("*",)
    facilities: tuple[str, ...] = ("*",)
    listeners: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    accession_fields: tuple[str, ...] = ACCESSION_FIELDS
    patient_fields: tuple[str, ...] = PATIENT_FIELDS
    placer_fields: tuple[str, ...] = PLACER_FIELDS
    filler_fields: tuple[str, ...] = FILLER_FIELDS
    modality_fields: tuple[str, ...] = MODALITY_FIELDS
    reason_fields: tuple[str, ...] = REASON_FIELDS
    patient_authority: str | None = None
    observation_codes: Mapping[str, str] = field(default_factory=dict)
    status_words: Mapping[tuple[str, str], ReportStatus] = field(default_factory=dict)
    headings: Headings = field(default=DEFAULT_HEADINGS, compare=False)
    exams: Mapping[str, ExamEntry] = field(default_factory=dict)
    modalities: frozenset[Modality] | None = None
    regions: frozenset[Region] | None = None
    drafting: tuple[DraftingRule, ...] = ()
    undeclared_codecs: tuple[str, ...] = UNDECLARED_CODECS
    validation: Validation = "off"
    notes_are_text: bool = False
    oru_target: str | None = None

    def adapter_for(self, exam: Exam) -> str | None:
        """Return the adapter of the first rule that fits and names one."""
        return next(
            (rule.adapter for rule in self.drafting if rule.adapter and rule.fits(exam)), None
        )

    def style_for(self, exam: Exam) -> str | None:
        """Return the style of the first rule that fits and names one."""
        return next((rule.style for rule in self.drafting if rule.style and rule.fits(exam)), None)

    def knows(self, application: str | None, facility: str | None, door: str) -> bool:
        """Say whether a message with this MSH-3 and MSH-4, from this door, is the site's."""
        return (
            _any_match(self.applications, application)
            and _any_match(self.facilities, facility)
            and (not self.doors or _any_match(self.doors, door))
        )

    @property
    def doors(self) -> tuple[str, ...]:
        """Patterns of the doors that its messages come by; empty for all."""
        return (*self.listeners, *(f"{TOPIC_DOOR}{topic}" for topic in self.topics))


DEFAULT_SITE = Site("default")


@dataclass(frozen=True, slots=True)
class SiteSet:
    """The configured sites; a site named ``default`` takes the place of the built-in one."""

    sites: tuple[Site, ...] = ()

    def __post_init__(self) -> None:
        in_order = tuple(sorted(self.sites, key=lambda site: (site.order, site.name)))
        object.__setattr__(self, "sites", in_order)

    def match(self, application: str | None, facility: str | None, door: str = "") -> Site:
        """Return the first site that knows the sender, else the default.

        Args:
            application: MSH-3.
            facility: MSH-4.
            door: The listener, or ``kafka:TOPIC``, that it came from; empty when it came from none.

        Returns:
            The site with the lowest ``order``, of those the first by name.
        """
        matching = self.all_matching(application, facility, door)
        return matching[0] if matching else self.default

    def all_matching(
        self, application: str | None, facility: str | None, door: str = ""
    ) -> list[Site]:
        """Return every site that knows the sender, the one that is taken first."""
        return [
            site
            for site in self.sites
            if site.name != DEFAULT_SITE.name and site.knows(application, facility, door)
        ]

    @property
    def default(self) -> Site:
        """The site of senders that no other site knows."""
        return self.named(DEFAULT_SITE.name)

    def named(self, name: str) -> Site:
        """Return a site by its name, else the built-in default."""
        return next((site for site in self.sites if site.name == name), DEFAULT_SITE)


def _any_match(patterns: tuple[str, ...], value: str | None) -> bool:
    return any(fnmatchcase(value or "", pattern) for pattern in patterns)
