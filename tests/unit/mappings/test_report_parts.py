"""Parts of one report under several OBR, and exams that another report speaks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Exam, Identifier, ReportStatus, Sections, StudyReport
from mappings.errors import UnreadableContentError
from mappings.hl7_oru import blank_report, parse_oru
from mappings.report_parts import join_parts, link_silent
from mappings.sites import SiteSet

EMPTY = parse_oru(b"MSH|^~\\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.5\rPID|1||P1\r", SiteSet())


def study(
    group: int, findings: str | None = None, filler: str = "F1", **other: object
) -> StudyReport:
    blank = replace(
        blank_report(EMPTY),
        group=group,
        filler_order_number=Identifier(filler),
        exam=Exam(code=f"E{group}"),
        report_status=ReportStatus.PRELIMINARY,
        sections=Sections(findings=findings),
    )
    return replace(blank, **other)  # type: ignore[arg-type] - any field of the report


def test_parts_of_one_report_are_joined_in_order_under_the_first() -> None:
    parts = [
        study(0, "The lungs are clear.", accession_number=None),
        study(1, "The liver is normal.", accession_number=Identifier("A1")),
        study(2, "The lungs  are\nclear."),
    ]

    joined, others = join_parts(parts, {})

    assert (list(joined), others) == ([0], {1, 2})
    assert joined[0].sections.findings == "The lungs are clear.\n\nThe liver is normal."
    assert joined[0].exam.code == "E0"
    assert [linked.exam.code for linked in joined[0].linked_exams] == ["E1", "E2"]
    assert joined[0].accession_number == Identifier("A1")


def test_a_true_repeat_is_no_part() -> None:
    assert join_parts([study(0, "Clear lungs."), study(1, "Clear  lungs.")], {}) == ({}, set())


def test_an_addendum_of_its_own_group_follows_the_findings() -> None:
    parts = [study(0), study(1, "The lungs are clear."), study(2, filler="F2")]

    joined, others = join_parts(parts, {0: "Addendum: a nodule.", 2: "of another report"})

    assert others == {1}
    assert joined[0].sections.findings == "The lungs are clear.\n\nAddendum: a nodule."


def test_addenda_alone_are_never_findings() -> None:
    joined, _ = join_parts([study(0), study(1)], {0: "One.", 1: "Two."})

    assert joined[0].sections.findings is None


def test_an_impression_in_another_part_is_the_report_s() -> None:
    parts = [study(0, "Clear."), study(1, sections=Sections(impression="Normal."))]

    joined, _ = join_parts(parts, {})

    assert (joined[0].sections.findings, joined[0].sections.impression) == ("Clear.", "Normal.")


def test_a_document_that_is_not_read_is_a_part_in_which_an_impression_may_stand() -> None:
    parts = [study(0, "Clear."), study(1, documents=("pdf",))]

    joined, others = join_parts(parts, {})

    assert (joined[0].documents, others) == (("pdf",), {1})


def test_an_impression_that_is_not_read_in_another_part_is_the_report_s() -> None:
    parts = [study(0, "Clear."), study(1, has_unread_impression=True)]

    joined, others = join_parts(parts, {})

    assert (joined[0].has_unread_impression, others) == (True, {1})


def test_the_furthest_status_and_the_latest_time_are_the_report_s() -> None:
    parts = [
        study(0, "One.", report_status=ReportStatus.FINAL, reported_at="2026-01-02T10:00:00"),
        study(1, "Two.", reported_at="2026-01-03T10:00:00"),
        study(2, "Three.", reported_at=None),
    ]

    (report,) = join_parts(parts, {})[0].values()

    assert report.report_status is ReportStatus.FINAL
    assert report.reported_at == "2026-01-03T10:00:00"


@pytest.mark.parametrize(
    "other",
    [
        {"is_radiology": False},
        {"report_status": ReportStatus.CANCELLED},
        {"report_status": ReportStatus.ENTERED_IN_ERROR},
        {"filler_order_number": None},
        {"filler_order_number": Identifier("F2")},
        {"sections": Sections(indication="Cough")},
    ],
)
def test_what_is_no_standing_part_of_the_same_report_stays_apart(other: dict[str, object]) -> None:
    assert join_parts([study(0, "One."), study(1, "Two.", **other)], {}) == ({}, set())


def test_one_report_of_two_patients_is_refused_and_says_where() -> None:
    parts = [study(0, "One."), study(1, "Two.", patient=Identifier("P2"))]

    with pytest.raises(UnreadableContentError) as caught:
        join_parts(parts, {})

    assert (caught.value.reason, caught.value.where) == ("report_of_two_patients", "OBR[2]-3")


@pytest.mark.parametrize(
    ("silent", "linked"),
    [
        ({0, 1}, {2: [0, 1]}),  # the shared text stands under the last
        ({1, 2}, {0: [1, 2]}),  # under the first
        ({0, 2}, {1: [0, 2]}),
        ({1}, {0: [1]}),  # the first has text: this one does as the one before
        ({0}, {1: [0]}),
        ({0, 1, 2}, {}),
        (set(), {}),
    ],
)
def test_an_obr_without_text_is_linked_to_the_one_that_speaks_for_it(
    silent: set[int], linked: dict[int, list[int]]
) -> None:
    found = link_silent([study(number, filler=f"F{number}") for number in range(3)], silent)

    assert {by: [one.group for one in links] for by, links in found.items()} == linked


def test_of_several_shared_texts_each_has_the_exams_on_its_own_side() -> None:
    reports = [study(number, filler=f"F{number}") for number in range(4)]

    under_the_last = link_silent(reports, {0, 2})
    under_the_first = link_silent(reports, {1, 3})

    assert {by: links[0].group for by, links in under_the_last.items()} == {1: 0, 3: 2}
    assert {by: links[0].group for by, links in under_the_first.items()} == {0: 1, 2: 3}


def test_no_obr_is_linked_to_another_patient_s() -> None:
    reports = [study(0), study(1, patient=Identifier("P2"))]

    assert link_silent(reports, {0}) == {}
