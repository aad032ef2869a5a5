"""One decision for each report of a message, and one for a message that has none."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mappings.domain import Exam, Findings, Identifier, Skip
from mappings.errors import UnreadableContentError
from mappings.message_plan import plan_message, plan_whole
from mappings.reasons import SkipReason
from mappings.site_reading import parse_site
from mappings.sites import DEFAULT_SITE, SiteSet

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
    assert other == Skip(SkipReason.NO_OBSERVATIONS)


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


def plan(*segments: str) -> list[tuple[int, str]]:
    """Give, by group, what is drafted for or why not."""
    planned = plan_message((ORU + "\r".join(segments)).encode(), SiteSet())
    return [
        (study.group, decision.text if isinstance(decision, Findings) else decision.reason)
        for study, decision in planned
    ]


CHEST = "OBR|1|O1|F1|CTCH^CT CHEST|||||||||||||||A1"
ABDOMEN = "OBR|2|O2|F2|CTAB^CT ABDOMEN|||||||||||||||A2"
AGAIN = "OBR|3|O1|F1|CTCH^CT CHEST|||||||||||||||A1"
LUNGS = "OBX|1|TX|&GDT||The lungs are clear of nodules.||||||P"
LIVER = "OBX|1|TX|&GDT||The liver is of normal size.||||||P"
HUMAN = "OBX|2|TX|&IMP||Normal.||||||F"


def test_a_report_split_over_two_obr_of_one_number_is_drafted_for_once_and_whole() -> None:
    assert plan(CHEST, LUNGS, ABDOMEN, LIVER, AGAIN, "OBX|1|TX|&GDT||The heart is normal.") == [
        (0, "The lungs are clear of nodules.\n\nThe heart is normal."),
        (1, "The liver is of normal size."),
        (2, "part_of_report"),
    ]


def test_a_true_repeat_is_left_to_the_journal_to_supersede() -> None:
    found = plan(CHEST, LUNGS, AGAIN, LUNGS)

    assert [text for _, text in found] == ["The lungs are clear of nodules."] * 2


@pytest.mark.parametrize("suffix", ["ADT", "ADN"])
def test_an_addendum_under_its_own_obr_is_drafted_for_with_its_findings(suffix: str) -> None:
    addendum = f"OBX|1|TX|&{suffix}||There is a nodule after all.||||||P"

    assert plan(CHEST, LUNGS, AGAIN, addendum) == [
        (0, "The lungs are clear of nodules.\n\nThere is a nodule after all."),
        (1, "part_of_report"),
    ]
    assert plan(CHEST, addendum) == [(0, "no_findings")]


def test_an_addendum_after_a_person_s_impression_is_not_drafted_for() -> None:
    addendum = "OBX|1|TX|&ADT||There is a nodule after all.||||||A"

    assert plan(CHEST, LUNGS, HUMAN, AGAIN, addendum)[0] == (0, "impression_present")
    assert plan(CHEST, LUNGS, HUMAN, addendum) == [(0, "impression_present")]


def test_an_impression_in_another_part_of_the_report_ends_the_question() -> None:
    assert plan(CHEST, LUNGS, AGAIN, HUMAN) == [(0, "impression_present"), (1, "part_of_report")]


@pytest.mark.parametrize("rows", [(HUMAN,), (LUNGS, HUMAN)])
def test_an_impression_alone_or_beside_the_same_findings_speaks_for_linked_exams(
    rows: tuple[str, ...],
) -> None:
    found = plan(CHEST, LUNGS, ABDOMEN, *rows)

    assert [reason for _, reason in found] == ["impression_present"] * 2


def test_an_impression_that_is_not_read_speaks_for_linked_exams() -> None:
    unread = "OBX|1|RP|&IMP||http://host.invalid/x.pdf||||||P"

    assert plan(CHEST, LUNGS, ABDOMEN, unread) == [
        (0, "impression_present"),
        (1, "document_not_read"),
    ]


def test_an_impression_beside_its_own_findings_speaks_for_them_only() -> None:
    assert plan(CHEST, LUNGS, ABDOMEN, LIVER, HUMAN) == [
        (0, "The lungs are clear of nodules."),
        (1, "impression_present"),
    ]


def test_a_withdrawn_impression_or_another_patient_s_speaks_for_nobody() -> None:
    withdrawn = HUMAN.replace("|F", "|W")
    drafted = (0, "The lungs are clear of nodules.")

    assert plan(CHEST, LUNGS, ABDOMEN, withdrawn)[0] == drafted
    assert plan(CHEST, LUNGS, "PID|2||P2", ABDOMEN, HUMAN)[0] == drafted


@pytest.mark.parametrize(
    ("segments", "reasons"),
    [
        ((CHEST, ABDOMEN, LUNGS), ["no_observations", "The lungs are clear of nodules."]),
        ((CHEST, LUNGS, ABDOMEN), ["The lungs are clear of nodules.", "no_observations"]),
        ((CHEST, "OBX|1|NM|&GDT||4"), ["not_radiology"]),
        ((CHEST,), ["no_observations"]),
    ],
)
def test_the_shared_text_of_linked_exams_is_drafted_for_once_where_it_stands(
    segments: tuple[str, ...], reasons: list[str]
) -> None:
    assert [reason for _, reason in plan(*segments)] == reasons


def test_a_cancelled_order_without_text_is_a_cancellation() -> None:
    assert plan("OBR|1|O1|F1|CT" + "|" * 21 + "X") == [(0, "report_cancelled")]


def test_only_what_is_a_version_of_its_report_has_its_key() -> None:
    def keys(*segments: str) -> list[bool]:
        planned = plan_message((ORU + "\r".join(segments)).encode(), SiteSet())
        return [one.key is not None for one in planned]

    assert keys(CHEST, LUNGS, AGAIN, LIVER) == [True, False]
    assert keys(CHEST) == [False]
    assert keys("OBR|1|O1|F1|CT" + "|" * 21 + "I") == [False]
    assert keys("OBR|1|O1|F1|CT" + "|" * 21 + "F") == [True]
    assert keys("OBR|1|O1|F1|CT" + "|" * 21 + "X") == [True]


def test_one_order_number_of_two_patients_is_refused() -> None:
    with pytest.raises(UnreadableContentError, match="report_of_two_patients"):
        plan(CHEST, LUNGS, "PID|2||P2", AGAIN, LIVER)


def test_the_door_and_the_codec_are_part_of_the_reading() -> None:
    site = replace(DEFAULT_SITE, name="night", listeners=("night",), undeclared_codecs=("cp1250",))
    payload = (ORU + CHEST + "\rOBX|1|TX|&GDT||\x8aest.").encode("latin-1")

    by_night = plan_whole(payload, SiteSet((site,)), "night")
    by_day = plan_whole(payload, SiteSet((site,)), "day")

    assert (by_night.site.name, by_night.codec) == ("night", "cp1250")
    assert (by_day.site.name, by_day.codec) == ("default", "cp1252")


def test_a_document_that_only_people_can_read_is_a_doubt_said_once() -> None:
    pdf = "OBX|9|ED|PDF^Report||^application^pdf^Base64^JVBERi0xLjQ=||||||F"
    payload = (ORU + f"{CHEST}\r{pdf}\r{pdf}\r{ABDOMEN}\r{LIVER}\r{pdf}").encode()

    plan = plan_whole(payload, SiteSet())

    assert plan.warnings == ("document_not_read_pdf",)
    assert plan.reports[0].decision == Skip(SkipReason.NO_FINDINGS)
    assert isinstance(plan.reports[1].decision, Findings)


def calls_to_plan(lines: int) -> int:
    """Count the calls of functions written in Python that a report of so many OBX takes."""
    payload = (ORU + GROUP.format(filler="F1") + FINDINGS * lines).encode()
    calls, before = 0, sys.getprofile()

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    plan_message(payload, SiteSet())  # what is made once is made
    sys.setprofile(count)
    try:
        plan_message(payload, SiteSet())
    finally:
        sys.setprofile(before)
    return calls


def test_no_line_of_a_report_whose_obx_are_alike_takes_a_call_of_its_own() -> None:
    short, long = calls_to_plan(60), calls_to_plan(600)

    assert long - short < 60
