"""The segments of a message by OBR group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Identifier
from mappings.errors import UnreadableContentError
from mappings.hl7_groups import GROUPS_MAX, Group, cut_groups, read_identifier
from mappings.hl7_message import read_message
from mappings.sites import DEFAULT_SITE, Site

MSH = "MSH|^~\\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.5"


def groups(*segments: str, site: Site = DEFAULT_SITE) -> list[Group]:
    return cut_groups(read_message("\r".join([MSH, *segments]).encode()), site)[1]


def numbers(group: Group) -> list[str]:
    return [segment.raw(1) for segment in group.narrated]


def test_an_obx_belongs_to_the_nearest_obr_whatever_stands_between() -> None:
    first, second = groups(
        "PID|1||P1",
        "OBR|1",
        "NTE|1||a note",
        "DG1|1",
        "OBX|1",
        "PRT|1",
        "ZXX|1|anything",
        "OBX|2",
        "SPM|1",
        "ORC|RE",
        "OBR|2",
        "TQ1|1",
        "CTI|1",
        "OBX|3",
    )

    assert (numbers(first), numbers(second)) == (["1", "2"], ["3"])
    assert second.order is not None
    assert first.order is None


def test_an_obx_before_the_first_obr_is_the_group_s_only_when_it_has_none() -> None:
    (alone,) = groups("PID|1", "OBX|1", "OBR|1")
    (own, silent) = groups("PID|1", "OBX|1", "OBR|1", "OBX|2", "OBR|2")

    assert (numbers(alone), numbers(own), numbers(silent)) == (["1"], ["2"], [])


def test_the_next_patient_takes_neither_order_nor_study_nor_early_obx_of_the_one_before() -> None:
    first, second = groups(
        "PID|1||P1", "OBR|1", "ORC|RE|O9", "ZDS|1.2.3", "PID|2||P2", "OBR|2", "OBX|1"
    )

    assert (first.patient, second.patient) == (Identifier("P1"), Identifier("P2"))
    assert (second.order, second.study_instance_uid) == (None, None)


@pytest.mark.parametrize(
    "segments",
    [
        ("PID|1", "OBR|1", "OBX|1", "ZDS|1.2^A^APP^DICOM", "ORC|RE", "OBR|2", "ZDS|1.3"),
        ("ZDS|1.2", "OBR|1", "OBX|1", "ORC|RE", "ZDS|1.3", "OBR|2"),
        ("PID|1", "ORC|RE", "ZDS|1.2", "OBR|1", "OBR|2", "OBX|1", "NTE|1", "ZDS|1.3"),
    ],
)
def test_a_zds_wherever_it_stands_names_the_study_of_its_obr(segments: tuple[str, ...]) -> None:
    found = [group.study_instance_uid for group in groups(*segments)]

    assert found == ["1.2", "1.3"]


def test_a_field_of_the_order_or_the_request_is_read_as_an_identifier() -> None:
    (group,) = groups("ORC|RE|P1^SYS|F1", "OBR|1||F2^RIS")

    assert group.read("ORC-2") == Identifier("P1", "SYS")
    assert group.read("OBR-3") == Identifier("F2", "RIS")
    assert group.read("OBR-2") is None
    assert groups("OBR|1")[0].read("ORC-3") is None


def test_an_empty_identifier_is_none() -> None:
    assert read_identifier([]) is None
    assert read_identifier(["", "SYS"]) is None
    assert read_identifier(["1", ""]) == Identifier("1")


def test_a_flood_of_groups_is_no_report() -> None:
    assert len(groups(*["OBR|1"] * GROUPS_MAX)) == GROUPS_MAX
    with pytest.raises(UnreadableContentError) as caught:
        groups(*["OBR|1"] * (GROUPS_MAX + 1))

    assert (caught.value.reason, caught.value.where) == ("too_many_groups", "OBR[1001]")


def test_notes_go_on_with_the_report_only_where_the_site_says_so() -> None:
    rows = (
        "NTE|1||of the message",
        "PID|1",
        "NTE|1||of the patient",
        "OBR|1",
        "NTE|1||The lungs~are clear.|RE",
        "OBX|1|TX|59776-5^^LN||The heart||||||F",
        "NTE|1||is normal.",
    )
    site = replace(DEFAULT_SITE, notes_are_text=True)

    (ignored,) = groups(*rows)
    (kept,) = groups(*rows, site=site)

    assert [one.raw(5) for one in ignored.narrated] == ["The heart"]
    assert [(one.raw(3), one.raw(5), one.raw(11)) for one in kept.narrated] == [
        ("&GDT", "The lungs~are clear.", ""),
        ("59776-5^^LN", "The heart", "F"),
        ("59776-5^^LN", "is normal.", "F"),
    ]
