"""The identity of a report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mappings.hl7_oru import parse_oru
from mappings.report_key import has_report_key, report_key
from mappings.sites import SiteSet

if TYPE_CHECKING:
    from mappings.domain import StudyReport


def report(obr: str, obx: str = "", control_id: str = "1") -> StudyReport:
    head = rf"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|{control_id}|P|2.4"
    return parse_oru(f"{head}\rOBR|{obr}\r{obx}\r".encode(), SiteSet()).reports[0]


def test_neither_text_status_authority_nor_message_changes_the_key() -> None:
    first = report_key(report("1|P1|F1^RIS|X"))
    later = report_key(report("9|P2|F1|Y", "OBX|1|TX|&GDT||Clear.||||||F", control_id="2"))

    assert first == later
    assert first is not None
    assert len(first) == 64


def test_another_filler_number_or_site_is_another_key() -> None:
    one = report("1|P1|F1|X")

    assert report_key(one) != report_key(report("1|P1|F2|X"))
    assert report_key(one) != report_key(replace(one, site="other"))


def test_without_a_filler_number_accession_and_exam_code_are_the_key() -> None:
    accession = "|" * 14 + "A1"
    chest = report_key(report(f"1|P1||CTCH{accession}"))

    assert chest is not None
    assert chest != report_key(report(f"1|P1||CTAB{accession}"))
    assert chest != report_key(report("1|P1|A1|CTCH"))


def test_a_report_with_neither_has_no_key() -> None:
    assert report_key(report("1|P1||CTCH")) is None
    assert report_key(report("1|P1||" + "|" * 14 + "A1")) is None


def test_two_hospitals_that_no_site_knows_do_not_share_a_key() -> None:
    one = report("1|P1|F1|X")
    other = replace(one, sending_facility="CLINIC")

    assert report_key(one) != report_key(other)
    assert report_key(replace(one, site="a")) == report_key(replace(other, site="a"))


def test_it_can_be_asked_whether_there_is_a_key() -> None:
    named = report("1|P1|F1|X")
    unnamed = replace(named, filler_order_number=None, accession_number=None)

    assert (has_report_key(named), has_report_key(unnamed)) == (True, False)
    assert report_key(unnamed) is None
