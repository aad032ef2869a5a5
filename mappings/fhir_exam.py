"""Which exam a DiagnosticReport is about, and whether it is radiology at all.

A category speaks first; without one that is known, the exam does: its images, its order, its name.
Where the report's own code only says that it is a report, the order or the images name the exam.

Standard: FHIR DiagnosticReport.category (HL7 table 0074, LOINC, SNOMED CT, DICOM CID 29);
ImagingStudy, ServiceRequest of R4 and R5. A SNOMED code is compared, its meaning is not shipped.
LOINC codes are copyright Regenstrief Institute, used under the LOINC licence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.domain import Modality
from mappings.exam_codes import ExamSource, is_laboratory, is_modality, read_exam
from mappings.fhir_json import Coding, Node, codings, name_of, part, parts, word
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mappings.domain import Exam
    from mappings.fhir_context import Context
    from mappings.sites import Site

DICOM_SYSTEMS = frozenset(
    {"http://dicom.nema.org/resources/ontology/DCM", "urn:oid:1.2.840.10008.2.16.4"}
)
_KINDS = {(row["system"], row["code"]): row["kind"] for row in read_table("report_categories")}
_REPORT_CODES = frozenset(
    row["code"] for row in read_table("report_codes") if row["section"] == "body"
)
_RADIOLOGY_SECTIONS = frozenset(
    row["code"] for row in read_table("service_sections") if row["kind"] == "radiology"
)
_SIDES = {"7771000": "left", "24028007": "right", "51440002": "bilateral"}
"""DICOM CID 244."""


@dataclass(frozen=True, slots=True)
class ExamContext:
    """The orders and the image studies of a report, as far as they came with it."""

    orders: Sequence[Node] = field(repr=False)
    studies: Sequence[Node] = field(repr=False)
    is_imaged: bool
    """Whether it names images, be they here or not."""


def read_exam_context(report: Node, context: Context) -> ExamContext:
    """Find the orders and image studies of a report, and the orders of the studies."""
    references = parts(report, "imagingStudy", "study")
    studies = context.follow_all(references, report)
    studies = [one for one in studies if word(one, "resourceType") == "ImagingStudy"]
    if not studies and len(context.of_kind("DiagnosticReport")) == 1:
        studies = context.of_kind("ImagingStudy")
    orders = context.follow_all(parts(report, "basedOn"), report)
    for study in studies:
        orders += [
            one for one in context.follow_all(parts(study, "basedOn"), study) if one not in orders
        ]
    return ExamContext(orders, studies, is_imaged=bool(references or studies))


def read_fhir_exam(report: Node, found: ExamContext, title: str | None, site: Site) -> Exam:
    """Read the exam of a report.

    Args:
        report: A DiagnosticReport.
        found: Its orders and images.
        title: What its text calls the exam, the last resort.
        site: Its table of exams and its language.

    Returns:
        The exam; what no source tells is None.
    """
    concepts = [*parts(report, "code"), *_ordered_codes(found)]
    named = [one for one in map(_codings, concepts) if not _is_only_a_report(one)]
    chosen = next(iter(named), _codings(part(report, "code")))
    first, second = [*chosen, Coding("", "", ""), Coding("", "", "")][:2]
    categories = codings(parts(report, "category"))
    return read_exam(
        ExamSource(
            code=(first.code, first.display, first.system, *_alternate(second)),
            body_site=" ".join(_places(found)),
            service_section=next((one.code for one in categories if is_modality(one.code)), ""),
            title=title,
            modality_codes=[one.code for one in _modalities(categories, found)],
            language=site.language,
        ),
        site.exams,
    )


def is_radiology(report: Node, found: ExamContext, exam: Exam) -> bool:
    """Say whether a report is one of radiology."""
    kinds = {_kind(one) for one in codings(parts(report, "category"))}
    if "radiology" in kinds:
        return True
    if "other" in kinds:
        return False
    if found.is_imaged or exam.modality is not None:
        return True
    return any(one.code in _REPORT_CODES for one in codings(parts(report, "code")))


def _kind(category: Coding) -> str:
    """Return radiology, other or nothing; a code of table 0074 is known by itself."""
    known = _KINDS.get((category.system, category.code))
    if known is not None:
        return known
    code = category.code.upper()
    if category.system in DICOM_SYSTEMS:
        return "radiology" if _is_dicom_modality(code) else ""
    if category.system and not category.system.endswith("0074"):
        return ""
    if code in _RADIOLOGY_SECTIONS or is_modality(code):
        return "radiology"
    return "other" if is_laboratory(code) else ""


def _is_dicom_modality(code: str) -> bool:
    return code in {each.value for each in Modality}


def _codings(concept: Node) -> list[Coding]:
    found = codings([concept])
    text = name_of(concept)
    return [Coding(one.system, one.code, one.display or text) for one in found]


def _is_only_a_report(found: Sequence[Coding]) -> bool:
    return not found or all(one.code in _REPORT_CODES or not one.code for one in found)


def _ordered_codes(found: ExamContext) -> Iterable[Node]:
    for order in found.orders:
        yield from parts(order, "code")
    for study in found.studies:
        yield from parts(study, "procedureCode", "procedure")


def _alternate(second: Coding) -> tuple[str, str, str]:
    return second.code, second.display, second.system


def _modalities(categories: Sequence[Coding], found: ExamContext) -> list[Coding]:
    """Return the modalities that are named: of the images, then of the category."""
    listed = [one for study in found.studies for one in codings(parts(study, "modality"))]
    listed += [
        one
        for study in found.studies
        for series in parts(study, "series")
        for one in codings(parts(series, "modality"))
    ]
    listed += categories
    return [one for one in listed if is_modality(one.code) or _is_dicom_modality(one.code)]


def _places(found: ExamContext) -> list[str]:
    """Return the words for the body site and the side, of the order and of the images."""
    series = [one for study in found.studies for one in parts(study, "series")]
    sites = [one for each in (*found.orders, *series) for one in parts(each, "bodySite")]
    sides = codings([one for each in series for one in parts(each, "laterality")])
    words = [name_of(one) for one in sites]
    words += [_SIDES.get(one.code) or one.display for one in sides]
    return list(dict.fromkeys(filter(None, words)))
