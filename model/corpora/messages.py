"""Reports out of HL7 v2 messages and FHIR resources: final ones with findings and an impression.

The messages are read by the very mapping that the daemon uses, so that a model is trained on what
it will be shown. The journal's reports come through ``study_row`` as well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.domain import ReportStatus, Skip, Standard
from mappings.errors import PrelimError
from mappings.message_plan import plan_message
from mappings.reasons import SkipReason
from mappings.report_key import report_key
from model.corpora.schema import CorpusRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import StudyReport
    from mappings.sites import SiteSet
    from model.corpora.schema import Pseudonyms

SIGNED = frozenset({ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED})
NEVER_LEARNED = frozenset({SkipReason.PART_OF_REPORT, SkipReason.OWN_DRAFT})
"""What stands in another report already; and what prelim wrote itself."""
_DATE_CHARACTERS = 10


@dataclass(slots=True)
class Passed:
    """Why reports were passed over, counted by a stable word."""

    reasons: Counter[str] = field(default_factory=Counter)


def read_message_rows(
    payload: bytes,
    sites: SiteSet,
    pseudonyms: Pseudonyms,
    passed: Passed,
    standard: Standard = Standard.HL7V2,
) -> Iterator[CorpusRow]:
    """Read the reports of one message or resource.

    Args:
        payload: A message without framing, or a DiagnosticReport or Bundle as JSON.
        sites: How each sender writes.
        pseudonyms: Makes the keys.
        passed: Counts what is not yielded, and why.
        standard: What the payload is written in.

    Yields:
        Each final report that has findings and an impression.
    """
    try:
        planned = plan_message(payload, sites, "", standard)
    except PrelimError as error:
        passed.reasons[error.reason] += 1
        return
    for report in planned:
        decision = report.decision
        if isinstance(decision, Skip) and decision.reason in NEVER_LEARNED:
            passed.reasons[decision.reason.value] += 1
        elif row := study_row(report.study, pseudonyms, passed):
            yield row


def study_row(study: StudyReport, pseudonyms: Pseudonyms, passed: Passed) -> CorpusRow | None:
    """Make a row of a report that a person has signed; None, counted, for any other."""
    reason = _reason_to_pass(study)
    if reason is not None:
        passed.reasons[reason] += 1
        return None
    key = report_key(study) or f"{study.message_control_id}/{study.group}"
    patient, exam, sections = study.patient, study.exam, study.sections
    date = study.reported_at or study.observed_at
    return CorpusRow(
        report_id=pseudonyms.of("report", study.site, key),
        patient_key=None
        if patient is None
        else pseudonyms.of("patient", patient.authority or study.site, patient.value),
        site=study.site,
        language=study.language,
        modality=exam.modality,
        region=exam.region,
        exam_code=exam.code,
        exam_display=exam.display or exam.alternate_display,
        indication=sections.indication,
        findings=sections.findings or "",
        impression=sections.impression or "",
        date=date[:_DATE_CHARACTERS] if date else None,
    )


def _reason_to_pass(study: StudyReport) -> str | None:
    if not study.is_radiology:
        return "not_radiology"
    if study.report_status not in SIGNED:
        return "not_final"
    if study.sections.findings is None:
        return "no_findings"
    if study.sections.impression is None:
        return "no_impression"
    return None
