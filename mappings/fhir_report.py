"""DiagnosticReport, with what came with it, to one StudyReport.

The same report gives the same report key as over HL7 v2: its filler order number (identifier type
FILL), else its accession number (ACSN) and exam code. Only where neither is there does the
report's own business identifier stand in for the filler order number.

Standard: FHIR R4, R4B and R5 DiagnosticReport, Bundle, MessageHeader; identifier types of HL7
table 0203; v2-to-FHIR (OBR to DiagnosticReport).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.domain import Exam, Identifier, ReportStatus, Sections, Standard, StudyReport
from mappings.fhir_context import Context
from mappings.fhir_exam import is_radiology, read_exam_context, read_fhir_exam
from mappings.fhir_in_header import REPORT, peek_resource
from mappings.fhir_json import Node, codings, part, parts, word
from mappings.fhir_report_texts import read_report_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mappings.fhir_exam import ExamContext
    from mappings.fhir_in_header import FhirHeader
    from mappings.sites import Site, SiteSet

CODEC = "utf-8"
_STATUSES = {
    **{status.value: status for status in ReportStatus},
    "appended": ReportStatus.AMENDED,
    "modified": ReportStatus.PRELIMINARY,  # R5
}
_UID_SYSTEM = "urn:dicom:uid"
_PATIENT = re.compile(r"(?:https?://\S+/)?Patient/[A-Za-z0-9\-.]{1,64}")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:-[A-Za-z0-9-]+)?")


@dataclass(frozen=True, slots=True)
class FhirResult:
    """What a resource says: its site, one report for each DiagnosticReport."""

    header: FhirHeader
    site: Site
    reports: list[StudyReport] = field(default_factory=list)


def parse_fhir(payload: bytes, sites: SiteSet, door: str = "") -> FhirResult:
    """Read a DiagnosticReport, or every one of a Bundle.

    Args:
        payload: The JSON as it came.
        sites: The configured sites; who sent it (``meta.source`` or ``MessageHeader.source``), the
            organization that issued it and the door choose.
        door: The door or topic that it came by.

    Returns:
        Its reports in order; none when there is no DiagnosticReport.

    Raises:
        ResourceRefusedError: It is no JSON object.
    """
    header = peek_resource(payload)
    site = sites.match(header.application, header.facility, door)
    context = Context(header.resource)
    reports = [
        _read_report(report, number, header, site, context)
        for number, report in enumerate(context.of_kind(REPORT))
    ]
    return FhirResult(header, site, reports)


def blank_fhir_report(result: FhirResult) -> StudyReport:
    """Stand in for the report of a resource that is none, so that its skip can be seen."""
    header = result.header
    return StudyReport(
        standard=Standard.FHIR,
        group=0,
        site=result.site.name,
        language=result.site.language,
        message_control_id=header.control_id,
        message_type=header.message_type,
        sending_application=header.application,
        sending_facility=header.facility,
        patient=None,
        accession_number=None,
        placer_order_number=None,
        filler_order_number=None,
        study_instance_uid=None,
        exam=Exam(),
        report_status=None,
        observed_at=None,
        reported_at=None,
        sections=Sections(),
        codec=CODEC,
    )


def _read_report(
    report: Node, number: int, header: FhirHeader, site: Site, context: Context
) -> StudyReport:
    found = read_exam_context(report, context)
    read = read_report_texts(report, context, site)
    exam = read_fhir_exam(report, found, read.title, site)
    numbers = _Numbers(report, found)
    return StudyReport(
        standard=Standard.FHIR,
        group=number,
        site=site.name,
        language=_language(report) or site.language,
        message_control_id=header.control_id,
        message_type=header.message_type,
        sending_application=header.application,
        sending_facility=header.facility,
        patient=_find_patient(report, context, site),
        accession_number=numbers.find("ACSN"),
        placer_order_number=numbers.find("PLAC"),
        filler_order_number=numbers.find_filler(exam),
        study_instance_uid=_find_study_uid(report, found),
        exam=exam,
        report_status=_STATUSES.get(word(report, "status")),
        observed_at=word(report, "effectiveDateTime")
        or word(part(report, "effectivePeriod"), "start")
        or None,
        reported_at=word(report, "issued") or word(part(report, "meta"), "lastUpdated") or None,
        sections=read.sections,
        is_radiology=is_radiology(report, found, exam),
        documents=read.documents,
        has_unread_impression=read.has_unread_impression,
        has_unresolved_results=read.has_unresolved_results,
        results_interpreter=_find_interpreter(report, context),
        codec=CODEC,
    )


class _Numbers:
    """The identifiers of a report, of its orders and of its images, by type."""

    def __init__(self, report: Node, found: ExamContext) -> None:
        logical = [part(one, "identifier") for one in parts(report, "basedOn")]
        ordered = [one for order in found.orders for one in parts(order, "identifier")]
        imaged = [one for study in found.studies for one in parts(study, "identifier")]
        imaged += [
            part(one, "identifier") for one in parts(report, "imagingStudy", "study", "basedOn")
        ]
        self._own = parts(report, "identifier")
        self._all = [*self._own, *logical, *ordered, *imaged]

    def find(self, type_code: str) -> Identifier | None:
        """Return the first identifier of a type of table 0203."""
        typed = (one for one in self._all if type_code in _type_codes(one))
        return _first_identifier(typed)

    def find_filler(self, exam: Exam) -> Identifier | None:
        """Return the filler order number, or what stands in for it."""
        typed = self.find("FILL")
        if typed is not None or (self.find("ACSN") is not None and exam.code is not None):
            return typed
        return _first_identifier(one for one in self._own if not _type_codes(one))


def _type_codes(identifier: Node) -> set[str]:
    return {one.code for one in codings(parts(identifier, "type"))}


def _first_identifier(nodes: Iterable[Node]) -> Identifier | None:
    named = (one for one in nodes if word(one, "value") and word(one, "use") != "old")
    one = next(named, None)
    return None if one is None else _identifier(one)


def _identifier(node: Node) -> Identifier:
    authority = word(node, "system") or word(part(node, "assigner"), "display")
    return Identifier(word(node, "value"), authority or None)


def _find_patient(report: Node, context: Context, site: Site) -> Identifier | None:
    """Return the patient's number; without one, the reference as it is, for the same server."""
    subject = part(report, "subject")
    found = context.follow(subject, report)
    own = parts(found.resource, "identifier") if found else []
    numbers: Sequence[Node] = [*own, part(subject, "identifier")]
    wanted = [one for one in numbers if word(one, "system") == (site.patient_authority or "")]
    records = [one for one in numbers if "MR" in _type_codes(one)]
    for candidates in (wanted if site.patient_authority else [], records, numbers):
        chosen = _first_identifier(candidates)
        if chosen is not None:
            return chosen
    reference = word(subject, "reference")
    return Identifier(reference) if _PATIENT.fullmatch(reference) else None


def _find_interpreter(report: Node, context: Context) -> Identifier | None:
    """Return the number of the first practitioner who reads the images."""
    for reference in parts(report, "resultsInterpreter"):
        found = context.follow(reference, report)
        kind = word(found.resource, "resourceType") if found else word(reference, "type")
        if kind != "Practitioner":
            continue
        own = parts(found.resource, "identifier") if found else []
        number = _first_identifier([*own, part(reference, "identifier")])
        if number is not None:
            return number
    return None


def _find_study_uid(report: Node, found: ExamContext) -> str | None:
    """Return the first DICOM study UID: of the images that came along, else by reference."""
    nodes = [one for study in found.studies for one in parts(study, "identifier")]
    nodes += [part(one, "identifier") for one in parts(report, "imagingStudy", "study")]
    for one in nodes:
        if word(one, "system") == _UID_SYSTEM and word(one, "value"):
            return word(one, "value").removeprefix("urn:oid:")
    return None


def _language(report: Node) -> str | None:
    match = _LANGUAGE.fullmatch(word(report, "language"))
    return match[1].lower() if match else None
