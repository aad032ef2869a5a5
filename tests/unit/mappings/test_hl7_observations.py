"""OBX: what is narrative, what each line means."""

from __future__ import annotations

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


def test_a_coded_impression_is_an_impression() -> None:
    assert observe("CWE|&IMP||B1^Negative^BIRADS").sections.impression == "Negative"


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
