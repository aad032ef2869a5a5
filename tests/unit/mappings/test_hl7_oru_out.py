"""The ORU^R01 that goes out: never final, never taken for a report, its text exactly the posted."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

import pytest
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces.mllp_codec import encode_frame
from mappings.domain import (
    Exam,
    Identifier,
    Modality,
    ReportId,
    ReportStatus,
    Skip,
    Standard,
    StudyReport,
)
from mappings.fhir_elements import FhirOptions, printable
from mappings.fhir_retraction import SENTENCES
from mappings.hl7_message import read_message
from mappings.hl7_oru_out import Lines, OruOptions, oru_control_id, render_oru, render_time
from mappings.hl7_time import parse_time
from mappings.message_plan import PlannedReport, plan_message
from mappings.reasons import RetractReason, SkipReason
from mappings.sites import SiteSet
from tests.samples.fhir_drafts import ENGINE, STUDY, draft_of, study_without

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 4, 10, 12, 0, tzinfo=UTC)
V2_STUDY = dataclasses.replace(
    STUDY,
    patient=Identifier("TEST-4711", "NORTH"),
    filler_order_number=Identifier("FILL-8", "RIS"),
    exam=Exam("71046", "C4", "XR CHEST 2 VIEWS", "XCH", "L", "Chest", modality=Modality.DX),
)
EVERY_LAYOUT = pytest.mark.parametrize("lines", get_args(Lines))


def render(
    text: str = "No acute disease.",
    *,
    study: StudyReport = V2_STUDY,
    options: OruOptions | None = None,
    control_id: str = "C1",
    withdrawn_for: RetractReason | None = None,
) -> bytes:
    return render_oru(
        study,
        draft_of(text),
        options or OruOptions(),
        control_id=control_id,
        now=NOW,
        withdrawn_for=withdrawn_for,
    )


def segments_of(message: bytes) -> list[list[str]]:
    return [line.split("|") for line in message.decode().split("\r")[:-1]]


def read_back(message: bytes) -> PlannedReport:
    [planned] = plan_message(message, SiteSet())
    return planned


def test_the_message_is_a_preliminary_impression_and_names_its_machine() -> None:
    segments = segments_of(render("Small left effusion.\nNo pneumothorax."))

    names = [segment[0] for segment in segments]
    request = segments[3]
    observations = segments[4:]
    assert names[:4] == ["MSH", "PID", "ORC", "OBR"]
    assert segments[0][8:12] == ["ORU^R01^ORU_R01", "C1", "P", "2.5.1"]
    assert request[25] == "P"
    assert {each[11] for each in observations} == {"P"}
    assert [each[1] for each in observations] == [str(n + 1) for n in range(len(observations))]
    assert [each[5] for each in observations if each[3].startswith("19005-8^")] == [
        "Small left effusion.",
        "No pneumothorax.",
    ]
    assert observations[-2][17] == "^Artificial intelligence: language model"
    assert observations[-2][18].startswith("SmolLM2-135M-Instruct + demo^model name~0.1.0^prelim~")


def test_the_first_line_says_that_a_radiologist_must_review_it() -> None:
    first, second = segments_of(render())[4:6]

    assert first[3] == "8251-1^Service comment^LN"
    assert first[5].startswith(
        "Machine-drafted impression, not reviewed. A radiologist must review"
    )
    assert second[5] == "Demonstration engine: not for clinical use."


@EVERY_LAYOUT
@pytest.mark.parametrize("reason", list(RetractReason))
def test_a_withdrawal_deletes_each_line_that_was_sent_and_repeats_none(
    lines: Lines, reason: RetractReason
) -> None:
    text, options = "Small left effusion.\nNo pneumothorax.", OruOptions(lines=lines)
    sent = segments_of(render(text, options=options))[4:]

    segments = segments_of(render(text, options=options, withdrawn_for=reason))

    note, *deleted = segments[4:]
    assert segments[3][25] == ("X" if reason is RetractReason.REPORT_CANCELLED else "P")
    assert note == ["NTE", "1", "O", SENTENCES[reason]]
    assert [each[:5] for each in deleted] == [each[:5] for each in sent]
    assert {tuple(each[5:]) for each in deleted} == {('""', "", "", "", "", "", "D")}


def test_hl7apy_finds_the_structure_of_the_standard_in_a_withdrawal(tmp_path: Path) -> None:
    text = render("One.\nTwo.", withdrawn_for=RetractReason.REPORT_CANCELLED).decode()
    findings = tmp_path / "findings"

    is_valid = parse_message(text, find_groups=True).validate(report_file=findings)

    assert is_valid
    assert findings.read_text() == "Warning: Value DX not in table HL70074 in element OBR.OBR_24\n"


def test_a_withdrawal_that_comes_back_is_no_report_to_draft_for() -> None:
    _, decision = read_back(render(withdrawn_for=RetractReason.REPORT_CANCELLED))

    assert isinstance(decision, Skip)


def draft_texts() -> st.SearchStrategy[str]:
    letters = st.characters(exclude_categories=["Cs"])
    marked = st.sampled_from("|^~\\&\r\n\t.bXHFSTRE{}\x0b\x1c\u2028\u6c34\xe9 ")
    return st.text(letters | marked, min_size=1).filter(lambda text: printable(text) != "")


@given(draft_texts(), st.sampled_from(list(ReportStatus)))
def test_nothing_makes_it_final(text: str, status: ReportStatus) -> None:
    study = dataclasses.replace(V2_STUDY, report_status=status)

    segments = segments_of(render(text, study=study))

    assert segments[3][25] == "P"
    assert {segment[11] for segment in segments[4:]} == {"P"}


@EVERY_LAYOUT
def test_a_draft_that_comes_back_is_no_report_to_draft_for(lines: Lines) -> None:
    study, decision = read_back(render(options=OruOptions(lines=lines)))

    assert decision == Skip(SkipReason.IMPRESSION_PRESENT)
    assert study.sections.findings is None
    assert study.sections.impression == "No acute disease."


@EVERY_LAYOUT
@settings(max_examples=40)
@given(text=draft_texts())
def test_any_text_stands_in_the_message_as_it_was_posted(lines: Lines, text: str) -> None:
    posted = json.loads(draft_of(text).observation)["valueString"]

    message = read_message(render(text, options=OruOptions(lines=lines)))

    written = [each.text(5) for each in message.segments() if each.raw(3).startswith("19005-8")]
    assert "\n".join(written) == re.sub("\r\n?", "\n", posted)


def sentences() -> st.SearchStrategy[str]:
    """Lines without what the reader takes out of any report: headings, banners, and what looks like
    an escape sequence, which it takes for one that an engine on the way has escaped again.
    """
    return draft_texts().map(lambda text: "4 mm nodule " + re.sub(r"[\r\n\\]", " ", text))


@EVERY_LAYOUT
@settings(max_examples=40)
@given(lines_of_text=st.lists(sentences(), min_size=1, max_size=4))
def test_our_own_reader_finds_the_impression(lines: Lines, lines_of_text: list[str]) -> None:
    text = "\n".join(lines_of_text)
    posted = json.loads(draft_of(text).observation)["valueString"]

    study, _ = read_back(render(text, options=OruOptions(lines=lines)))

    assert (study.sections.impression or "").split() == posted.split()


@given(
    st.builds(
        Identifier,
        st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc"]))
        .map(lambda text: text.strip())
        .filter(bool),
        st.none() | st.sampled_from(["NORTH", "N|S", "A&B", "1.2.3"]),
    )
)
def test_any_number_is_read_back_as_it_was_read(number: Identifier) -> None:
    study = dataclasses.replace(V2_STUDY, filler_order_number=number, placer_order_number=number)

    back, _ = read_back(render(study=study))

    assert (back.filler_order_number, back.placer_order_number) == (number, number)


def test_who_which_exam_and_when_are_read_back() -> None:
    back, _ = read_back(render())

    assert (back.patient, back.accession_number) == (V2_STUDY.patient, Identifier("ACC-9"))
    assert (back.placer_order_number, back.filler_order_number) == (
        Identifier("PLAC-7"),
        Identifier("FILL-8", "RIS"),
    )
    assert (back.exam.code, back.exam.system, back.exam.display) == (
        "71046",
        "C4",
        STUDY.exam.display,
    )
    assert (back.exam.alternate_code, back.exam.alternate_display) == ("XCH", "Chest")
    assert back.exam.modality is Modality.DX
    assert back.report_status is ReportStatus.PRELIMINARY
    assert back.observed_at == STUDY.observed_at
    assert back.reported_at == "2026-03-04T10:11:12+00:00"


@EVERY_LAYOUT
def test_hl7apy_finds_the_structure_of_the_standard(lines: Lines, tmp_path: Path) -> None:
    text = render("Text & more.\nSecond line.", options=OruOptions(lines=lines)).decode()
    findings = tmp_path / "findings"

    is_valid = parse_message(text, find_groups=True).validate(report_file=findings)

    assert is_valid
    assert findings.read_text() == "Warning: Value DX not in table HL70074 in element OBR.OBR_24\n"


def test_hl7apy_reads_the_same_values() -> None:
    message = parse_message(render("Text & more.\nSecond line.").decode(), find_groups=False)

    observations = [each.obx_5.to_er7() for each in message.obx]
    assert message.msh.msh_9.to_er7() == "ORU^R01^ORU_R01"
    assert message.pid.pid_3.to_er7() == "TEST-4711^^^NORTH^MR"
    assert message.obr.obr_18.to_er7() == "ACC-9"
    assert message.obr.obr_25.to_er7() == "P"
    assert observations[-2:] == ["Text \\T\\ more.", "Second line."]


@given(text=draft_texts(), value=st.text(st.characters() | st.sampled_from("\x0b\x1c\r\n|^")))
def test_no_byte_of_a_frame_stands_inside(text: str, value: str) -> None:
    number = Identifier(value, value)
    study = dataclasses.replace(
        V2_STUDY, patient=number, accession_number=number, exam=Exam(value, value, value)
    )

    message = render(text, study=study)

    encode_frame(message)
    assert all(re.match("[A-Z]{3}[|]", line) for line in message.decode().split("\r")[:-1])


@pytest.mark.parametrize("missing", ["patient", "accession_number", "placer_order_number"])
def test_what_is_not_known_is_left_empty(missing: str) -> None:
    _, patient, order, request, *_ = segments_of(
        render(study=study_without(missing, "observed_at"))
    )

    fields = {"patient": (patient, 3), "accession_number": (request, 18)}
    segment, number = fields.get(missing, (request, 2))
    assert [*segment, *[""] * 3][number] == ""
    assert request[7] == ""
    assert len(order) >= 4


def test_it_is_sent_to_the_sender_of_the_report_or_as_the_settings_say() -> None:
    to_sender = segments_of(render())[0]
    options = OruOptions(
        sending_application="AI",
        sending_facility="LAB",
        receiving_application="EPIC",
        receiving_facility="",
        processing_id="T",
        ack_mode="enhanced",
    )
    as_set = segments_of(render(options=options))[0]

    assert to_sender[2:6] == ["PRELIM", "", "RIS", "NORTH"]
    assert as_set[2:6] == ["AI", "LAB", "EPIC", ""]
    assert (as_set[10], as_set[14:16]) == ("T", ["AL", "NE"])


def test_the_receivers_character_set_is_left_only_for_a_text_that_it_cannot_hold() -> None:
    options = OruOptions(charset="8859/1")

    latin, wide = render("caf\xe9", options=options), render("\u2265 5 mm", options=options)

    assert b"caf\xe9" in latin
    assert b"|8859/1\r" in latin
    assert "\u2265 5 mm".encode() in wide
    assert b"|UNICODE UTF-8\r" in wide


def test_a_double_byte_character_set_is_read_back() -> None:
    text = "\u80ba\u529f\u80fd \u8a31\u529f\u84cb"  # in BIG-5 some of these hold a backslash

    back, _ = read_back(render(text, options=OruOptions(charset="BIG-5")))

    assert back.sections.impression == text


def test_authorities_of_fhir_are_written_as_universal_ids() -> None:
    study = dataclasses.replace(
        STUDY,
        standard=Standard.FHIR,
        patient=Identifier("P1", "urn:oid:1.2.3"),
        filler_order_number=Identifier("F1", "https://ris.example/orders"),
        exam=Exam("24627-2", "http://loinc.org", "CT Chest"),
    )

    segments = segments_of(render(study=study))

    assert segments[1][3] == "P1^^^&1.2.3&ISO^MR"
    assert segments[3][3:5] == ["F1^^https://ris.example/orders^URI", "24627-2^CT Chest^LN"]


@given(
    st.datetimes(min_value=datetime(1000, 1, 1)).map(  # noqa: DTZ001 - a time without a zone
        lambda moment: moment.replace(microsecond=0).isoformat()
    ),
    st.sampled_from(["", "+02:00", "-05:30"]),
)
def test_a_time_is_read_back(moment: str, offset: str) -> None:
    assert parse_time(render_time(moment + offset), None) == moment + offset


@pytest.mark.parametrize(
    ("iso", "hl7"),
    [
        ("2024", "2024"),
        ("2024-05", "202405"),
        ("2024-05-01", "20240501"),
        ("2024-05-01T10:30:00Z", "20240501103000+0000"),
        ("2024-05-01T10:30:00.123456-05:00", "20240501103000.1234-0500"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_a_part_of_a_time_that_nobody_said_is_not_made_up(iso: str | None, hl7: str) -> None:
    assert render_time(iso) == hl7


def test_the_control_id_is_the_reports_own_and_fits_the_field() -> None:
    one, other = ReportId("a" * 32), ReportId("b" * 32)

    assert oru_control_id(one) == oru_control_id(one)
    assert oru_control_id(one) != oru_control_id(other)
    assert len(oru_control_id(one)) == 20


def test_an_engine_without_a_model_is_named_too() -> None:
    engine = dataclasses.replace(ENGINE, engine="extractive", base=None, adapter=None)
    observation = draft_of(engine=engine)

    message = render_oru(V2_STUDY, observation, OruOptions(), control_id="C1", now=NOW)

    assert b"|extractive^model name~" in message


@pytest.mark.parametrize("version", ["R4", "R5"])
@pytest.mark.parametrize("device", ["contained", "resource"])
def test_the_shape_of_what_was_posted_changes_nothing(
    version: Literal["R4", "R5"], device: Literal["contained", "resource"]
) -> None:
    options = FhirOptions(version=version, device=device)

    shaped, plain = (
        render_oru(STUDY, draft, OruOptions(), control_id="1", now=NOW)
        for draft in (draft_of(options=options), draft_of())
    )

    assert shaped == plain
