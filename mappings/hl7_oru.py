"""ORU^R01 to one StudyReport for each OBR group.

An OBX belongs to the nearest OBR before it, by position: grammars that group by structure lose it
after a DG1 or Z segment. One before the first OBR speaks of the patient (a height, a weight),
unless the group has none of its own. A PID speaks for the OBR after it, until the next PID: one
message may hold several patients. A number, a code or a document is never findings.

Standard: HL7 v2 observation reporting; field choices follow IHE Radiology and real feeds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mappings.domain import Identifier, Standard, StudyReport
from mappings.errors import UnreadableContentError
from mappings.exam_codes import ExamSource, is_laboratory, is_modality, read_exam
from mappings.hl7_message import Segment, read_message
from mappings.hl7_observations import read_observations
from mappings.hl7_time import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.domain import Sections
    from mappings.hl7_message import Message
    from mappings.sites import Site, SiteSet

_RECORD_NUMBER_TYPES = frozenset({"MR", "MRN", "PI", "PT"})
_DIGIT = re.compile(r"\d")
GROUPS_MAX = 1_000
"""OBR of one message: more are no report, and would fill the journal with empty ones."""


@dataclass(slots=True)
class _Group:
    """The segments of one OBR; ``order`` is the ORC that came with it, ``early`` the OBX between
    its PID and it.
    """

    request: Segment
    order: Segment | None
    patient: Identifier | None = field(repr=False)
    early: list[Segment]
    observations: list[Segment] = field(default_factory=list)
    study_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a result message says: its site, its patient, one report for each OBR."""

    site: Site
    patient: Identifier | None = field(repr=False)
    reports: list[StudyReport]


def parse_oru(payload: bytes, sites: SiteSet) -> Result:
    """Read a result message and each of its OBR groups.

    Args:
        payload: The message, without framing bytes.
        sites: The configured sites; MSH-3 and MSH-4 choose.

    Returns:
        Its reports in order, one a group; none when the message has no OBR.

    Raises:
        MessageRefusedError: There is no MSH.
        UnreadableContentError: The bytes are not in the declared character set, or the message is
            a fragment, or several messages are in one frame.
    """
    message = read_message(payload)
    site = sites.match(message.header.sending_application, message.header.sending_facility)
    patient, groups = _group(message, site)
    reports = [_read_group(message, site, *numbered) for numbered in enumerate(groups)]
    return Result(site, patient, reports)


def _group(message: Message, site: Site) -> tuple[Identifier | None, list[_Group]]:
    patient: Identifier | None = None
    order: Segment | None = None
    group: _Group | None = None
    early: list[Segment] = []
    groups: list[_Group] = []
    for segment in message.segments():
        name = segment.name
        if name == "OBX":
            (early if group is None else group.observations).append(segment)
        elif name == "OBR":
            if len(groups) == GROUPS_MAX:
                raise UnreadableContentError("too_many_groups", f"OBR[{GROUPS_MAX + 1}]")
            group = _Group(segment, order, patient, early)
            groups.append(group)
            order, early = None, []
        elif name == "ORC":
            order = segment
        elif name == "PID":
            patient, order, group, early = _read_patient(segment, site), None, None, []
        elif name == "ZDS" and group is not None:
            group.study_instance_uid = segment.component(1) or None
    return patient, groups


def _read_group(message: Message, site: Site, number: int, group: _Group) -> StudyReport:
    header, request = message.header, group.request
    service_section = request.component(24)
    read = read_observations(group.observations or group.early, request.component(25), site)
    code = request.components(4)
    exam = read_exam(
        ExamSource(code, " ".join(request.components(15)), service_section, read.title), site.exams
    )
    is_report = is_modality(service_section) or read.has_sections or not read.has_values
    placer = _identifier(group.order, 2) or _identifier(request, 2)
    filler = _identifier(request, 3) or _identifier(group.order, 3)
    observed = parse_time(request.component(7), site.time_zone)
    reported = parse_time(request.component(22), site.time_zone)
    return StudyReport(
        standard=Standard.HL7V2,
        group=number,
        site=site.name,
        language=site.language,
        message_control_id=header.control_id,
        message_type=header.message_type,
        sending_application=header.sending_application,
        sending_facility=header.sending_facility,
        patient=group.patient,
        accession_number=_accession(group, site.accession_fields),
        placer_order_number=placer,
        filler_order_number=filler,
        study_instance_uid=group.study_instance_uid or read.study_instance_uid,
        exam=exam,
        report_status=read.status,
        observed_at=observed or parse_time(read.observed_at, site.time_zone),
        reported_at=reported or parse_time(header.message_time, site.time_zone),
        sections=_with_indication(read.sections, request),
        is_radiology=is_report and not is_laboratory(service_section),
    )


def _with_indication(sections: Sections, request: Segment) -> Sections:
    """Take the reason for the study (OBR-31, OBR-13) where the report gives no indication."""
    if sections.indication is not None:
        return sections
    *_, reason = [part for part in request.components(31)[:2] if part] or [request.component(13)]
    return replace(sections, indication=reason or None)


def _accession(group: _Group, fields: Iterable[str]) -> Identifier | None:
    """Return the first that can be one. Feeds put words into OBR-18 ("CHEST"): a digit is asked."""
    for name in fields:
        segment = group.request if name.startswith("OBR") else group.order
        found = _identifier(segment, int(name[4:]))
        if found is not None and _DIGIT.search(found.value):
            return found
    return None


def _identifier(segment: Segment | None, number: int) -> Identifier | None:
    parts = [] if segment is None else [*segment.components(number), "", ""]
    return Identifier(parts[0], parts[1] or None) if parts and parts[0] else None


def _read_patient(segment: Segment, site: Site) -> Identifier | None:
    message = segment.message
    rows = [message.components(one) for one in segment.repetitions(3) or segment.repetitions(2)]
    known = [[*row, *[""] * 5][:5] for row in rows if row[0]]
    subcomponent = message.separators.subcomponent
    found = [
        (Identifier(row[0], row[3].split(subcomponent)[0] or None), row[4].upper()) for row in known
    ]
    chosen = [one for one, _ in found if one.authority == site.patient_authority is not None]
    chosen += [one for one, kind in found if kind in _RECORD_NUMBER_TYPES]
    chosen += [one for one, _ in found]
    return chosen[0] if chosen else None
