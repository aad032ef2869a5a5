"""Parts of one report that stand under several OBR of a message, brought together.

Rules. OBR with one report key are one report: where their texts differ they are parts, joined in
the order of the message under the first, so that a report is never drafted for twice or by half;
where they are the same they are a repeat, which the journal supersedes. An OBR without any OBX is
linked to the report that speaks for it: of feeds that put one text under the last OBR of linked
exams to the next report, of those that put it under the first to the one before. Nothing is ever
joined across patients.

Standard: HL7 v2 ORU_R01; OBR-3 is permanent for an order and its observations.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mappings.domain import LinkedExam, Sections
from mappings.errors import UnreadableContentError
from mappings.hl7_status import WITHDRAWN, choose_furthest
from mappings.report_key import report_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mappings.domain import Identifier, ReportKey, StudyReport

_T = TypeVar("_T")
_TEXTS = ("findings", "impression", "indication", "comparison", "technique", "recommendation")


def join_parts(
    reports: Sequence[StudyReport], addenda: Mapping[int, str]
) -> tuple[dict[int, StudyReport], frozenset[int]]:
    """Join the reports of a message that are parts of one.

    Args:
        reports: One for each OBR, in order.
        addenda: By group, the text of an addendum that stands without findings.

    Returns:
        By group, the joined report in the place of its first part; and the groups of the others.

    Raises:
        UnreadableContentError: Two patients have reports with one key: no draft can be right.
    """
    if len(reports) == 1:
        return {}, frozenset()
    by_key: dict[ReportKey, list[StudyReport]] = defaultdict(list)
    for report in reports:
        key = report_key(report)
        if key is not None and _has_part(report, addenda):
            by_key[key].append(report)
    joined: dict[int, StudyReport] = {}
    others: set[int] = set()
    for parts in by_key.values():
        _refuse_two_patients(parts)
        if len({_fingerprint(part, addenda) for part in parts}) > 1:
            joined[parts[0].group] = _join(parts, addenda)
            others.update(part.group for part in parts[1:])
    return joined, frozenset(others)


def link_silent(
    reports: Sequence[StudyReport], silent: Collection[int]
) -> dict[int, tuple[LinkedExam, ...]]:
    """Link the OBR without any OBX to the reports that speak for them.

    Args:
        reports: One for each OBR, in order.
        silent: The groups without any OBX.

    Returns:
        By group of the report, the exams that it speaks for.
    """
    found: dict[int, list[LinkedExam]] = defaultdict(list)
    by_patient: dict[Identifier | None, list[StudyReport]] = defaultdict(list)
    for report in reports if silent else ():
        by_patient[report.patient].append(report)
    for own in by_patient.values():
        # The first is silent: this feed puts the text of linked exams under the last of them.
        rows = own[::-1] if own[0].group in silent else own
        carrier = next((report.group for report in rows if report.group not in silent), None)
        for report in rows:
            if report.group not in silent:
                carrier = report.group
            elif carrier is not None:
                found[carrier].append(linked_exam(report))
    return {group: tuple(sorted(links, key=_group)) for group, links in found.items()}


def linked_exam(report: StudyReport) -> LinkedExam:
    """Return what is kept of a report's order where another report speaks for it."""
    return LinkedExam(
        report.group, report.accession_number, report.filler_order_number, report.exam
    )


def _group(linked: LinkedExam) -> int:
    return linked.group


def _has_part(report: StudyReport, addenda: Mapping[int, str]) -> bool:
    """Say whether a group holds a piece of a radiology report that stands.

    A document that is not read is one: the impression of the report may stand in it, or does.
    """
    if not report.is_radiology or report.report_status in WITHDRAWN:
        return False
    sections = report.sections
    has_text = sections.findings is not None or sections.impression is not None
    is_unread = bool(report.documents) or report.has_unread_impression
    return has_text or report.group in addenda or is_unread


def _refuse_two_patients(parts: Sequence[StudyReport]) -> None:
    for part in parts:
        if part.patient != parts[0].patient:
            raise UnreadableContentError("report_of_two_patients", f"OBR[{part.group + 1}]-3")


def _fingerprint(part: StudyReport, addenda: Mapping[int, str]) -> tuple[str, ...]:
    """Return the text of a part, white space apart."""
    texts = (part.sections.findings, part.sections.impression, addenda.get(part.group))
    return tuple(" ".join((text or "").split()) for text in texts)


def _join(parts: Sequence[StudyReport], addenda: Mapping[int, str]) -> StudyReport:
    """Make one report of the parts: the exam of the first, every text once, the furthest status."""
    texts: dict[str, list[str | None]] = {
        name: [getattr(part.sections, name) for part in parts] for name in _TEXTS
    }
    if any(texts["findings"]):  # an addendum alone is not findings
        texts["findings"] += [addenda.get(part.group) for part in parts]
    reported = [part.reported_at for part in parts if part.reported_at is not None]
    return replace(
        parts[0],
        accession_number=_first([part.accession_number for part in parts]),
        placer_order_number=_first([part.placer_order_number for part in parts]),
        study_instance_uid=_first([part.study_instance_uid for part in parts]),
        report_status=choose_furthest(part.report_status for part in parts),
        observed_at=_first([part.observed_at for part in parts]),
        reported_at=max(reported, default=None),
        # No spans: they count the OBX of one group, and the texts are of several.
        sections=Sections(
            findings=_joined(texts["findings"]),
            impression=_joined(texts["impression"]),
            indication=_joined(texts["indication"]),
            comparison=_joined(texts["comparison"]),
            technique=_joined(texts["technique"]),
            recommendation=_joined(texts["recommendation"]),
        ),
        linked_exams=tuple(map(linked_exam, parts[1:])),
        documents=tuple(dict.fromkeys(kind for part in parts for kind in part.documents)),
        has_unread_impression=any(part.has_unread_impression for part in parts),
    )


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _joined(texts: Iterable[str | None]) -> str | None:
    """Join what differs, in order: a part that repeats another adds nothing."""
    kept: dict[str, str] = {}
    for text in texts:
        if text is not None:
            kept.setdefault(" ".join(text.split()), text)
    return "\n\n".join(kept.values()) or None
