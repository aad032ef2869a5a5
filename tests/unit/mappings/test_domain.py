"""What a stage's type says of itself."""

from __future__ import annotations

from mappings.domain import Exam, Sections, Standard, StudyReport


def test_a_report_says_each_doubt_with_which_it_was_read_and_shows_no_patient() -> None:
    report = StudyReport(
        standard=Standard.HL7V2,
        group=0,
        site="default",
        language="en",
        message_control_id="SECRET-1",
        message_type="ORU^R01",
        sending_application=None,
        sending_facility=None,
        patient=None,
        accession_number=None,
        placer_order_number=None,
        filler_order_number=None,
        study_instance_uid=None,
        exam=Exam(),
        report_status=None,
        observed_at=None,
        reported_at=None,
        sections=Sections(findings="SECRET-2"),
        documents=("pdf", "rtf"),
        warnings=("charset_declared_wrong",),
    )

    assert report.doubts == (
        "charset_declared_wrong",
        "document_not_read_pdf",
        "document_not_read_rtf",
    )
    assert "SECRET" not in repr(report)
