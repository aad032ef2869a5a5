"""OBX: what is narrative, what each line means."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from mappings.domain import ReportStatus
from mappings.hl7_message import read_message
from mappings.hl7_observations import Observations, read_observations
from mappings.sites import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

PROSE = "The lungs are clear of nodules."


def observe(
    *rows: str, result_status: str = "", codes: Mapping[str, str] | None = None
) -> Observations:
    """Read OBX rows given without their name: ``TX|&GDT||text||||||F``."""
    obx = "".join(f"OBX|{number}|{row}\r" for number, row in enumerate(rows, 1))
    message = read_message(f"MSH|^~\\&|A|B|||2026||ORU^R01|1|P|2.4\r{obx}".encode())
    site = Site("test", observation_codes=codes or {})
    return read_observations(list(message.segments()), result_status, site)


@pytest.mark.parametrize(
    "code",
    [
        "&GDT",
        "GDT",
        "gdt",
        "71020&GDT^^CPT",
        "MDXREVNT&GDT",
        "59776-5^Procedure findings^LN",
        "18782-3^Study observation^LN",
        "X^^L^59776-5^^LN",
        "18748-4^Report^LN",
        "FINDINGS^Findings^L",
    ],
)
@pytest.mark.parametrize("kind", ["TX", "FT", "ST", ""])
def test_a_findings_code_makes_findings_of_text(code: str, kind: str) -> None:
    assert observe(f"{kind}|{code}||{PROSE}").sections.findings == PROSE


@pytest.mark.parametrize(
    "code", ["&IMP", "IMP", "71020&IMP^^CPT", "19005-8^Impression^LN", "IMPRESSION^^L"]
)
def test_an_impression_code_makes_an_impression(code: str) -> None:
    read = observe(f"TX|&GDT||{PROSE}", f"TX|{code}||Normal.")

    assert (read.sections.findings, read.sections.impression) == (PROSE, "Normal.")


@pytest.mark.parametrize("kind", ["CF", "TXT", "text", "NM"])
def test_an_impression_is_one_whatever_its_type(kind: str) -> None:
    read = observe(f"TX|&GDT||{PROSE}", f"{kind}|&IMP||Normal.")

    assert (read.sections.findings, read.sections.impression) == (PROSE, "Normal.")


def test_a_suffix_after_an_escaped_mark_is_known() -> None:
    read = observe(f"TX|71020\\T\\GDT||{PROSE}", "TX|71020\\T\\IMP||Normal.")

    assert (read.sections.findings, read.sections.impression) == (PROSE, "Normal.")


def test_lines_after_a_whole_obx_keep_the_separators_in_them() -> None:
    read = observe(f"TX|&GDT||{PROSE}||||||P\rIMPRESSION: 3 mm | stable.\rNormal | clear.")

    assert read.sections.impression == "3 mm | stable.\nNormal | clear."
    assert read.status is ReportStatus.PRELIMINARY


@pytest.mark.parametrize("suffix", ["ADT", "ADN"])
def test_an_addendum_follows_the_findings(suffix: str) -> None:
    read = observe(f"TX|&GDT||{PROSE}", f"TX|&{suffix}||On the left.")

    assert read.sections.findings == f"{PROSE}\nOn the left."


@pytest.mark.parametrize(
    "row",
    [
        f"TX|&TCM||{PROSE}",
        f"TX|5330484||{PROSE}",
        f"ED|&GDT||^application^pdf^Base64^{PROSE}",
        f"RP|&GDT||{PROSE}",
        f"CWE|&GDT||X^{PROSE}^L",
        "NM|&GDT||7.4",
        "SN|1554-5^GLUCOSE^LN||^182",
        "|||6.3|mmol/l|3.1-6.2|H",
        f"ST|5778-6^Color^LN||{PROSE}|unit",
        "ST|&GDT|1|EXAMINATION: Head MRI",
        "ST|&GDT|1|",
    ],
)
def test_titles_comments_values_and_documents_are_no_findings(row: str) -> None:
    assert observe(row).sections.findings is None


@pytest.mark.parametrize("kind", ["CE", "CNE", "CWE"])
def test_a_coded_impression_is_an_impression(kind: str) -> None:
    assert observe(f"{kind}|&IMP||B1^Negative^BIRADS").sections.impression == "Negative"
    assert observe(f"{kind}|&IMP||B1^^BIRADS").sections.impression == "B1"
    assert observe(f"{kind}|&IMP||B1^One~B2^Two").sections.impression == "One\nTwo"


@pytest.mark.parametrize(
    "value",
    [f"^{PROSE}", f"^^^^{PROSE}", f"^^^^^^^^{PROSE}", PROSE, f"^{PROSE[:9]}~^{PROSE[9:]}"],
)
def test_a_coded_entry_without_a_code_is_text(value: str) -> None:
    read = observe(f"CWE|&GDT||{value}")

    assert " ".join((read.sections.findings or "").split()) == PROSE
    assert not read.has_values


@pytest.mark.parametrize("value", ["B1", "B1 B2", f"X^{PROSE}^L", f"^{PROSE}^^X^^L", f"^{PROSE}~X"])
def test_a_code_is_a_value_whatever_it_is_called(value: str) -> None:
    read = observe(f"CWE|&GDT||{value}")

    assert (read.sections.findings, read.has_values) == (None, True)


def document(content: bytes, label: str = "^TEXT^plain") -> str:
    return f"ED|&GDT||{label}^Base64^{base64.b64encode(content).decode()}||||||F"


def test_a_text_document_is_text_in_its_place() -> None:
    read = observe("TX|&GDT||One two three.", document(b"~A & B^|\\.br\\ &lt;"), "TX|&GDT||End.")

    assert read.sections.findings == "One two three.\n~A & B^|\\.br\\ &lt;\nEnd."
    assert read.documents == ()


def test_an_html_document_is_text_and_its_impression_is_found() -> None:
    page = f"<html><p>FINDINGS:<br>{PROSE}</p><p>IMPRESSION: Normal.</p></html>"

    read = observe(document(page.encode(), "^text^html"))

    assert (read.sections.findings, read.sections.impression) == (PROSE, "Normal.")


def test_a_document_that_is_not_read_is_named_and_its_text_is_no_findings() -> None:
    pdf = document(b"%PDF-1.4 FINDINGS: " + PROSE.encode(), "^application^pdf")
    rtf = r"TX|&GDT||{\rtf1\ansi FINDINGS: " + PROSE + "}"

    assert observe(pdf, rtf, pdf).documents == ("pdf", "rtf")
    assert observe(pdf, rtf).sections.findings is None
    assert not observe(pdf, rtf).has_values
    assert observe(pdf).status is ReportStatus.FINAL
    assert observe(pdf, f"TX|&GDT||{PROSE}").sections.findings == PROSE


@pytest.mark.parametrize("kind", ["TX", "FT", "ST", ""])
def test_lines_after_a_whole_obx_are_its_text_and_no_status(kind: str) -> None:
    read = observe(
        f"{kind}|&GDT||{PROSE}||||||F\rNo effusion.\r\rIMPRESSION: Normal.",
        "TX|&GDT||Cut in\rthe middle.||||||F|||20260101",
    )

    assert read.sections.findings is not None
    assert read.sections.findings.startswith(f"{PROSE}\nNo effusion.")
    assert (read.sections.impression or "").startswith("Normal.")
    assert read.status is ReportStatus.FINAL


def test_lines_after_a_measured_value_are_no_text_of_its_own() -> None:
    assert observe("NM|&GDT||7.4||||||F\rNo effusion is seen.").sections.findings is None


def test_plain_lines_with_a_document_or_control_characters_among_them_are_read() -> None:
    read = observe(
        f"TX|&GDT||{PROSE}", "TX|&GDT||JVBERi0xLjQKJeLjz9MK", "TX|&GDT||No\x01 mass.\x7f"
    )

    assert read.sections.findings == f"{PROSE}\nNo mass."
    assert read.documents == ("pdf",)


@pytest.mark.parametrize(
    "row",
    [
        f"RP|&GDT||{PROSE}&http://host.invalid/x.pdf^application^pdf",
        f"ED|&GDT||^IM^JPEG^Base64^{base64.b64encode(bytes([255, 216, 255])).decode()}",
        "HD|113014^DICOM Study^DCM||2.25.1",
    ],
)
def test_pointers_and_pictures_are_no_documents_that_hide_a_report(row: str) -> None:
    read = observe(row)

    assert (read.documents, read.sections.findings, read.has_values) == ((), None, False)


@pytest.mark.parametrize("kind", ["NM", "SN", "DT", "TM", "TS", "DTM", "SI", "ZZ"])
def test_numbers_times_and_unknown_types_are_values(kind: str) -> None:
    read = observe(f"{kind}|&GDT||{PROSE}")

    assert (read.sections.findings, read.has_values) == (None, True)


def test_formatting_and_what_chained_engines_made_of_it_end_lines() -> None:
    read = observe(
        r"FT|&GDT||The lungs\.br\are clear.\X0D\\X0A\No\E\.br\E\effusion~seen \T\ none.",
        "TX|&GDT||<b>Heart</b><br>normal &lt; 5 cm.",
    )

    assert read.sections.findings == (
        "The lungs\nare clear.\nNo\neffusion\nseen & none.\nHeart\nnormal < 5 cm."
    )


def test_indented_headings_are_headings() -> None:
    read = observe(r"FT|||\.in+4\FINDINGS:\.br\The lungs are clear.\.in-4\IMPRESSION: Normal.")

    assert (read.sections.findings, read.sections.impression) == ("The lungs are clear.", "Normal.")


def test_blank_lines_and_short_segments_are_read() -> None:
    read = observe("TX|&GDT||The lungs are clear.", "TX|&GDT||", "TX|&GDT", "TX|&GDT||No effusion.")

    assert read.sections.findings == "The lungs are clear.\n\n\nNo effusion."


def test_the_whole_field_is_taken_with_its_delimiters() -> None:
    read = observe(r"FT|&GDT||Heart ^ lungs & vessels\.br\are normal. Size 5\10 mm.~~End.")

    assert read.sections.findings == "Heart ^ lungs & vessels\nare normal. Size 5\\10 mm.\n\nEnd."


def test_the_sites_table_wins_over_loinc() -> None:
    codes = {"59776-5": "impression", "5330484": "findings"}

    assert observe(f"TX|59776-5^^LN||{PROSE}", codes=codes).sections.impression == PROSE
    assert observe(f"TX|5330484||{PROSE}", codes=codes).sections.findings == PROSE


def test_values_and_sections_are_told_apart() -> None:
    laboratory = observe("NM|718-7^Hb^LN||13.2|g/dL|||||F")
    report = observe(f"TX|&GDT||{PROSE}", "NM|X^^L||3")

    assert (laboratory.has_sections, laboratory.has_values) == (False, True)
    assert (report.has_sections, report.has_values) == (True, True)
    assert not observe("RP|1||pointer").has_values


def test_the_status_is_that_of_the_narrative_lines() -> None:
    read = observe(f"TX|&GDT||{PROSE}||||||Prelim", "NM|X^^L||3||||||F", result_status="")

    assert read.status is ReportStatus.PRELIMINARY
    assert observe("NM|X^^L||3||||||F").status is ReportStatus.FINAL
    assert observe(result_status="Wet Read").status is ReportStatus.PRELIMINARY


def test_a_withdrawn_line_is_left_out_of_a_report_that_stands() -> None:
    read = observe(f"TX|&GDT||{PROSE}||||||F", "TX|&IMP||Wrong patient.||||||W")

    assert read.sections.findings == PROSE
    assert read.sections.impression is None
    assert read.status is ReportStatus.FINAL


def test_a_report_withdrawn_whole_keeps_its_text_and_says_so() -> None:
    read = observe(f"TX|&GDT||{PROSE}||||||D")

    assert read.sections.findings == PROSE
    assert read.status is ReportStatus.ENTERED_IN_ERROR


def test_final_without_the_text_again_is_final_and_not_empty_findings() -> None:
    read = observe("TX|&GDT||||||||U")

    assert (read.status, read.sections.findings) == (ReportStatus.FINAL, None)


def test_the_study_is_known_by_its_observation() -> None:
    assert observe("HD|113014^DICOM Study^DCM||2.25.1").study_instance_uid == "2.25.1"


def test_the_time_of_the_observation_is_given() -> None:
    assert observe(f"TX|&GDT||{PROSE}||||||P|||20260101").observed_at == "20260101"
    assert observe().observed_at == ""


@pytest.mark.parametrize(
    "row", ["ST|5778-6^Color^LN||pale yellow|{unit}", "ST|X||12 to 14||{10-16}"]
)
def test_a_text_with_a_unit_or_a_range_is_a_value(row: str) -> None:
    assert observe(row).has_values


UNREAD = [
    "ED|{code}||^application^pdf^Base64^JVBERi0xLjQK||||||{status}",
    "ED|{code}||^text^rtf^A^{{\\rtf1 Normal}}||||||{status}",
    "ED|{code}||^multipart^x-hl7-cda-level-one^A^<ClinicalDocument/>||||||{status}",
    "ED|{code}||^IM^JPEG^Base64^/9j/||||||{status}",
    "TX|{code}||JVBERi0xLjQKJeLjz9MK||||||{status}",
    "RP|{code}||http://host.invalid/x.pdf^application^pdf||||||{status}",
    "HD|{code}||2.25.1||||||{status}",
]


@pytest.mark.parametrize("row", UNREAD)
@pytest.mark.parametrize(
    ("code", "status"),
    [("&IMP", "P"), ("19005-8^Impression^LN", ""), ("&GDT", "P"), ("&IMP", "W")],
)
def test_an_impression_that_cannot_be_read_is_told_unless_it_is_withdrawn(
    row: str, code: str, status: str
) -> None:
    read = observe(f"TX|&GDT||{PROSE}||||||P", row.format(code=code, status=status))

    assert read.has_unread_impression is (code != "&GDT" and status != "W")
    assert (read.sections.findings, read.sections.impression) == (PROSE, None)


@pytest.mark.parametrize(
    "row",
    ["RP|&IMP||", "HD|113014&IMP^^DCM||", "TX|&IMP||Normal.", "ED|&IMP||^text^plain^A^Normal."],
)
def test_an_impression_that_is_read_or_empty_is_none_that_is_not_read(row: str) -> None:
    assert not observe(f"TX|&GDT||{PROSE}", row).has_unread_impression
