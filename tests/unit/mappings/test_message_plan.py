"""One decision for each report of a message, and one for a message that has none."""

from __future__ import annotations

from mappings.domain import Exam, Findings, Identifier, Skip, SkipReason
from mappings.message_plan import plan_message
from mappings.site_reading import parse_site
from mappings.sites import SiteSet

MSH = "MSH|^~\\&|RIS|HOSP|||20260101||{kind}|7|P|2.4\rPID|1||P1\r"
ORU = MSH.format(kind="ORU^R01")
GROUP = "OBR|1|O1|{filler}|CTCHEST^CT CHEST^L||||||||||||||||||||CT|P\r"
FINDINGS = "OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"


def test_each_group_is_decided_by_its_own_content() -> None:
    text = ORU + GROUP.format(filler="F1") + FINDINGS + GROUP.format(filler="F2")

    (first, one), (second, other) = plan_message(text.encode(), SiteSet())

    assert (first.group, second.group) == (0, 1)
    assert isinstance(one, Findings)
    assert one.text == "There is a 12 mm nodule in the right upper lobe."
    assert other == Skip(SkipReason.NO_FINDINGS)


def test_a_message_that_is_no_report_is_left_alone_whatever_its_groups_say() -> None:
    text = MSH.format(kind="ORM^O01") + GROUP.format(filler="F1") + FINDINGS

    [(_, decision)] = plan_message(text.encode(), SiteSet())

    assert decision == Skip(SkipReason.MESSAGE_TYPE_IGNORED)


def test_a_message_without_a_group_is_one_skip_that_says_whose_it_was() -> None:
    [(study, decision)] = plan_message(ORU.encode(), SiteSet())

    assert decision == Skip(SkipReason.NO_REPORT_GROUP)
    assert (study.message_control_id, study.sending_application) == ("7", "RIS")
    assert (study.patient, study.exam) == (Identifier("P1"), Exam())


def test_a_site_that_drafts_for_mr_alone_skips_other_exams() -> None:
    site = parse_site("mr-only", "match: {sending_application: RIS}\nscope: {modalities: [MR]}")
    text = ORU + GROUP.format(filler="F1") + FINDINGS

    [(study, decision)] = plan_message(text.encode(), SiteSet((site,)))

    assert decision == Skip(SkipReason.EXAM_NOT_CONFIGURED)
    assert study.site == "mr-only"
