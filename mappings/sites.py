"""What a site does its own way, and which site a sender belongs to.

A site is text (``site.yaml``) read strictly: an unknown key or value stops the start, because a
misspelt table would be ignored in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from mappings.domain import Laterality, Modality, Region
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.headings import DEFAULT_HEADINGS, HEADED_SECTIONS, HEADINGS, Headings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

ACCESSION_FIELDS = ("OBR-18", "OBR-3", "ORC-3", "OBR-20")
"""Where an accession number may stand, in the order of looking."""
_ACCESSION_CHOICES = frozenset({*ACCESSION_FIELDS, "OBR-2", "OBR-19", "ORC-2"})
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # BCP 47, as Resource.language wants
_KIND = TypeVar("_KIND", bound="StrEnum")


@dataclass(frozen=True, slots=True)
class Site:
    """One site's ways.

    ``applications`` and ``facilities`` are shell patterns for MSH-3 and MSH-4.
    ``observation_codes`` is the site's OBX-3 table, which wins over the shipped one.
    ``modalities`` and ``regions`` are what is drafted for, None for all.
    """

    name: str
    language: str = "en"
    time_zone: ZoneInfo | None = None
    applications: tuple[str, ...] = ("*",)
    facilities: tuple[str, ...] = ("*",)
    accession_fields: tuple[str, ...] = ACCESSION_FIELDS
    patient_authority: str | None = None
    observation_codes: Mapping[str, str] = field(default_factory=dict)
    headings: Headings = field(default=DEFAULT_HEADINGS, compare=False)
    exams: Mapping[str, ExamEntry] = field(default_factory=dict)
    modalities: frozenset[Modality] | None = None
    regions: frozenset[Region] | None = None


DEFAULT_SITE = Site("default")


@dataclass(frozen=True, slots=True)
class SiteSet:
    """The configured sites; a site named ``default`` takes the place of the built-in one."""

    sites: tuple[Site, ...] = ()

    def match(self, application: str | None, facility: str | None) -> Site:
        """Return the first site that knows the sender, else the default."""
        for site in self.sites:
            if site.name == DEFAULT_SITE.name:
                continue
            if _any_match(site.applications, application) and _any_match(site.facilities, facility):
                return site
        return self.named(DEFAULT_SITE.name)

    def named(self, name: str) -> Site:
        """Return a site by its name, else the built-in default."""
        return next((site for site in self.sites if site.name == name), DEFAULT_SITE)


def parse_site(name: str, text: str) -> Site:
    """Read one site's file.

    Args:
        name: The name of its folder.
        text: YAML with any of match (sending_application, sending_facility), language, time_zone,
            accession, patient_authority, observation_codes, headings, exams, scope (modalities,
            regions).

    Returns:
        The site.

    Raises:
        SiteMappingError: Not YAML, an unknown key, or a value that no table has.
    """
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        raise SiteMappingError("not_yaml", name) from None
    reader = _Reader(name, {} if loaded is None else loaded)
    match = reader.child("match")
    scope = reader.child("scope")
    site = Site(
        name=name,
        language=reader.language("language"),
        time_zone=reader.time_zone("time_zone"),
        applications=match.texts("sending_application") or ("*",),
        facilities=match.texts("sending_facility") or ("*",),
        accession_fields=reader.texts("accession", _ACCESSION_CHOICES) or ACCESSION_FIELDS,
        patient_authority=reader.text("patient_authority"),
        observation_codes=reader.table("observation_codes", HEADED_SECTIONS | {"body"}),
        headings=_headings(reader.table("headings", HEADED_SECTIONS)),
        exams=reader.exams("exams"),
        modalities=_scope(scope, "modalities", Modality),
        regions=_scope(scope, "regions", Region),
    )
    for part in (reader, match, scope):
        part.refuse_unread()
    return site


def _any_match(patterns: tuple[str, ...], value: str | None) -> bool:
    return any(fnmatchcase(value or "", pattern) for pattern in patterns)


def _headings(own: Mapping[str, str]) -> Headings:
    if not own:
        return DEFAULT_HEADINGS
    return Headings({**HEADINGS, **{" ".join(word.upper().split()): own[word] for word in own}})


def _scope(scope: _Reader, key: str, kind: type[_KIND]) -> frozenset[_KIND] | None:
    chosen = scope.texts(key, frozenset(member.value for member in kind))
    return frozenset(kind(value) for value in chosen) or None


class _Reader:
    """Reads a YAML mapping key by key, and knows which keys nobody asked for."""

    def __init__(self, where: str, loaded: object) -> None:
        if not isinstance(loaded, dict):
            raise SiteMappingError("not_a_mapping", where)
        self._where = where
        self._left: dict[object, object] = dict(loaded)

    def refuse_unread(self) -> None:
        """Raise for the first key that was never read."""
        for key in self._left:
            raise SiteMappingError("unknown_key", f"{self._where}: {key}")

    def child(self, key: str) -> _Reader:
        return _Reader(f"{self._where}: {key}", self._left.pop(key, None) or {})

    def text(self, key: str, choices: frozenset[str] | None = None) -> str | None:
        value = self._left.pop(key, None)
        if value is not None and (not isinstance(value, str) or (choices and value not in choices)):
            raise self._bad(key)
        return value

    def language(self, key: str) -> str:
        value = self.text(key) or "en"
        if not _LANGUAGE.fullmatch(value):
            raise self._bad(key)
        return value

    def texts(self, key: str, choices: frozenset[str] | None = None) -> tuple[str, ...]:
        value = self._left.pop(key, None)
        values = value if isinstance(value, list) else [value]
        if value is None:
            return ()
        if not values:  # "for none" would be read as "for all"
            raise self._bad(key)
        if not all(isinstance(one, str) and (not choices or one in choices) for one in values):
            raise self._bad(key)
        return tuple(values)

    def table(self, key: str, choices: frozenset[str]) -> Mapping[str, str]:
        value = self._left.pop(key, None) or {}
        if not isinstance(value, dict) or not choices.issuperset(map(str, value.values())):
            raise self._bad(key)
        return MappingProxyType({str(word): str(section) for word, section in value.items()})

    def exams(self, key: str) -> Mapping[str, ExamEntry]:
        value = self._left.pop(key, None) or {}
        if not isinstance(value, dict):
            raise self._bad(key)
        entries = {}
        for code, loaded in value.items():
            row = _Reader(f"{self._where}: {key}.{code}", loaded)
            entries[str(code)] = ExamEntry(
                row.member("modality", Modality),
                row.member("region", Region),
                row.member("laterality", Laterality),
            )
            row.refuse_unread()
        return MappingProxyType(entries)

    def member(self, key: str, kind: type[_KIND]) -> _KIND | None:
        value = self.text(key, frozenset(member.value for member in kind))
        return None if value is None else kind(value)

    def time_zone(self, key: str) -> ZoneInfo | None:
        value = self.text(key)
        try:
            return None if value is None else ZoneInfo(value)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            raise self._bad(key) from None

    def _bad(self, key: str) -> SiteMappingError:
        return SiteMappingError("bad_value", f"{self._where}: {key}")
