"""Whether a report is drafted for. A person's impression ends the question, whatever the status.

A signed report with a document that cannot be read here (PDF, RTF, CDA) is taken to have one; so
is any report with a document or a pointer that says of itself that it is the impression, and one
with FHIR results that are not here: an impression may be among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.domain import Findings, ReportStatus, Skip
from mappings.reasons import SkipReason
from mappings.report_key import has_report_key
from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from mappings.domain import Exam, StudyReport
    from mappings.sites import Site

_UNSIGNED = frozenset({ReportStatus.REGISTERED, ReportStatus.PARTIAL, ReportStatus.PRELIMINARY})
_WITHDRAWN = frozenset({ReportStatus.CANCELLED, ReportStatus.ENTERED_IN_ERROR})


def plan_draft(report: StudyReport, site: Site = DEFAULT_SITE) -> Findings | Skip:
    """Decide what the model is told about a report, or why it is left alone.

    Args:
        report: One OBR group or DiagnosticReport.
        site: Its site, for the exams that are configured.

    Returns:
        Findings, or the first reason that holds.
    """
    findings = report.sections.findings
    reason = _skip_reason(report, site)
    if reason is not None or findings is None:
        return Skip(reason or SkipReason.NO_FINDINGS)
    return Findings(findings, report.sections.indication, report.exam, report.site, report.language)


def _skip_reason(report: StudyReport, site: Site) -> SkipReason | None:
    reasons = {
        SkipReason.IMPRESSION_PRESENT: report.sections.impression is not None,
        SkipReason.NOT_RADIOLOGY: not report.is_radiology,
        SkipReason.REPORT_CANCELLED: report.report_status in _WITHDRAWN,
        SkipReason.RESULTS_UNRESOLVED: report.has_unresolved_results,
        SkipReason.NO_FINDINGS: report.sections.findings is None
        and not report.has_unread_impression,
        SkipReason.DOCUMENT_NOT_READ: _may_hide_impression(report),
        SkipReason.EXAM_NOT_CONFIGURED: not _is_configured(report.exam, site),
        SkipReason.NO_REPORT_KEY: not has_report_key(report),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _may_hide_impression(report: StudyReport) -> bool:
    """Say whether a person's impression stands, or may stand, where it is not seen."""
    is_signed = report.report_status not in _UNSIGNED
    return report.has_unread_impression or (is_signed and bool(report.documents))


def _is_configured(exam: Exam, site: Site) -> bool:
    is_modality = site.modalities is None or exam.modality in site.modalities
    return is_modality and (site.regions is None or exam.region in site.regions)
