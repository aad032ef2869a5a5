"""Tables of exam codes that a site drops into its folder, merged to one.

In this order, each filling what the one before leaves open: the site's own ``exams.csv``; the
published LOINC/RSNA Radiology Playbook as ``loinc.csv``; a RadLex Playbook as ``radlex.csv``; a
FHIR R4 ConceptMap as ``conceptmap.json``, whose targets are looked up in the tables before it. None
of these is shipped: their licences are the site's affair.

Standard: LoincRsnaRadiologyPlaybook.csv (Regenstrief and RSNA); FHIR R4 ConceptMap.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mappings.domain import Laterality, Modality, Region
from mappings.errors import SiteMappingError
from mappings.exam_codes import ExamEntry
from mappings.exam_names import read_name
from mappings.table_files import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMS, LOINC, RADLEX, CONCEPT_MAP = "exams.csv", "loinc.csv", "radlex.csv", "conceptmap.json"
EXAM_FILES = (EXAMS, LOINC, RADLEX, CONCEPT_MAP)

_MODALITY_PARTS = ("rad.modality.modality subtype", "rad.modality.modality type")
_FOCUS, _REGION = "rad.anatomic location.imaging focus", "rad.anatomic location.region imaged"
_SIDE = "rad.anatomic location.laterality"
_NO_MATCH = frozenset({"unmatched", "disjoint", "not-related-to"})
_MODALITIES = frozenset(modality.value for modality in Modality)


def read_exams(
    folder: str, files: Mapping[str, str], inline: Mapping[str, ExamEntry]
) -> dict[str, ExamEntry]:
    """Read and merge a site's exam tables.

    Args:
        folder: The site's folder with a slash, for errors.
        files: Text by name; those of ``EXAM_FILES`` are read.
        inline: The table of ``site.yaml``.

    Returns:
        Code, or ``CODE^SYSTEM``, -> entry.

    Raises:
        SiteMappingError: A file cannot be read; ``where`` is its row or element.
    """
    merged = dict(inline)
    if EXAMS in files:
        fill(merged, read_local(folder + EXAMS, files[EXAMS]))
    if LOINC in files:
        fill(merged, read_loinc(folder + LOINC, files[LOINC]))
    if RADLEX in files:
        fill(merged, read_radlex(folder + RADLEX, files[RADLEX]))
    if CONCEPT_MAP in files:
        fill(merged, read_concept_map(folder + CONCEPT_MAP, files[CONCEPT_MAP], merged))
    return merged


def fill(merged: dict[str, ExamEntry], below: Mapping[str, ExamEntry]) -> None:
    """Lay a table under what is there: it says what is still open."""
    for code, entry in below.items():
        known = merged.get(code)
        merged[code] = entry if known is None else known.over(entry)


def read_local(where: str, text: str) -> dict[str, ExamEntry]:
    """Read the site's own table: code, and any of system, modality, region, laterality, display."""
    optional = ("system", "modality", "region", "laterality", "display")
    rows = read_rows(where, text, needed=("code",), optional=optional)
    found = {}
    for row in rows.unique("system", "code"):
        code, system = row.text("code"), row.optional("system")
        found[f"{code}^{system}" if system else code] = ExamEntry(
            modality=row.member("modality", Modality),
            region=row.member("region", Region),
            laterality=row.member("laterality", Laterality),
            display=row.optional("display") or None,
        )
    return found


def read_loinc(where: str, text: str) -> dict[str, ExamEntry]:
    """Read the published LOINC/RSNA table: one row for each part of a LOINC term."""
    rows = read_rows(
        where,
        text,
        needed=("LoincNumber", "PartTypeName", "PartName"),
        optional=None,
    )
    parts: dict[str, dict[str, list[str]]] = {}
    names: dict[str, str] = {}
    for row in rows:
        code = row.text("LoincNumber")
        kind = row.text("PartTypeName").lower()
        parts.setdefault(code, {}).setdefault(kind, []).append(row.optional("PartName"))
        names[code] = row.optional("LongCommonName") or names.get(code, "")
    return {code: _loinc_entry(parts[code], names[code]) for code in parts}


def _loinc_entry(parts: Mapping[str, list[str]], name: str) -> ExamEntry:
    modality = read_name(" ".join(word for kind in _MODALITY_PARTS for word in parts.get(kind, ())))
    focus = read_name(" ".join(parts.get(_FOCUS, ())))
    region = read_name(" ".join(parts.get(_REGION, ())))
    side = read_name(" ".join(parts.get(_SIDE, ())))
    return ExamEntry(
        modality.modality, focus.region or region.region, side.laterality, name or None
    )


def read_radlex(where: str, text: str) -> dict[str, ExamEntry]:
    """Read a RadLex Playbook: RPID and its columns.

    The published file has term numbers (RID...) in the columns and words in the names only; an
    edited one has words in both. Words in a column win.
    """
    rows = read_rows(
        where,
        text,
        needed=("RPID",),
        optional=None,
    )
    found = {}
    for row in rows.unique("RPID"):
        cells = {name.upper().replace(" ", "_"): cell for name, cell in row.values.items()}
        names = ("LONG_NAME", "AUTOMATED_LONG_NAME", "SHORT_NAME", "AUTOMATED_SHORT_NAME")
        name = next((cells[key] for key in names if cells.get(key)), "")
        columns = ("MODALITY", "ANATOMIC_FOCUS", "BODY_REGION", "LATERALITY")
        modality, focus, region, side = (read_name(cells.get(key, "")) for key in columns)
        whole = read_name(name)
        found[row.text("RPID")] = ExamEntry(
            modality.modality or whole.modality,
            focus.region or region.region or whole.region,
            side.laterality or whole.laterality,
            name or None,
        )
    return found


def read_concept_map(where: str, text: str, known: Mapping[str, ExamEntry]) -> dict[str, ExamEntry]:
    """Read a FHIR R4 ConceptMap from the site's codes to codes or words that say more.

    Args:
        where: The file, for errors.
        text: JSON.
        known: The tables in which a target's code is looked up; a target that no table has is read
            as a DICOM modality code, else by the words of its display.
    """
    try:
        resource = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise SiteMappingError("not_json", where) from None
    if not isinstance(resource, dict) or resource.get("resourceType") != "ConceptMap":
        raise SiteMappingError("not_a_concept_map", where)
    found: dict[str, ExamEntry] = {}
    for place, element in _elements(where, resource):
        code = element.get("code")
        if not isinstance(code, str) or not code:
            raise SiteMappingError("bad_value", f"{place}.code")
        if code in found:
            raise SiteMappingError("given_twice", f"{place}.code")
        display = element.get("display")
        entry = ExamEntry(display=display if isinstance(display, str) else None)
        for _, target in _objects(place, element, "target"):
            if _relation(target) not in _NO_MATCH:
                entry = entry.over(_read_target(target, known))
        found[code] = entry
    return found


def _elements(where: str, resource: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    for place, group in _objects(where + ": ConceptMap", resource, "group"):
        yield from _objects(place, group, "element")


def _objects(
    where: str, parent: dict[str, object], name: str
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the objects of a list with where they stand."""
    value = parent.get(name, [])
    if not isinstance(value, list):
        raise SiteMappingError("bad_value", f"{where}.{name}")
    for number, one in enumerate(value):
        if not isinstance(one, dict):
            raise SiteMappingError("bad_value", f"{where}.{name}[{number}]")
        yield f"{where}.{name}[{number}]", one


def _relation(target: dict[str, object]) -> object:
    """Return R4's ``equivalence``, or what R5 calls ``relationship``."""
    return target.get("equivalence") or target.get("relationship")


def _read_target(target: dict[str, object], known: Mapping[str, ExamEntry]) -> ExamEntry:
    code, display = str(target.get("code", "")), str(target.get("display", ""))
    entry = known.get(code)
    if entry is not None:
        return ExamEntry(entry.modality, entry.region, entry.laterality)
    if code in _MODALITIES:
        return ExamEntry(Modality(code))
    name = read_name(display)
    return ExamEntry(name.modality, name.region, name.laterality)
