"""ORU^R01 to one StudyReport for each OBR group.

A number, a code, a document or a note is never findings; an impression is heeded in a note, too.
Where a field may stand in several places, the site says in which order they are looked at.

Standard: HL7 v2 observation reporting; field choices follow IHE Radiology and real feeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypedDict

from mappings.domain import Exam, Identifier, Sections, Standard, StudyReport
from mappings.exam_codes import ExamSource, is_laboratory, is_modality, read_exam
from mappings.hl7_documents import read_text
from mappings.hl7_groups import cut_groups
from mappings.hl7_header import peek_header
from mappings.hl7_message import read_message
from mappings.hl7_observations import read_observations
from mappings.hl7_time import parse_time
from mappings.sections import CodedText, read_narrative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.hl7_groups import Group
    from mappings.hl7_header import Header
    from mappings.hl7_message import Segment
    from mappings.sites import Site, SiteSet

_DIGIT = re.compile(r"\d")
_CODED_REASON = 31
"""OBR-31 is coded: its text is the second component. OBR-13 is text."""


@dataclass(slots=True)
class Result:
    """What a result message says: its site, its last patient, one report for each OBR.

    ``codec`` read it and ``warnings`` say what was read with a doubt. ``silent`` are the groups
    without any OBX; ``addenda`` the texts of addenda that stand in a group without findings.
    """

    header: Header
    site: Site
    codec: str
    warnings: tuple[str, ...]
    patient: Identifier | None = field(repr=False)
    reports: list[StudyReport] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    addenda: dict[int, str] = field(default_factory=dict, repr=False)


def parse_oru(payload: bytes, sites: SiteSet, door: str = "") -> Result:
    """Read a result message and each of its OBR groups.

    Args:
        payload: The message, without framing bytes.
        sites: The configured sites; MSH-3, MSH-4 and the door choose.
        door: The listener or topic that it came by.

    Returns:
        Its reports in order, one a group; none when the message has no OBR.

    Raises:
        MessageRefusedError: There is no MSH.
        UnreadableContentError: The bytes are not in the declared character set, or the message is
            a fragment, or several messages are in one frame.
    """
    header = peek_header(payload)
    site = sites.match(header.sending_application, header.sending_facility, door)
    message = read_message(payload, header, site.undeclared_codecs)
    patient, groups = cut_groups(message, site)
    result = Result(header, site, message.codec, message.warnings, patient)
    for group in groups:
        result.reports.append(_read_group(group, result))
    return result


def blank_report(result: Result) -> StudyReport:
    """Stand in for the report of a message that has no OBR, so that its skip can be seen."""
    return StudyReport(
        **_origin(result),
        group=0,
        patient=result.patient,
        accession_number=None,
        placer_order_number=None,
        filler_order_number=None,
        study_instance_uid=None,
        exam=Exam(),
        report_status=None,
        observed_at=None,
        reported_at=None,
        sections=Sections(),
    )


class _Origin(TypedDict):
    """What MSH, the site and the reading say of every report of a message."""

    standard: Standard
    site: str
    language: str
    message_control_id: str
    message_type: str
    sending_application: str | None
    sending_facility: str | None
    codec: str
    warnings: tuple[str, ...]


def _origin(result: Result) -> _Origin:
    header = result.header
    return {
        "standard": Standard.HL7V2,
        "site": result.site.name,
        "language": result.site.language,
        "message_control_id": header.control_id,
        "message_type": header.message_type,
        "sending_application": header.sending_application,
        "sending_facility": header.sending_facility,
        "codec": result.codec,
        "warnings": result.warnings,
    }


def _read_group(group: Group, result: Result) -> StudyReport:
    request, site, zone = group.request, result.site, result.site.time_zone
    section = request.component(24)
    read = read_observations(group.narrated, request.component(25), site)
    if not group.narrated:
        result.silent.add(group.number)
    if read.addendum is not None:
        result.addenda[group.number] = read.addendum
    is_report = is_modality(section) or read.has_sections or not read.has_values
    is_radiology = is_report and not is_laboratory(section)
    sections, has_unread_impression = read.sections, read.has_unread_impression
    if sections.impression is None and group.observations and group.early:
        early = read_observations(group.early, "", site)
        sections = replace(sections, impression=early.sections.impression)
        has_unread_impression = has_unread_impression or early.has_unread_impression
    if sections.impression is None and group.notes and is_radiology:
        sections = replace(sections, impression=_find_noted_impression(group, site))
    if sections.indication is None:
        reason = _read_reason(request, site.reason_fields)
        sections = replace(sections, indication=reason) if reason else sections
    reported = request.component(22)
    return StudyReport(
        **_origin(result),
        group=group.number,
        patient=group.patient,
        accession_number=_find_accession(group, site.accession_fields),
        placer_order_number=_find(group, site.placer_fields),
        filler_order_number=_find(group, site.filler_fields),
        study_instance_uid=group.study_instance_uid or read.study_instance_uid,
        exam=read_exam(_exam_source(group, site, read.title), site.exams),
        report_status=read.status,
        observed_at=parse_time(request.component(7), zone) or parse_time(read.observed_at, zone),
        reported_at=parse_time(reported, zone) or parse_time(result.header.message_time, zone),
        sections=sections,
        is_radiology=is_radiology,
        documents=read.documents,
        has_unread_impression=has_unread_impression,
        results_interpreter=_read_interpreter(request),
    )


def _read_interpreter(request: Segment) -> Identifier | None:
    """Return who reads the images (OBR-32, an NDL): the id within its name; a bare name is none."""
    name = request.component(32).split(request.message.separators.subcomponent)
    if not _DIGIT.search(name[0]):
        return None
    return Identifier(name[0].strip(), "&".join(name[8:11]).strip("&") or None)


def _find_noted_impression(group: Group, site: Site) -> str | None:
    """Return the impression that a heading in the notes names; the rest of them is not taken."""
    message = group.request.message
    read = [read_text(raw, message.separators, message.codec).text for raw in group.notes]
    texts = [CodedText(None, text) for text in read if text]
    return read_narrative(texts, site.headings).sections.impression


def _exam_source(group: Group, site: Site, title: str | None) -> ExamSource:
    request = group.request
    found = map(group.components, site.modality_fields)
    return ExamSource(
        code=request.components(4) or request.components(44),
        body_site=" ".join(request.components(15)),
        service_section=request.component(24),
        title=title,
        modality_codes=[parts[0] for parts in found if parts and parts[0]],
        language=site.language,
    )


def _read_reason(request: Segment, fields: Sequence[str]) -> str | None:
    """Return the reason for the study where the report gives no indication."""
    for name in fields:
        number = int(name[4:])
        width = 2 if number == _CODED_REASON else 1
        words = [part for part in request.components(number)[:width] if part]
        if words:
            return words[-1]
    return None


def _find_accession(group: Group, fields: Sequence[str]) -> Identifier | None:
    """Return the first of the fields that holds an accession number.

    Feeds put words into OBR-18 ("CHEST"), and the exam's own number, which is every patient's: a
    digit is asked, and that OBR-4 does not say the same.
    """
    for found in map(group.read, fields):
        if found is not None and _DIGIT.search(found.value):
            exam = " ".join(group.request.components(4))
            if found.value not in exam.split():
                return found
    return None


def _find(group: Group, fields: Sequence[str]) -> Identifier | None:
    """Return the first of the fields that holds an identifier."""
    return next(filter(None, map(group.read, fields)), None)
