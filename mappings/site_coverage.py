"""How much of sample messages a set of sites understands: counts, and the codes nobody knows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.errors import PrelimError
from mappings.hl7_status import choose_status, read_observation_status
from mappings.message_plan import plan_message
from mappings.reasons import SkipReason
from mappings.report_key import report_key
from mappings.site_samples import count_by_report, is_telling, read_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mappings.domain import StudyReport
    from mappings.message_plan import PlannedReport
    from mappings.site_samples import SampleReport
    from mappings.sites import Site, SiteSet

MEASURES: dict[str, Callable[[StudyReport], object]] = {
    "patient": lambda study: study.patient,
    "accession": lambda study: study.accession_number,
    "report_key": report_key,
    "exam_modality": lambda study: study.exam.modality,
    "exam_region": lambda study: study.exam.region,
    "report_status": lambda study: study.report_status,
    "findings": lambda study: study.sections.findings,
    "impression": lambda study: study.sections.impression,
}
"""What is counted of each radiology report: that it is known."""
_NO_REPORT = frozenset(
    {SkipReason.MESSAGE_TYPE_IGNORED, SkipReason.NO_REPORT_GROUP, SkipReason.NOT_RADIOLOGY}
)


@dataclass(slots=True)
class Coverage:
    """What one site came to. ``found`` counts reports by measure; ``others`` are messages and
    groups that hold no radiology report; ``unknown`` counts codes by kind and reports.
    """

    site: str
    messages: int = 0
    reports: int = 0
    others: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    decisions: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, dict[str, int]] = field(default_factory=dict)

    def is_at_least(self, other: Coverage) -> bool:
        """Say whether nothing is known of fewer reports than in another."""
        return all(self.found[name] >= other.found[name] for name in MEASURES)


def measure(payloads: Iterable[bytes], sites: SiteSet, door: str = "") -> list[Coverage]:
    """Read messages as the daemon would and count what is understood.

    Args:
        payloads: Messages without framing bytes.
        sites: The sites.
        door: The listener or topic that they are taken to come from.

    Returns:
        One for each site that a message belongs to, by name; what cannot be read at all stands
        under an empty name.
    """
    found: dict[str, Coverage] = {}
    studies: dict[str, list[StudyReport]] = defaultdict(list)
    samples: dict[str, list[SampleReport]] = defaultdict(list)
    for payload in payloads:
        try:
            plan = plan_message(payload, sites, door)
            read = list(read_samples(payload))
        except PrelimError as error:
            coverage = found.setdefault("", Coverage(""))
            coverage.messages += 1
            coverage.unreadable[error.reason] += 1
            continue
        site = plan[0].study.site
        coverage = found.setdefault(site, Coverage(site))
        coverage.messages += 1
        studies[site] += _count_decisions(plan, coverage)
        samples[site] += read
    for site, coverage in found.items():
        _count(studies[site], coverage)
        coverage.unknown = find_unknown(samples[site], studies[site], sites.named(site))
    return [found[site] for site in sorted(found)]


def _count_decisions(plan: Sequence[PlannedReport], coverage: Coverage) -> list[StudyReport]:
    studies = []
    for study, decision in plan:
        reason = getattr(decision, "reason", None)
        if reason in _NO_REPORT:
            coverage.others += 1
        else:
            coverage.decisions["draft" if reason is None else str(reason.value)] += 1
            studies.append(study)
    return studies


def _count(studies: Sequence[StudyReport], coverage: Coverage) -> None:
    coverage.reports = len(studies)
    patients: dict[str, set[str | None]] = defaultdict(set)
    for study in studies:
        if study.accession_number is not None:
            patient = None if study.patient is None else study.patient.value
            patients[study.accession_number.value].add(patient)
    for study in studies:
        for name, read in MEASURES.items():
            is_found = read(study) is not None
            if name == "accession" and is_found:
                is_found = _is_number_of_its_own(study, patients)
            coverage.found[name] += is_found


def _is_number_of_its_own(study: StudyReport, patients: dict[str, set[str | None]]) -> bool:
    """Say whether an accession number can be one: not two patients' and not the exam's code."""
    value = "" if study.accession_number is None else study.accession_number.value
    exam = study.exam
    names = f"{exam.display or ''} {exam.alternate_display or ''}".split()
    return len(patients[value]) == 1 and value not in {exam.code, exam.alternate_code, *names}


def find_unknown(
    samples: Sequence[SampleReport], studies: Sequence[StudyReport], site: Site
) -> dict[str, dict[str, int]]:
    """Count the codes and words that neither the site nor the shipped tables know.

    Returns:
        By kind (exam_codes, observation_codes, status_words): what is unknown, and in how many
        reports; a code that may be somebody's number is left out.
    """
    exams = [
        [study.exam.code or ""]
        for study in studies
        if study.exam.modality is None or study.exam.region is None
    ]
    lines = [
        [line.code for line in sample.lines if line.is_text and line.section is None]
        for sample in samples
    ]
    words = [
        [
            *(line.status for line in sample.lines if not _is_line_status(line.status, site)),
            *(
                []
                if choose_status([], sample.result_status, site.status_words)
                else [sample.result_status]
            ),
        ]
        for sample in samples
    ]
    own = site.observation_codes
    return {
        "exam_codes": _told(count_by_report(exams)),
        "observation_codes": _told(
            {code: n for code, n in count_by_report(lines).items() if code not in own}
        ),
        "status_words": _told(count_by_report(words)),
    }


def _is_line_status(word: str, site: Site) -> bool:
    return read_observation_status(word, site.status_words) is not None


def _told(counts: dict[str, int]) -> dict[str, int]:
    return {code: reports for code, reports in counts.items() if is_telling(code, reports)}
