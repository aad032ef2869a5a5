"""Which reports are drafted for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Findings, Modality, Region, ReportStatus, Skip, StudyReport
from mappings.hl7_oru import parse_oru
from mappings.hl7_status import WITHDRAWN
from mappings.reasons import SkipReason
from mappings.scope import plan_draft
from mappings.sites import DEFAULT_SITE, SiteSet


@pytest.fixture
def report() -> StudyReport:
    text = (
        "MSH|^~\\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.4\rOBR|1|P1|F1|CTCH^CT CHEST\r"
        "OBX|1|TX|&GDT||INDICATION: Cough.~~FINDINGS: The lungs are clear.||||||P\r"
    )
    return parse_oru(text.encode(), SiteSet()).reports[0]


def test_findings_of_a_person_without_an_impression_are_drafted_for(report: StudyReport) -> None:
    assert plan_draft(report) == Findings(
        text="The lungs are clear.",
        indication="Cough.",
        exam=report.exam,
        site="default",
        language="en",
    )


@pytest.mark.parametrize("status", [*ReportStatus, None])
def test_an_impression_is_never_drafted_over_whatever_the_status(
    report: StudyReport, status: ReportStatus | None
) -> None:
    sections = replace(report.sections, impression="Normal.")

    decision = plan_draft(replace(report, sections=sections, report_status=status))

    assert decision == Skip(SkipReason.IMPRESSION_PRESENT)


@pytest.mark.parametrize(
    "status", [ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED, None]
)
def test_a_signed_report_may_have_its_impression_in_a_document_that_is_not_read(
    report: StudyReport, status: ReportStatus | None
) -> None:
    decision = plan_draft(replace(report, documents=("pdf",), report_status=status))

    assert decision == Skip(SkipReason.DOCUMENT_NOT_READ)


@pytest.mark.parametrize(
    "status", [ReportStatus.REGISTERED, ReportStatus.PARTIAL, ReportStatus.PRELIMINARY]
)
def test_beside_a_report_that_is_not_signed_a_document_hides_no_impression(
    report: StudyReport, status: ReportStatus
) -> None:
    decision = plan_draft(replace(report, documents=("pdf",), report_status=status))

    assert isinstance(decision, Findings)


@pytest.mark.parametrize("findings", ["The lungs are clear.", None])
@pytest.mark.parametrize("status", [*sorted(set(ReportStatus) - {*WITHDRAWN}), None])
def test_an_impression_that_is_not_read_is_never_drafted_over_whatever_the_status(
    report: StudyReport, status: ReportStatus | None, findings: str | None
) -> None:
    sections = replace(report.sections, findings=findings)
    impressed = replace(report, sections=sections, has_unread_impression=True)

    decision = plan_draft(replace(impressed, report_status=status))

    assert decision == Skip(SkipReason.DOCUMENT_NOT_READ)


def test_a_report_that_stands_in_a_document_alone_has_no_findings(report: StudyReport) -> None:
    sections = replace(report.sections, findings=None)

    decision = plan_draft(replace(report, documents=("pdf",), sections=sections))

    assert decision == Skip(SkipReason.NO_FINDINGS)


@pytest.mark.parametrize("status", [ReportStatus.CANCELLED, ReportStatus.ENTERED_IN_ERROR])
def test_a_withdrawn_report_is_left_alone(report: StudyReport, status: ReportStatus) -> None:
    assert plan_draft(replace(report, report_status=status)) == Skip(SkipReason.REPORT_CANCELLED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_radiology": False}, SkipReason.NOT_RADIOLOGY),
        ({"filler_order_number": None, "accession_number": None}, SkipReason.NO_REPORT_KEY),
    ],
)
def test_each_reason_is_named(
    report: StudyReport, change: dict[str, None], reason: SkipReason
) -> None:
    assert plan_draft(replace(report, **change)) == Skip(reason)


def test_a_report_without_findings_is_left_alone(report: StudyReport) -> None:
    sections = replace(report.sections, findings=None)

    assert plan_draft(replace(report, sections=sections)) == Skip(SkipReason.NO_FINDINGS)


def test_an_exam_outside_the_sites_scope_is_not_configured(report: StudyReport) -> None:
    inside = replace(DEFAULT_SITE, modalities=frozenset({Modality.CT}))
    outside = replace(DEFAULT_SITE, modalities=frozenset({Modality.DX}))
    elsewhere = replace(DEFAULT_SITE, regions=frozenset({Region.HEAD}))

    assert isinstance(plan_draft(report, inside), Findings)
    assert plan_draft(report, outside) == Skip(SkipReason.EXAM_NOT_CONFIGURED)
    assert plan_draft(report, elsewhere) == Skip(SkipReason.EXAM_NOT_CONFIGURED)
