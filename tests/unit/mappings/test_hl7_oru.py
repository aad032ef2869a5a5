"""ORU^R01 to reports, over the project's vectors, its samples, and real-shaped feeds beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Identifier, ReportStatus, Skip, StudyReport
from mappings.errors import PrelimError, UnreadableContentError
from mappings.hl7_oru import parse_oru
from mappings.reasons import SkipReason
from mappings.scope import plan_draft
from mappings.sites import DEFAULT_SITE, SiteSet

VECTORS = Path(__file__).parents[2] / "vectors" / "hl7"
SAMPLES = Path(__file__).parents[3] / "daemon" / "samples"
FEEDS = Path(__file__).parents[4] / "shared" / "data" / "hl7"
SITES = SiteSet()
MSH = r"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.4"


def vector(name: str) -> list[StudyReport]:
    return parse_oru((VECTORS / name).read_bytes(), SITES).reports


def parse(*segments: str, sites: SiteSet = SITES) -> list[StudyReport]:
    return parse_oru("\r".join([MSH, *segments]).encode(), sites).reports


def test_the_feed_with_a_line_in_each_obx_has_a_title_and_an_impression_only() -> None:
    (report,) = vector("feed_line_per_obx.hl7")

    assert report.sections.findings is None
    assert (
        report.sections.impression == "1. No acute infarct. 2. Mild chronic small vessel\nchange."
    )
    assert report.report_status is ReportStatus.PRELIMINARY
    assert report.accession_number == Identifier("9000000001")  # OBR-18 says CHEST
    assert report.placer_order_number == Identifier("4000001", "SYS")
    assert report.patient == Identifier("T100", "TST")
    assert report.study_instance_uid == "2.25.42"
    assert report.reported_at == "2026-02-01T08:29:00"
    assert report.observed_at is None
    assert (report.exam.code, report.exam.modality, report.exam.region) == (
        "OMHEADWO",
        "MR",
        "head",
    )


@pytest.mark.parametrize("patient", ["P1", "P2"])
@pytest.mark.parametrize("place", [1, 4])
def test_an_impression_under_no_obr_is_that_of_the_patient_s_report(
    place: int, patient: str
) -> None:
    segments = [
        "PID|1||P1",
        "OBR|1||F1|71020^CHEST",
        "OBX|1|TX|&GDT||The lungs are clear of nodules.||||||P",
        f"PID|1||{patient}",
    ]
    segments.insert(place, "OBX|1|TX|&IMP||Normal.||||||F")
    (report,) = parse(*segments)

    is_found = report.sections.impression == "Normal."
    assert is_found == (place == 1 or patient == "P1")
    assert report.sections.findings == "The lungs are clear of nodules."
    assert report.report_status is ReportStatus.PRELIMINARY


@pytest.mark.parametrize(
    ("obr_32", "expected"),
    [
        ("R7&DOE&JANE&&&&&&HOSP&1.2.3&ISO", Identifier("R7", "HOSP&1.2.3&ISO")),
        ("R7^DOE^JANE", Identifier("R7")),
        ("DOE^JANE", None),
        ("", None),
    ],
)
def test_who_reads_the_images_is_known_by_a_number_alone(
    obr_32: str, expected: Identifier | None
) -> None:
    (report,) = parse("OBR|1||F1" + "|" * 29 + obr_32, "OBX|1|TX|&GDT||Clear.||||||P")

    assert report.results_interpreter == expected


def test_the_feed_with_headed_text_is_split_to_the_letter() -> None:
    (report,) = vector("feed_headed_text.hl7")

    assert report.sections.findings == (
        "The lungs are clear. A 4 mm granuloma in the left\n"
        "apex is unchanged & calcified (5 ^ 6 series).\n\nThe heart is not enlarged."
    )
    assert report.sections.impression == "No acute disease. \nStable granuloma."
    assert report.sections.indication == "Chest pain"
    assert (report.exam.modality, report.exam.region) == ("DX", "chest")
    assert report.observed_at == "2026-01-31T18:59:12"


def test_custom_separators_and_escapes_are_read() -> None:
    (report,) = vector("custom_separators.hl7")

    assert report.sections.findings == (
        "The lungs are clear* no mass# no effusion.\nHeart & vessels ^ normal $ @ + ! end."
    )
    assert report.patient == Identifier("T102", "TST")
    assert report.placer_order_number == Identifier("4000003", "SYS")


@pytest.mark.parametrize(
    ("name", "findings"),
    [
        ("gb18030.hl7", "亅亊乛乗 右肺上叶见 9 mm 结节。无胸腔积液。"),
        ("iso2022jp.hl7", "右上葉に 9 mm の結節を認める。胸水はない。"),
        ("latin1.hl7", "The liver measures 35 ± 4 HU. No lesion à gauche."),
        ("carriage_return_in_field.hl7", "The lungs are clear.\n\nThe heart is normal."),
    ],
)
def test_every_character_set_and_stray_line_end_is_read(name: str, findings: str) -> None:
    (report,) = vector(name)

    assert report.sections.findings == findings


def test_each_obr_has_the_obx_that_follow_it() -> None:
    chest, abdomen = vector("linked_exams.hl7")

    assert (chest.group, abdomen.group) == (0, 1)
    assert chest.sections.findings == "The lungs are clear of nodules."
    assert chest.sections.impression is None
    assert abdomen.sections.impression == "Normal."
    assert chest.accession_number == Identifier("A10")
    assert abdomen.filler_order_number == Identifier("9000000011", "RIS")
    assert (chest.study_instance_uid, abdomen.study_instance_uid) == (
        "1.2.840.1",
        "1.2.840.2",
    )
    assert chest.is_radiology


def test_an_order_speaks_only_for_the_obr_after_it() -> None:
    first, second = parse("ORC|RE|P1|F1", "OBR|1", "OBR|2")

    assert (first.placer_order_number, first.filler_order_number) == (
        Identifier("P1"),
        Identifier("F1"),
    )
    assert first.accession_number == Identifier("F1")
    assert second.placer_order_number is None


def test_each_patient_of_a_message_has_only_their_own_reports() -> None:
    first, second = parse(
        "PID|1||P1",
        "OBR|1|2|3",
        "OBX|1|TX|&GDT||The lungs are clear.",
        "PID|2||P2",
        "OBX|1|TX|&GDT||The heart is large.",
        "OBR|1|4|5",
    )

    assert (first.patient, second.patient) == (Identifier("P1"), Identifier("P2"))
    assert first.sections.findings == "The lungs are clear."
    assert second.sections.findings == "The heart is large."


def test_a_message_without_an_obr_has_no_report_but_a_patient() -> None:
    payload = f"{MSH}\rPID|1||P1\rOBX|1|TX|&GDT||The lungs are clear.\r".encode()

    result = parse_oru(payload, SITES)

    assert (result.reports, result.patient) == ([], Identifier("P1"))


@pytest.mark.parametrize(
    ("obr_24", "obx"),
    [
        ("", "NM|718-7^Hb^LN||13.2|g/dL"),
        ("LAB", "TX|X||FINDINGS: The cells are normal."),
        ("", "SN|1554-5^GLUCOSE||^182|mg/dl"),
        ("", "|||8|mmol/l"),
    ],
)
def test_a_laboratory_group_is_no_radiology(obr_24: str, obx: str) -> None:
    (report,) = parse("OBR|1|2|3|X" + "|" * 20 + obr_24, f"OBX|1|{obx}")

    assert not report.is_radiology
    assert plan_draft(report) == Skip(SkipReason.NOT_RADIOLOGY)


def test_a_radiology_group_without_text_is_radiology() -> None:
    (report,) = parse("OBR|1|2|3|XRCH^XR CHEST")

    assert report.is_radiology
    assert plan_draft(report) == Skip(SkipReason.NO_FINDINGS)


def test_the_patient_is_the_medical_record_number_or_of_the_sites_authority() -> None:
    rows = ("PID|1|OLD|X1^^^OTHER^SS~X2^^^MAIN&1.2&ISO^MR~X3^^^SITE^PI", "OBR|1|2|3")
    site = replace(DEFAULT_SITE, patient_authority="SITE")

    assert parse(*rows)[0].patient == Identifier("X2", "MAIN")
    assert parse(*rows, sites=SiteSet((site,)))[0].patient == Identifier("X3", "SITE")
    assert parse("PID|1|OLD^^^A", "OBR|1|2|3")[0].patient == Identifier("OLD", "A")
    assert parse("PID|1", "OBR|1|2|3")[0].patient is None


def test_the_site_chooses_accession_language_and_time_zone() -> None:
    site = replace(
        DEFAULT_SITE,
        name="st-anna",
        language="de",
        applications=("RI?",),
        time_zone=ZoneInfo("Europe/Vienna"),
        accession_fields=("OBR-20",),
    )
    obr = "OBR|1|2|3|X|||202601010800" + "|" * 11 + "A18||A20"

    (report,) = parse(obr, sites=SiteSet((site,)))
    (other,) = parse(obr)

    assert (report.site, report.language) == ("st-anna", "de")
    assert report.accession_number == Identifier("A20")
    assert report.observed_at == "2026-01-01T08:00:00+01:00"
    assert (other.site, other.accession_number) == ("default", Identifier("A18"))


def test_the_site_chooses_where_each_number_code_and_reason_stands() -> None:
    site = replace(
        DEFAULT_SITE,
        patient_fields=("PID-2", "PID-3"),
        placer_fields=("OBR-2", "ORC-2"),
        filler_fields=("OBR-20", "OBR-3"),
        modality_fields=("OBR-19",),
        reason_fields=("OBR-13", "OBR-31"),
    )
    obr = {2: "P2", 3: "F3", 13: "Cough", 19: "MR", 20: "F20", 24: "CT", 31: "R05^Fever"}
    rows = (
        "PID|1|X2|X3",
        "ORC|RE|P1",
        "OBR|" + "|".join(obr.get(number, "") for number in range(1, 32)),
    )

    (own,), (default,) = parse(*rows, sites=SiteSet((site,))), parse(*rows)

    def taken(report: StudyReport) -> list[object]:
        numbers = (report.patient, report.placer_order_number, report.filler_order_number)
        values = [number and number.value for number in numbers]
        return [*values, report.exam.modality, report.sections.indication]

    assert taken(own) == ["X2", "P2", "F20", "MR", "Cough"]
    assert taken(default) == ["X3", "P1", "F3", "CT", "Fever"]


def test_without_an_exam_code_the_procedure_code_and_then_the_title_say_the_exam() -> None:
    (by_code,) = parse("OBR|1|2|3" + "|" * 41 + "71260^CT CHEST^CPT")
    (by_title,) = parse(
        "OBR|1|2|3", "OBX|1|TX|X||EXAM: MRI BRAIN~FINDINGS: No acute infarct is seen."
    )

    assert (by_code.exam.code, by_code.exam.modality) == ("71260", "CT")
    assert (by_title.exam.code, by_title.exam.modality, by_title.exam.region) == (
        None,
        "MR",
        "head",
    )


def test_a_message_without_observation_statuses_takes_that_of_the_request() -> None:
    (report,) = parse("OBR|1|2|3" + "|" * 22 + "P", "OBX|1|TX|&GDT||The lungs are clear.")

    assert report.report_status is ReportStatus.PRELIMINARY


def test_a_patient_is_in_no_objects_name() -> None:
    (report,) = parse("PID|1||SECRET^^^A", "OBR|1|2|SECRET|X", "OBX|1|TX|&GDT||SECRET is clear.")

    assert "SECRET" not in repr(report) + repr(plan_draft(report))


def test_content_that_is_not_as_declared_is_unreadable() -> None:
    payload = MSH.encode() + b"||||||UNICODE UTF-8\rOBR|1|2|3\rOBX|1|TX|&GDT||caf\xe9\r"

    with pytest.raises(UnreadableContentError, match="undecodable_content"):
        parse_oru(payload, SITES)


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.hl7")), ids=lambda path: path.stem)
def test_every_sample_is_decided_as_its_name_says(sample: Path) -> None:
    payload = sample.read_bytes()
    assert payload.endswith(b"\r")
    assert b"\n" not in payload

    (report,) = parse_oru(payload, SITES).reports
    decision = plan_draft(report)

    if "impression" in sample.stem:
        assert decision == Skip(SkipReason.IMPRESSION_PRESENT)
    elif "laboratory" in sample.stem:
        assert decision == Skip(SkipReason.NOT_RADIOLOGY)
    else:
        assert not isinstance(decision, Skip)
        assert "EXAM" not in decision.text
        assert "Dictated" not in decision.text
        assert (decision.exam.modality, decision.exam.region) != (None, None)


def test_the_samples_are_the_two_feed_shapes_and_more() -> None:
    payloads = [path.read_bytes() for path in SAMPLES.glob("*.hl7")]

    assert len(payloads) >= 8
    assert sum(b"|&GDT|" in payload for payload in payloads) >= 3
    assert sum(b"~FINDINGS:~" in payload for payload in payloads) >= 3


@pytest.mark.skipif(not FEEDS.is_dir(), reason="the real-shaped feeds are not beside this checkout")
def test_exactly_fifteen_real_shaped_reports_have_findings_all_to_the_letter() -> None:
    found = 0
    for path in FEEDS.glob("*.hl7"):
        for report in parse_oru(path.read_bytes(), SITES).reports:
            if report.sections.findings is None:
                continue
            found += 1
            field = path.read_bytes().decode().split("FINDINGS:", 1)[1].split("|", 1)[0]
            findings, impression = field.replace("~", "\n").split("IMPRESSION:")
            assert report.sections.findings == findings.strip("\n")
            assert report.sections.impression == impression.strip("\n")
            assert plan_draft(report) == Skip(SkipReason.IMPRESSION_PRESENT)

    assert found == 15


@pytest.mark.skipif(not FEEDS.is_dir(), reason="the real-shaped feeds are not beside this checkout")
def test_the_real_shaped_line_feed_has_impressions_without_title_or_signature() -> None:
    for path in FEEDS.glob("scout_*.hl7"):
        payload = path.read_bytes()
        if b"|&IMP|" not in payload:
            continue
        (report,) = parse_oru(payload, SITES).reports

        assert report.sections.findings is None
        assert report.sections.impression is not None
        assert "IMPRESSION" not in report.sections.impression
        assert "Dictated by" not in report.sections.impression
        assert report.exam.modality is not None


@given(
    st.lists(
        st.builds(
            "{}|{}".format,
            st.sampled_from(["PID", "OBR", "OBX", "ORC", "ZDS", "NTE", "x"]),
            st.text(alphabet="|^~\\&\r\nAFT1:. IMPRESION", max_size=60),
        ),
        max_size=8,
    )
)
def test_any_message_is_read_or_refused_by_our_own_error(segments: list[str]) -> None:
    try:
        reports = parse(*segments)
    except PrelimError as error:
        assert error.reason.isidentifier()  # noqa: PT017 - both ends are right
    else:
        for report in reports:
            plan_draft(report)


def test_the_number_of_an_exam_is_no_accession_number() -> None:
    (by_code,) = parse("OBR|1|2|A77|4185^IR CATHETER" + "|" * 14 + "4185")
    (by_name,) = parse("OBR|1|2|A77|IMG1^4185 IR CATHETER" + "|" * 14 + "4185^X")
    (own,) = parse("OBR|1|2|A77|4185^IR CATHETER" + "|" * 14 + "A78")

    assert by_code.accession_number == by_name.accession_number == Identifier("A77")
    assert own.accession_number == Identifier("A78")


@pytest.mark.parametrize(
    "notes",
    [
        ("NTE|1||IMPRESSION: Normal.",),
        ("NTE|1||FINDINGS: A nodule is seen.", "NTE|2||IMPRESSION:", "NTE|3||Normal."),
        (r"NTE|1||Read by phone.\.br\IMPRESSION: Normal.|RE",),
        ("DG1|1", "NTE|1||", "NTE|2||Conclusion:~Normal."),
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_an_impression_in_a_note_is_the_report_s_and_nothing_else_in_it(
    notes: tuple[str, ...], place: int
) -> None:
    segments = ["OBR|1||F1|71020^CHEST", "OBX|1|TX|&GDT||The lungs are clear of nodules.||||||P"]
    segments[place:place] = notes
    (report,) = parse(*segments)

    assert report.sections.impression == "Normal."
    assert report.sections.findings == "The lungs are clear of nodules."
    assert plan_draft(report) == Skip(SkipReason.IMPRESSION_PRESENT)


def test_notes_are_neither_findings_nor_in_the_way_of_an_impression_or_of_a_draft() -> None:
    request, note = "OBR|1||F1|71020^CHEST", "NTE|1||FINDINGS: The lungs are clear of nodules."
    (alone,) = parse(request, note)
    (beside,) = parse(request, "OBX|1|TX|&GDT||The heart is large.||||||P", note)
    (own,) = parse(request, "OBX|1|TX|&IMP||Normal.||||||P", "NTE|1||IMPRESSION: Late.")
    (values,) = parse("OBR|1||F1|1554-5^GLUCOSE", "OBX|1|NM|X||7", "NTE|1||IMPRESSION: High.")

    assert alone.sections.findings is None
    assert beside.sections.findings == "The heart is large."
    assert plan_draft(beside) != Skip(SkipReason.IMPRESSION_PRESENT)
    assert own.sections.impression == "Normal."
    assert plan_draft(values) == Skip(SkipReason.NOT_RADIOLOGY)


@pytest.mark.parametrize("place", [0, 2])
def test_an_impression_that_is_not_read_is_heeded_before_any_status(place: int) -> None:
    segments = ["OBR|1||F1|71020^CHEST", "OBX|1|TX|&GDT||The lungs are clear.||||||P"]
    segments.insert(place, "OBX|2|RP|&IMP||http://host.invalid/x.pdf||||||P")
    (report,) = parse(*segments)

    assert report.has_unread_impression
    assert plan_draft(report) == Skip(SkipReason.DOCUMENT_NOT_READ)
