"""What becomes of a message: its reports, each to be drafted for or left alone with a reason.

The daemon and dry-run both ask here, so that what dry-run says is what the daemon does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mappings.domain import Exam, Findings, Sections, Skip, SkipReason, Standard, StudyReport
from mappings.hl7_header import peek_header
from mappings.hl7_oru import parse_oru
from mappings.scope import plan_draft

if TYPE_CHECKING:
    from mappings.hl7_header import Header
    from mappings.hl7_oru import Result
    from mappings.sites import SiteSet


class PlannedReport(NamedTuple):
    """A report and what is done about it."""

    study: StudyReport
    decision: Findings | Skip


def plan_message(payload: bytes, sites: SiteSet) -> list[PlannedReport]:
    """Read a message and decide about each of its reports.

    Args:
        payload: The message, without framing bytes; its header was accepted.
        sites: The configured sites.

    Returns:
        One for each OBR group; one, skipped, for a message without a group.

    Raises:
        MessageRefusedError: There is no MSH.
        UnreadableContentError: The content cannot be read.
    """
    header = peek_header(payload)
    result = parse_oru(payload, sites)
    ignored = None if header.is_report else Skip(SkipReason.MESSAGE_TYPE_IGNORED)
    if not result.reports:
        skip = ignored or Skip(SkipReason.NO_REPORT_GROUP)
        return [PlannedReport(_without_group(header, result), skip)]
    return [
        PlannedReport(study, ignored or plan_draft(study, result.site)) for study in result.reports
    ]


def _without_group(header: Header, result: Result) -> StudyReport:
    """Stand in for the report of a message that has none, so that its skip can be seen."""
    return StudyReport(
        standard=Standard.HL7V2,
        group=0,
        site=result.site.name,
        language=result.site.language,
        message_control_id=header.control_id,
        message_type=header.message_type,
        sending_application=header.sending_application,
        sending_facility=header.sending_facility,
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
