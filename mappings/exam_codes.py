"""Which exam a report is about: OBR-4 as sent, and the modality, region and side read from it.

A site's own table wins; then OBR-24 or OBR-21 where it names a modality; then the words of the
names. What no table knows stays None: a wrong region is worse than none.

Standard: DICOM CID 29 for modalities; HL7 table 0074 for OBR-24.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.domain import Exam, Laterality, Modality, Region
from mappings.exam_names import read_name
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mappings.exam_names import ExamName

_SERVICE_ROWS = read_table("service_sections")
_SERVICE_MODALITIES = {
    **{row["code"]: Modality(row["modality"]) for row in _SERVICE_ROWS if row["modality"]},
    **{modality.value: modality for modality in Modality},
}
_LABORATORY = frozenset(row["code"] for row in _SERVICE_ROWS if row["kind"] == "laboratory")
_CODE_PREFIX = re.compile(r"(CT|MR|US|XR|NM|MG|PET|XA)(?=[A-Z0-9]{2})")


@dataclass(frozen=True, slots=True)
class ExamEntry:
    """A row of a table of exam codes; None leaves it to the next table, at last to the words."""

    modality: Modality | None = None
    region: Region | None = None
    laterality: Laterality | None = None
    display: str | None = None

    def over(self, below: ExamEntry) -> ExamEntry:
        """Return this entry, with what it leaves open taken from another."""
        return ExamEntry(
            self.modality or below.modality,
            self.region or below.region,
            self.laterality or below.laterality,
            self.display or below.display,
        )


@dataclass(slots=True)
class ExamSource:
    """Where an exam can be read from. ``code`` is OBR-4 in components; ``title`` the report's own
    name for it, the last resort; ``modality_codes`` what stands in the site's modality fields,
    OBR-24 (``service_section``) where it is empty.
    """

    code: Sequence[str]
    body_site: str
    service_section: str
    title: str | None
    modality_codes: Sequence[str] = ()
    language: str = "en"


def is_laboratory(service_section: str) -> bool:
    """Say whether OBR-24 names a laboratory section."""
    return service_section.upper() in _LABORATORY


def is_modality(service_section: str) -> bool:
    """Say whether OBR-24 names a modality."""
    return service_section.upper() in _SERVICE_MODALITIES


def read_exam(source: ExamSource, table: Mapping[str, ExamEntry]) -> Exam:
    """Read an exam.

    Args:
        source: The fields of one OBR group.
        table: The site's own: exam code (OBR-4.1, then OBR-4.4), alone or as ``CODE^SYSTEM``, ->
            entry.

    Returns:
        The exam; what no source tells is None.
    """
    parts = [part or None for part in [*source.code, *[""] * 6][:6]]
    code, display, system, alternate_code, alternate_display, alternate_system = parts
    own = _look_up(table, parts)
    display = display or own.display
    texts = (source.body_site, display, alternate_display, source.title)
    names = [read_name(text or "", source.language) for text in texts]
    return Exam(
        code=code,
        system=system,
        display=display,
        alternate_code=alternate_code,
        alternate_system=alternate_system,
        alternate_display=alternate_display,
        modality=own.modality or _read_modality(source, code, names),
        region=own.region or next((name.region for name in names if name.region), None),
        laterality=own.laterality
        or next((name.laterality for name in names if name.laterality), None),
    )


_NOTHING = ExamEntry()


def _look_up(table: Mapping[str, ExamEntry], parts: Sequence[str | None]) -> ExamEntry:
    """Look up OBR-4.1, then OBR-4.4, each first with its system."""
    found = _NOTHING
    for code, _, system in (parts[:3], parts[3:]) if table else ():
        for key in (f"{code}^{system}", code) if code else ():
            if key in table:
                found = found.over(table[key])
    return found


def _read_modality(
    source: ExamSource, code: str | None, names: Sequence[ExamName]
) -> Modality | None:
    for section in source.modality_codes or (source.service_section,):
        known = _SERVICE_MODALITIES.get(section.upper())
        if known is not None:
            return known
    *given, title = names
    named = next((name.modality for name in given if name.modality), None)
    if named is not None:
        return named
    prefix = _CODE_PREFIX.match((code or "").upper())
    if prefix is not None:
        return read_name(prefix[1]).modality
    return title.modality
