"""From a site's files to its ``Site``, read strictly.

A misspelt key, column, value or file name stops the start: it would be ignored in silence. A site
must say whom it takes, or be named ``default``.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from mappings.charset import UNDECLARED_CODECS, find_codec
from mappings.domain import Laterality, Modality, Region, ReportStatus
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.exam_tables import EXAM_FILES, EXAMS, read_exams
from mappings.headings import DEFAULT_HEADINGS, HEADED_SECTIONS, HEADINGS, Headings
from mappings.site_yaml import read_yaml
from mappings.sites import (
    ACCESSION_FIELDS,
    DEFAULT_SITE,
    FILLER_FIELDS,
    MODALITY_FIELDS,
    ORDER_DEFAULT,
    PATIENT_FIELDS,
    PLACER_FIELDS,
    REASON_FIELDS,
    DraftingRule,
    Site,
    Validation,
)
from mappings.table_files import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.site_yaml import YamlReader

SITE_FILE = "site.yaml"
TABLE_FILES = frozenset({"obx3.csv", "headings.csv", "status_words.csv", *EXAM_FILES})
"""The files that a site's folder may have beside ``site.yaml``."""
STYLE_CHARACTERS_MAX = 200
OBX3_SECTIONS = HEADED_SECTIONS | {"body"}

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # BCP 47, as Resource.language wants
_ORDER_FIELD = re.compile(r"(?:OBR|ORC)-(?:[1-9]|[1-4]\d|50)")
_REQUEST_FIELD = re.compile(r"OBR-(?:[1-9]|[1-4]\d|50)")
_PATIENT_FIELD = re.compile(r"PID-(?:[2-4]|18)")
_STATUS_FIELDS = frozenset({"any", "OBX-11", "OBR-25"})
_STATUSES = frozenset(status.value for status in ReportStatus)
_NOTES = frozenset({"ignore", "text"})
_VALIDATIONS: Mapping[str, Validation] = {"off": "off", "structure": "structure"}


def parse_site(name: str, text: str, tables: Mapping[str, str] | None = None) -> Site:
    """Read one site.

    Args:
        name: The name of its folder.
        text: ``site.yaml``; docs/SITES.md lists the keys.
        tables: The other files of the folder, text by name, of ``TABLE_FILES``.

    Returns:
        The site.

    Raises:
        SiteMappingError: An unknown key, column or file, or a value that makes no sense; ``where``
            is the file and the path or row in it.
    """
    files = dict(tables or {})
    for file in files:
        if file not in TABLE_FILES:
            raise SiteMappingError("unknown_file", f"{name}/{file}")
    return _read_site(name, read_yaml(f"{name}/{SITE_FILE}", text), files)


def _read_site(name: str, reader: YamlReader, files: Mapping[str, str]) -> Site:
    match = _match_of(reader, name)
    scope, output = reader.child("scope"), reader.child("output")
    site = Site(
        name=name,
        order=reader.number("order", ORDER_DEFAULT),
        language=_language(reader),
        time_zone=reader.time_zone("time_zone"),
        applications=match.texts("sending_application") or ("*",),
        facilities=match.texts("sending_facility") or ("*",),
        listeners=match.texts("listener"),
        topics=match.texts("topic"),
        accession_fields=_fields(reader, "accession", _ORDER_FIELD, ACCESSION_FIELDS),
        patient_fields=_fields(reader, "patient_id", _PATIENT_FIELD, PATIENT_FIELDS),
        placer_fields=_fields(reader, "placer_order", _ORDER_FIELD, PLACER_FIELDS),
        filler_fields=_fields(reader, "filler_order", _ORDER_FIELD, FILLER_FIELDS),
        modality_fields=_fields(reader, "modality_code", _ORDER_FIELD, MODALITY_FIELDS),
        reason_fields=_fields(reader, "reason", _REQUEST_FIELD, REASON_FIELDS),
        patient_authority=reader.text("patient_authority"),
        observation_codes=_observation_codes(reader, files),
        status_words=_status_words(reader, files),
        headings=_headings(reader, files),
        exams=_exams(reader, files),
        modalities=scope.members("modalities", Modality),
        regions=scope.members("regions", Region),
        drafting=tuple(map(_drafting_rule, reader.children("drafting"))),
        undeclared_codecs=_codecs(reader),
        notes_are_text=reader.choice("notes", _NOTES) == "text",
        validation=_VALIDATIONS[reader.choice("validation", frozenset(_VALIDATIONS)) or "off"],
        oru_target=output.text("oru_target"),
    )
    for part in (reader, match, scope, output):
        part.refuse_unread()
    return site


def _match_of(reader: YamlReader, name: str) -> YamlReader:
    """Return whom the site takes: said for every site, but for the one that takes all others."""
    is_default, is_said = name == DEFAULT_SITE.name, reader.has("match")
    match = reader.child("match")
    if is_default and is_said:
        raise SiteMappingError("default_has_match", match.where)
    if not is_default and not any(
        match.has(key) for key in ("sending_application", "sending_facility", "listener", "topic")
    ):
        match.refuse_unread()  # a misspelt key says more than a missing one
        raise SiteMappingError("match_missing", match.where)
    return match


def _language(reader: YamlReader) -> str:
    value = reader.text("language") or DEFAULT_SITE.language
    if not _LANGUAGE.fullmatch(value):
        raise reader.bad("language")
    return value


def _fields(
    reader: YamlReader, key: str, form: re.Pattern[str], default: tuple[str, ...]
) -> tuple[str, ...]:
    return reader.texts(key, form.fullmatch) or default


def _codecs(reader: YamlReader) -> tuple[str, ...]:
    names = reader.texts("undeclared_codecs", find_codec)
    return tuple(filter(None, map(find_codec, names))) or UNDECLARED_CODECS


def _drafting_rule(reader: YamlReader) -> DraftingRule:
    rule = DraftingRule(
        modalities=reader.members("modalities", Modality),
        regions=reader.members("regions", Region),
        adapter=reader.text("adapter"),
        style=reader.text("style", STYLE_CHARACTERS_MAX),
    )
    reader.refuse_unread()
    if rule.adapter is None and rule.style is None:
        raise SiteMappingError("rule_says_nothing", reader.where)
    return rule


def _table(
    reader: YamlReader, key: str, files: Mapping[str, str], file: str, sections: frozenset[str]
) -> dict[str, str]:
    """Read word -> section, from the file or from ``site.yaml``, never from both."""
    word = {"obx3.csv": "code", "headings.csv": "heading"}[file]
    if file not in files:
        return reader.table(key, sections)
    where = _place(reader, key, file)
    rows = read_rows(where, files[file], needed=(word, "section"))
    return {row.text(word): row.choice("section", sections) for row in rows.unique(word)}


def _place(reader: YamlReader, key: str, file: str) -> str:
    """Return a table's file, or refuse a table that stands in two places."""
    if reader.has(key):
        raise SiteMappingError("said_twice", f"{reader.where}: {key} and {file}")
    return f"{reader.where.removesuffix(SITE_FILE)}{file}"


def _observation_codes(reader: YamlReader, files: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(_table(reader, "observation_codes", files, "obx3.csv", OBX3_SECTIONS))


def _headings(reader: YamlReader, files: Mapping[str, str]) -> Headings:
    own = _table(reader, "headings", files, "headings.csv", HEADED_SECTIONS)
    if not own:
        return DEFAULT_HEADINGS
    return Headings({**HEADINGS, **{" ".join(word.upper().split()): own[word] for word in own}})


def _status_words(
    reader: YamlReader, files: Mapping[str, str]
) -> Mapping[tuple[str, str], ReportStatus]:
    """Read (field, word) -> status; in ``site.yaml`` a mapping for each field."""
    found: dict[tuple[str, str], ReportStatus] = {}
    if "status_words.csv" in files:
        where = _place(reader, "status_words", "status_words.csv")
        rows = read_rows(
            where, files["status_words.csv"], needed=("word", "status"), optional=("field",)
        )
        for row in rows.unique("field", "word"):
            source = row.choice("field", _STATUS_FIELDS, default="any")
            found[source, _fold_word(row.text("word"))] = ReportStatus(
                row.choice("status", _STATUSES)
            )
    child = reader.child("status_words")
    for source in sorted(_STATUS_FIELDS):
        words = child.table(source, _STATUSES)
        found |= {(source, _fold_word(word)): ReportStatus(words[word]) for word in words}
    child.refuse_unread()
    return MappingProxyType(found)


def _fold_word(word: str) -> str:
    return " ".join(word.upper().split())


def _exams(reader: YamlReader, files: Mapping[str, str]) -> Mapping[str, ExamEntry]:
    """Read the exam table of ``site.yaml``, and the files of exam codes."""
    if EXAMS in files:
        _place(reader, "exams", EXAMS)
    inline: dict[str, ExamEntry] = {}
    for code, row in reader.named_children("exams"):
        inline[code] = ExamEntry(
            modality=row.member("modality", Modality),
            region=row.member("region", Region),
            laterality=row.member("laterality", Laterality),
            display=row.text("display"),
        )
        row.refuse_unread()
    return MappingProxyType(read_exams(reader.where.removesuffix(SITE_FILE), files, inline))
