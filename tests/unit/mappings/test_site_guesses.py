"""Guesses from sample messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Exam, Modality, Region, ReportStatus
from mappings.exam_codes import ExamEntry
from mappings.message_plan import plan_message
from mappings.site_guesses import (
    NumberField,
    find_headings,
    find_status_words,
    guess_accession,
    guess_exams,
    guess_headings,
    guess_language,
    guess_observation_codes,
    guess_status_words,
    rate_number_fields,
)
from mappings.site_samples import SampleReport, read_samples
from mappings.sites import SiteSet
from tests.unit.mappings.feed_samples import feed, feed_message


def samples(messages: list[bytes] | None = None) -> list[SampleReport]:
    return [sample for payload in messages or feed() for sample in read_samples(payload)]


def test_a_field_is_rated_by_the_numbers_of_its_own_and_those_that_the_text_repeats() -> None:
    rated = {field.name: field for field in rate_number_fields(samples())}

    assert rated["OBR-19"] == NumberField("OBR-19", present=1, own=1, told=1)
    assert rated["OBR-18"] == NumberField("OBR-18", present=1, own=0, told=0)
    assert rated["OBR-3"] == NumberField("OBR-3", present=0, own=0, told=0)


def test_a_number_that_two_patients_share_is_nobodys_own() -> None:
    messages = [one.replace(b"|A90000", b"|A9000") for one in feed(4)]
    shared = [one.replace(b"|A9000%d|" % n, b"|A9000|") for n, one in enumerate(messages)]

    assert {one.name: one.own for one in rate_number_fields(samples(messages))}["OBR-19"] == 1
    assert {one.name: one.own for one in rate_number_fields(samples(shared))}["OBR-19"] == 0


def test_numbers_of_many_shapes_are_no_accession_numbers() -> None:
    ways = ("1234", "AB-12", "12/34/56", "7.7.7", "1-2-3-4", "X99Y")
    messages = [
        feed_message(number).replace(b"|A90000", f"|{way}-".encode())
        for number, way in enumerate(ways)
    ]

    assert {one.name: one.own for one in rate_number_fields(samples(messages))}["OBR-19"] < 0.5


def test_the_field_that_the_texts_repeat_is_looked_at_first() -> None:
    fields = [
        NumberField("OBR-18", 1, 1, 0),
        NumberField("OBR-3", 1, 1, 0.9),
        NumberField("ORC-3", 1, 0.4, 0),
        NumberField("OBR-2", 1, 1, 0),
    ]

    assert guess_accession(fields) == ("OBR-3", "OBR-18")
    assert guess_accession([NumberField("OBR-2", 1, 1, 0)]) == ()
    assert guess_accession([NumberField("OBR-2", 1, 1, 0.5)]) == ("OBR-2",)


def test_a_code_is_the_whole_report_where_it_holds_prose_and_nothing_else_has_findings() -> None:
    read = samples()

    assert guess_observation_codes(read, [True] * len(read)) == {"BER": "body"}
    assert guess_observation_codes(read, [False] * len(read)) == {}


def test_a_code_whose_name_is_a_heading_is_that_section() -> None:
    read = samples([one.replace(b"BER^Bericht", b"BER^Impression") for one in feed()])

    assert guess_observation_codes(read, [False] * len(read)) == {"BER": "impression"}


def test_a_code_that_may_be_somebodys_number_is_not_guessed_at() -> None:
    read = samples([feed_message(0).replace(b"BER^", b"815000123^")])

    assert guess_observation_codes(read, [True]) == {}


def test_headings_are_found_but_for_names_organs_and_those_that_are_known() -> None:
    text = "ORDER NOTES: a~Canary: b~CANARY: c~LUNGS: d~FINDINGS: e~{}UNIK: f"
    messages = [
        feed_message(number, text=text.format("XYZ"[number % 3] * 3)) for number in range(3)
    ]

    assert find_headings(samples(messages)) == {"ORDER NOTES": 3}
    assert find_headings(samples([feed_message(0, text=text)] * 3)) == {}  # one patient


def test_a_heading_is_guessed_by_the_known_one_within() -> None:
    unknown = {"MRI FINDINGS": 3, "ORDER NOTES": 2, "ADDENDUM 2 TEXT": 1}

    assert guess_headings(unknown) == {"MRI FINDINGS": "findings"}


def test_status_words_are_found_and_guessed_by_the_known_one_within() -> None:
    assert find_status_words(samples()) == {"PRELIM-DIKTIERT": 12}
    assert guess_status_words({"PRELIM-DIKTIERT": 1, "SIGNED DRAFT": 1, "VIDIERT": 1}) == {
        "PRELIM-DIKTIERT": ReportStatus.PRELIMINARY
    }


def test_what_is_no_word_is_no_status() -> None:
    messages = [one.replace(b"PRELIM-DIKTIERT", b"20260102^X") for one in feed()]

    assert find_status_words(samples(messages)) == {}


def test_an_exam_code_means_what_its_name_says_unless_the_reports_say_otherwise() -> None:
    (planned,) = plan_message(feed_message(0), SiteSet())
    study = replace(planned.study, language="de")

    def guess(count: int, exam: Exam) -> ExamEntry:
        return guess_exams([replace(study, exam=exam)] * count)["E1", ""]

    named = Exam("E1", None, "CT Thorax", modality=Modality.CT, region=Region.CHEST)
    silent = replace(named, display="Event")
    assert guess(1, named) == ExamEntry(Modality.CT, Region.CHEST, None, "CT Thorax")
    assert guess(1, replace(named, modality=Modality.PT)).modality is None
    assert guess(4, silent) == ExamEntry(display="Event")
    assert guess(5, silent) == ExamEntry(Modality.CT, Region.CHEST, None, "Event")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The lungs are clear. There is no effusion and the heart is of normal size.", "en"),
        ("Die Lunge ist frei und ohne Infiltrat. Kein Erguss, keine Stauung.", "de"),
        ("Les poumons sont clairs. Pas de lésion du foie, sans épanchement.", "fr"),
        ("Los campos pulmonares se observan sin alteraciones. No hay derrame.", "es"),
        ("Plămânii sunt fără leziuni. Cordul este normal și nu se vede lichid.", "ro"),
        ("双肺纹理清晰。未见明显异常。心影不大。", "zh"),
        ("両肺野に明らかな異常陰影を認めません。胸水はみられません。", "ja"),
        ("", "en"),
    ],
)
def test_the_language_is_guessed_by_small_words_and_script(text: str, language: str) -> None:
    assert guess_language([text]) == language
