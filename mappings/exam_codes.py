"""Which exam a report is about: OBR-4 as sent, and the modality, region and side read from it.

A site's own table wins; then OBR-24 where it names a modality; then the words of the names. What no
table knows stays None: a wrong region is worse than none.

Standard: DICOM CID 29 for modalities; HL7 table 0074 for OBR-24.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mappings.domain import Exam, Laterality, Modality, Region
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORDS = read_table("exam_words")
_MODALITY_WORDS = {r["word"]: Modality(r["value"]) for r in _WORDS if r["kind"] == "modality"}
_REGION_WORDS = {r["word"]: Region(r["value"]) for r in _WORDS if r["kind"] == "region"}
_SIDE_WORDS = {r["word"]: Laterality(r["value"]) for r in _WORDS if r["kind"] == "laterality"}

_SERVICE_ROWS = read_table("service_sections")
_SERVICE_MODALITIES = {
    **{row["code"]: Modality(row["modality"]) for row in _SERVICE_ROWS if row["modality"]},
    **{modality.value: modality for modality in Modality},
}
_LABORATORY = frozenset(row["code"] for row in _SERVICE_ROWS if row["kind"] == "laboratory")

_PRECEDENCE = (
    Modality.PT,
    Modality.MG,
    Modality.NM,
    Modality.CT,
    Modality.MR,
    Modality.US,
    Modality.XA,
    Modality.RF,
    Modality.CR,
    Modality.DX,
)
"""Which word wins when a name has several: PET/CT is PET, CT angiography is CT."""
_WHOLE_NAME_REGIONS = (Region.SPINE, Region.BREAST, Region.HEART)
"""These win over a word before them: a thoracic spine is no chest. Else the first word wins."""
_CODE_PREFIX = re.compile(r"(CT|MR|US|XR|NM|MG|PET|XA)(?=[A-Z0-9]{2})")
_XRAY = re.compile(r"\bX[\s-]RAY")
_TOKEN = re.compile(r"[A-Z]+")


@dataclass(frozen=True, slots=True)
class ExamEntry:
    """A row of a site's exam table; None leaves it to the shipped words."""

    modality: Modality | None = None
    region: Region | None = None
    laterality: Laterality | None = None


@dataclass(frozen=True, slots=True)
class ExamSource:
    """Where an exam can be read from. ``code`` is OBR-4 in components; ``title`` the report's own
    name for it, the last resort.
    """

    code: Sequence[str]
    body_site: str
    service_section: str
    title: str | None


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
        table: The site's own: exam code (OBR-4.1, or else OBR-4.4) -> entry.

    Returns:
        The exam; what no source tells is None.
    """
    parts = [part or None for part in [*source.code, *[""] * 6][:6]]
    code, display, system, alternate_code, alternate_display, alternate_system = parts
    own = table.get(code or "") or table.get(alternate_code or "") or ExamEntry()
    names = [_tokens(text) for text in (source.body_site, display, alternate_display, source.title)]
    return Exam(
        code=code,
        system=system,
        display=display,
        alternate_code=alternate_code,
        alternate_system=alternate_system,
        alternate_display=alternate_display,
        modality=own.modality or _read_modality(source.service_section, code, names),
        region=own.region or next(filter(None, map(_read_region, names)), None),
        laterality=own.laterality or next(filter(None, map(_read_side, names)), None),
    )


def _tokens(text: str | None) -> list[str]:
    return _TOKEN.findall(_XRAY.sub("XRAY", text.upper())) if text else []


def _read_modality(section: str, code: str | None, names: Iterable[list[str]]) -> Modality | None:
    known = _SERVICE_MODALITIES.get(section.upper())
    if known is not None:
        return known
    *given, title = [[_MODALITY_WORDS.get(token) for token in tokens] for tokens in names]
    for seen in given:
        named = next((modality for modality in _PRECEDENCE if modality in seen), None)
        if named is not None:
            return named
    prefix = _CODE_PREFIX.match((code or "").upper())
    if prefix is not None:
        return _MODALITY_WORDS[prefix[1]]
    return next((modality for modality in _PRECEDENCE if modality in title), None)


def _read_region(tokens: list[str]) -> Region | None:
    seen = [_REGION_WORDS[token] for token in tokens if token in _REGION_WORDS]
    whole = next((region for region in _WHOLE_NAME_REGIONS if region in seen), None)
    return whole or (seen[0] if seen else None)


def _read_side(tokens: list[str]) -> Laterality | None:
    seen = {_SIDE_WORDS[token] for token in tokens if token in _SIDE_WORDS}
    return Laterality.BILATERAL if len(seen) > 1 else next(iter(seen), None)
