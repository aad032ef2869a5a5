"""The OBX of one OBR group: which lines are narrative, what each means, where the report stands.

Only TX, FT and ST (or an unnamed type that holds words) are text; their whole field is taken, with
its ``^`` and ``&``. Numbers, codes, documents and a technologist's comment are never findings.

Standard: HL7 v2 OBX; suffixes after ``&`` in OBX-3 (GDT, IMP, ADT ...); LOINC.
LOINC codes are copyright Regenstrief Institute, used under the LOINC licence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.hl7_status import choose_status, is_withdrawn, read_observation_status
from mappings.sections import CodedText, read_narrative
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.domain import ReportStatus, Sections
    from mappings.hl7_message import Segment
    from mappings.sites import Site

_CODES = {row["code"]: row["section"] for row in read_table("report_codes")}
_TEXT_TYPES = frozenset({"TX", "FT", "ST"})
_CODED_TYPES = frozenset({"CE", "CNE", "CWE"})
_DOCUMENT_TYPES = frozenset({"ED", "RP", "HD", "UI"})
_STUDY_UID_CODES = frozenset({"110180", "113014"})  # DICOM: Study Instance UID, DICOM Study
_WORDS = re.compile(r"[^\W\d_]{2}\W+[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class Observations:
    """What the OBX of a group came to. ``has_values``: a measured or coded value is among them."""

    sections: Sections
    title: str | None = field(repr=False)
    status: ReportStatus | None
    observed_at: str
    study_instance_uid: str | None = field(repr=False)
    has_sections: bool
    has_values: bool


@dataclass(slots=True)
class _Line:
    """A narrative OBX; ``status`` is OBX-11 as sent."""

    section: str | None
    text: str = field(repr=False)
    status: str


def read_observations(segments: Sequence[Segment], result_status: str, site: Site) -> Observations:
    """Read the OBX of one group.

    Args:
        segments: The OBX, in order.
        result_status: OBR-25 as sent.
        site: Its OBX-3 table and headings win over the shipped ones.

    Returns:
        The sections and the status. Withdrawn lines are left out of a report that stands.
    """
    lines: list[_Line] = []
    has_values = False
    study_instance_uid: str | None = None
    meanings: dict[str, str | None] = {}  # a report of 60 lines repeats one code
    for segment in segments:
        kind, code = segment.raw(2).strip().upper(), segment.raw(3)
        if code not in meanings:
            meanings[code] = _find_section(segment, site)
        section = meanings[code]
        if _is_narrative(segment, kind, section):
            lines.append(_Line(section, _read_text(segment, kind), segment.raw(11)))
        elif kind not in _DOCUMENT_TYPES:
            has_values = has_values or bool(segment.raw(5).strip())
        elif segment.component(3) in _STUDY_UID_CODES:
            study_instance_uid = segment.component(5) or None
    words = {line.status for line in lines} or {segment.raw(11) for segment in segments}
    narrative = read_narrative(_standing(lines), site.headings)
    sections = narrative.sections
    return Observations(
        sections=sections,
        title=narrative.title,
        status=choose_status(map(read_observation_status, words), result_status),
        observed_at=next((segment.component(14) for segment in segments), ""),
        study_instance_uid=study_instance_uid,
        has_sections=sections.findings is not None or sections.impression is not None,
        has_values=has_values,
    )


def _standing(lines: Sequence[_Line]) -> list[CodedText]:
    """Return the texts that hold; of a report that is withdrawn whole, all of them."""
    withdrawn = {
        word
        for word in {line.status for line in lines}
        if is_withdrawn(read_observation_status(word))
    }
    held = [line for line in lines if line.status not in withdrawn] or lines
    return [CodedText(line.section, line.text) for line in held]


def _is_narrative(segment: Segment, kind: str, section: str | None) -> bool:
    if kind in _CODED_TYPES:
        return section == "impression"  # a coded impression is a person's impression as well
    if kind and kind not in _TEXT_TYPES:
        return False
    if section is not None:
        return True
    if segment.raw(6).strip() or segment.raw(7).strip():
        return False  # a unit or a reference range: a measured value, whatever its type
    return bool(kind) or _WORDS.search(segment.raw(5)) is not None


def _read_text(segment: Segment, kind: str) -> str:
    if kind not in _CODED_TYPES:
        return segment.text(5)
    parts = segment.components(5)
    return next((part for part in (*parts[1:2], *parts[:1]) if part), "")


def _find_section(segment: Segment, site: Site) -> str | None:
    """Read OBX-3: the site's table, then the suffix after ``&``, then the code itself."""
    raw = segment.raw(3)
    if raw.isdigit() and not site.observation_codes:
        return None
    separators = segment.message.separators
    identifier = raw.split(separators.component)
    for code in (identifier[0], *identifier[3:4]):
        *_, suffix = code.split(separators.subcomponent)
        for key in (code.strip(), suffix.strip()):
            section = site.observation_codes.get(key) or _CODES.get(key.upper())
            if section is not None:
                return section
    return None
