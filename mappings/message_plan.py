"""What becomes of a message: its reports, each to be drafted for or left alone with a reason.

The daemon and dry-run both ask here, so that what dry-run says is what the daemon does.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mappings.domain import Findings, ReportStatus, Skip, Standard, StudyReport
from mappings.fhir_report import CODEC, blank_fhir_report, parse_fhir
from mappings.hl7_oru import blank_report, parse_oru
from mappings.hl7_status import is_withdrawn
from mappings.reasons import SkipReason
from mappings.report_key import report_key
from mappings.report_parts import join_parts, link_silent
from mappings.scope import plan_draft

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mappings.domain import Identifier, ReportKey
    from mappings.hl7_oru import Result
    from mappings.sites import Site, SiteSet

_NO_FINDINGS = Skip(SkipReason.NO_FINDINGS)
_SPEAKING = frozenset({ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED})
"""Statuses that say, even without any text, that a person has spoken."""


class _Read(NamedTuple):
    """The reports of a message, and its site; see ``hl7_oru.Result``."""

    reports: Sequence[StudyReport]
    site: Site
    silent: Collection[int] = frozenset()
    addenda: Mapping[int, str] = MappingProxyType({})


class PlannedReport(NamedTuple):
    """A report and what is done about it."""

    study: StudyReport
    decision: Findings | Skip

    @property
    def key(self) -> ReportKey | None:
        """The key under which it is a version of its report; None for what is no version: a part
        of another, and an OBR without text that says no more than that the report is under way.
        """
        if isinstance(self.decision, Skip):
            is_silent = self.decision.reason is SkipReason.NO_OBSERVATIONS
            is_silent = is_silent and self.study.report_status not in _SPEAKING
            if is_silent or self.decision.reason is SkipReason.PART_OF_REPORT:
                return None
        return report_key(self.study)


@dataclass(slots=True)
class MessagePlan:
    """What is done about a whole message.

    ``codec`` is the Python codec that read it; ``warnings`` are stable words for what was read
    with a doubt.
    """

    site: Site
    codec: str
    warnings: tuple[str, ...]
    reports: list[PlannedReport] = field(repr=False)


def plan_message(
    payload: bytes, sites: SiteSet, door: str = "", standard: Standard = Standard.HL7V2
) -> list[PlannedReport]:
    """Read a message and decide about each of its reports; see ``plan_whole``."""
    return plan_whole(payload, sites, door, standard).reports


def plan_whole(
    payload: bytes, sites: SiteSet, door: str = "", standard: Standard = Standard.HL7V2
) -> MessagePlan:
    """Read a message and decide about it.

    Args:
        payload: The message, without framing bytes; its header was accepted.
        sites: The configured sites.
        door: The listener or topic that it came by.
        standard: What it is written in.

    Returns:
        One report for each OBR group or DiagnosticReport; one, skipped, for a message without any.

    Raises:
        MessageRefusedError: There is no MSH.
        ResourceRefusedError: It is no FHIR JSON.
        UnreadableContentError: The content cannot be read.
    """
    if standard is Standard.FHIR:
        return _plan_fhir(payload, sites, door)
    result = parse_oru(payload, sites, door)
    reports = _decide(result)
    doubts = [*result.warnings, *_doubts(reports)]
    return MessagePlan(result.site, result.codec, tuple(dict.fromkeys(doubts)), reports)


def _plan_fhir(payload: bytes, sites: SiteSet, door: str) -> MessagePlan:
    result = parse_fhir(payload, sites, door)
    if result.reports:
        reports = _plan_reports(_Read(result.reports, result.site))
    else:
        skip = Skip(SkipReason.MESSAGE_TYPE_IGNORED)
        reports = [PlannedReport(blank_fhir_report(result), skip)]
    return MessagePlan(result.site, CODEC, tuple(dict.fromkeys(_doubts(reports))), reports)


def _doubts(reports: Sequence[PlannedReport]) -> list[str]:
    return [word for one in reports for word in one.study.doubts]


def _decide(result: Result) -> list[PlannedReport]:
    is_ignored = not result.header.is_report
    if not result.reports:
        reason = SkipReason.MESSAGE_TYPE_IGNORED if is_ignored else SkipReason.NO_REPORT_GROUP
        return [PlannedReport(blank_report(result), Skip(reason))]
    if is_ignored:
        skip = Skip(SkipReason.MESSAGE_TYPE_IGNORED)
        return [PlannedReport(study, skip) for study in result.reports]
    return _plan_reports(_Read(result.reports, result.site, result.silent, result.addenda))


def _plan_reports(read: _Read) -> list[PlannedReport]:
    if len(read.reports) == 1:
        return [_plan_one(read.reports[0], read)]
    return _plan_several(read)


def _plan_one(study: StudyReport, read: _Read) -> PlannedReport:
    decision = plan_draft(study, read.site)
    if decision == _NO_FINDINGS and study.group in read.silent:
        decision = Skip(SkipReason.NO_OBSERVATIONS)
    return PlannedReport(study, decision)


def _plan_several(read: _Read) -> list[PlannedReport]:
    """Decide where the reports of a message may be parts of one, or speak for each other."""
    joined, others = join_parts(read.reports, read.addenda)
    linked = link_silent(read.reports, read.silent)
    planned = []
    for report in read.reports:
        if report.group in others:
            planned.append(PlannedReport(report, Skip(SkipReason.PART_OF_REPORT)))
            continue
        study = joined.get(report.group, report)
        if report.group in linked:
            study = replace(study, linked_exams=study.linked_exams + linked[report.group])
        planned.append(_plan_one(study, read))
    return _heed_impressions(planned)


def _heed_impressions(planned: list[PlannedReport]) -> list[PlannedReport]:
    """Leave alone what a person's impression under another OBR of the patient speaks for.

    That is an impression without findings of its own (one for linked exams), or one that stands
    beside the very same findings.
    """
    spoken_for: dict[Identifier | None, set[str | None]] = defaultdict(set)
    for study, _ in planned:
        is_impressed = study.sections.impression is not None or study.has_unread_impression
        if is_impressed and _stands(study):
            spoken_for[study.patient].add(study.sections.findings)
    return [
        PlannedReport(study, Skip(SkipReason.IMPRESSION_PRESENT))
        if isinstance(decision, Findings)
        and not spoken_for[study.patient].isdisjoint((None, decision.text))
        else PlannedReport(study, decision)
        for study, decision in planned
    ]


def _stands(study: StudyReport) -> bool:
    return study.is_radiology and not is_withdrawn(study.report_status)
