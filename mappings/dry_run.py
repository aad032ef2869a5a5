"""What would be done with a message, said without doing it: the records of ``prelim dry-run``.

The names of a record are an outside contract: add freely, rename never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mappings import fhir_in_header
from mappings.domain import Exam, Findings, Standard
from mappings.errors import PrelimError
from mappings.fhir_judge import judge_resource
from mappings.hl7_header import judge_header, peek_header
from mappings.message_plan import plan_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mappings.domain import Identifier, LinkedExam, StudyReport
    from mappings.sites import SiteSet

Record: TypeAlias = dict[str, object]

_EMPTY: Record = dict.fromkeys(
    (
        "message_control_id",
        "message_type",
        "sending_application",
        "sending_facility",
        "patient_id",
        "accession_number",
        "placer_order_number",
        "filler_order_number",
        "exam",
        "report_status",
        "observed_at",
        "site",
        "language",
        "findings",
        "impression",
        "indication",
        "comparison",
        "technique",
        "recommendation",
        "spans",
        "linked_exams",
        "documents",
        "codec",
        "warnings",
    )
)


def describe(
    source: str, index: int, payload: bytes, sites: SiteSet, door: str = ""
) -> Iterator[Record]:
    """Say what would be done with one message; see ``describe_findings``."""
    for record, _ in describe_findings(source, index, payload, sites, door):
        yield record


def describe_findings(
    source: str, index: int, payload: bytes, sites: SiteSet, door: str = ""
) -> Iterator[tuple[Record, Findings | None]]:
    """Say what would be done with one message, and give the findings that would be drafted for.

    Args:
        source: The file's name, or ``-``.
        index: Which message of the file, from 0.
        payload: The message, without framing bytes.
        sites: The configured sites.
        door: The listener or topic that it would come by.

    Yields:
        One record for each OBR group or DiagnosticReport; one for a message without any, or with
        an error.
    """
    start: Record = {"source": source, "index": index, "group": 0, "ok": True, "error": None}
    standard = Standard.FHIR if _is_fhir(source, payload) else Standard.HL7V2
    known = _EMPTY
    try:
        described, judge = (_peek_fhir if standard is Standard.FHIR else _peek_hl7)(payload)
        known = _EMPTY | described
        judge()
        plan = plan_whole(payload, sites, door, standard)
    except PrelimError as error:
        yield _refused(start, standard, error, known), None
        return
    known = known | {"codec": plan.codec, "warnings": list(plan.warnings)}
    for study, decision in plan.reports:
        record = start | {"standard": standard.value} | known | _describe_report(study)
        if isinstance(decision, Findings):
            yield record | {"decision": "draft", "reason": None}, decision
        else:
            yield record | {"decision": "skip", "reason": decision.reason}, None


def _is_fhir(source: str, payload: bytes) -> bool:
    return source.endswith(".json") or fhir_in_header.is_json(payload)


def _peek_hl7(payload: bytes) -> tuple[Record, Callable[[], None]]:
    header = peek_header(payload)
    described: Record = {
        "message_control_id": header.control_id or None,
        "message_type": header.message_type or None,
        "sending_application": header.sending_application,
        "sending_facility": header.sending_facility,
    }
    return described, lambda: None if header.is_ack else judge_header(header)


def _peek_fhir(payload: bytes) -> tuple[Record, Callable[[], None]]:
    header = fhir_in_header.peek_resource(payload)
    described: Record = {
        "message_control_id": header.control_id or None,
        "message_type": header.message_type or None,
        "sending_application": header.application,
        "sending_facility": header.facility,
    }

    def judge() -> None:
        fhir_in_header.judge_header(header)
        judge_resource(header)

    return described, judge


def _refused(
    start: Record, standard: Standard, error: PrelimError, known: Record = _EMPTY
) -> Record:
    failure = {"ok": False, "error": {"reason": error.reason, "where": error.where}}
    end = {"decision": "reject", "reason": error.reason}
    return start | failure | {"standard": standard.value} | known | end


def _describe_report(report: StudyReport) -> Record:
    return {
        "group": report.group,
        "site": report.site,
        "language": report.language,
        "patient_id": _value(report.patient),
        "accession_number": _value(report.accession_number),
        "placer_order_number": _value(report.placer_order_number),
        "filler_order_number": _value(report.filler_order_number),
        "exam": None if report.exam == Exam() else _describe_exam(report.exam),
        "report_status": report.report_status,
        "observed_at": report.observed_at,
        "findings": report.sections.findings,
        "impression": report.sections.impression,
        "indication": report.sections.indication,
        "comparison": report.sections.comparison,
        "technique": report.sections.technique,
        "recommendation": report.sections.recommendation,
        "spans": report.sections.spans,
        "linked_exams": [_describe_linked(linked) for linked in report.linked_exams],
        "documents": list(report.documents),
    }


def _describe_linked(linked: LinkedExam) -> Record:
    return {
        "group": linked.group,
        "accession_number": _value(linked.accession_number),
        "filler_order_number": _value(linked.filler_order_number),
        "exam": _describe_exam(linked.exam),
    }


def _describe_exam(exam: Exam) -> Record:
    return {
        "code": exam.code,
        "system": exam.system,
        "display": exam.display,
        "modality": exam.modality,
        "region": exam.region,
        "laterality": exam.laterality,
    }


def _value(identifier: Identifier | None) -> str | None:
    return None if identifier is None else identifier.value
