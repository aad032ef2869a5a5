"""The stored text forms read back as what was written, whatever the text holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.journal_codec import (
    decode_companions,
    decode_engine,
    decode_study,
    encode_companions,
    encode_engine,
    encode_study,
    storable,
    time_of,
    time_text,
)
from mappings.domain import Companion, Identifier, LinkedExam, ReportStatus, Sections, StudyReport
from tests.unit.daemon.journal_samples import DRAFT, FULL_STUDY, make_study

ANY_TEXT = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize("study", [FULL_STUDY, make_study(), make_study(ReportStatus.CORRECTED)])
def test_a_report_reads_back_as_it_was_written(study: StudyReport) -> None:
    read = decode_study(encode_study(study))

    assert read == study
    assert type(read.report_status) is type(study.report_status)
    assert type(read.exam.modality) is type(study.exam.modality)


def test_the_exams_that_a_report_speaks_for_read_back_as_they_were_written() -> None:
    linked = LinkedExam(1, Identifier("A2", "RIS"), None, FULL_STUDY.exam)
    study = replace(FULL_STUDY, linked_exams=(linked,))

    read = decode_study(encode_study(study))

    assert read.linked_exams == (linked,)
    assert type(read.linked_exams[0].exam.modality) is type(linked.exam.modality)


def test_who_reads_the_images_reads_back_and_is_unknown_of_an_older_report() -> None:
    study = replace(FULL_STUDY, results_interpreter=Identifier("R7", "HOSP"))
    older = json.loads(encode_study(study))
    del older["results_interpreter"]

    assert decode_study(encode_study(study)) == study
    assert decode_study(json.dumps(older)).results_interpreter is None


def test_the_further_resources_of_a_draft_keep_their_very_bytes() -> None:
    companions = (
        Companion("Device", "d1", '{"a": "\u00fc\\n\u2028"}'.encode()),
        Companion("Task", "t1", b"{}"),
    )

    assert decode_companions(encode_companions(companions)) == companions
    assert decode_companions(encode_companions(())) == ()


@given(findings=ANY_TEXT)
def test_any_findings_text_survives(findings: str) -> None:
    study = replace(FULL_STUDY, sections=Sections(findings=findings))

    assert decode_study(encode_study(study)) == study


def test_where_a_text_stood_reads_back_as_it_was_written() -> None:
    spans = {"findings": ((0, 10, 15), (2, 0, 6)), "impression": ((3, 0, 7),)}
    study = replace(FULL_STUDY, sections=Sections("a", "b", recommendation="c", spans=spans))

    sections = decode_study(encode_study(study)).sections

    assert sections == study.sections
    assert sections.spans == spans


def test_a_field_added_since_takes_its_default() -> None:
    stored = json.loads(encode_study(make_study()))
    del stored["is_radiology"], stored["has_unread_impression"]
    del stored["sections"]["spans"], stored["sections"]["recommendation"]

    read = decode_study(json.dumps(stored))

    assert read.is_radiology is True
    assert read.has_unread_impression is False
    assert read.sections.spans == {}
    assert read.sections.recommendation is None


def test_an_engine_reads_back_as_it_was_written() -> None:
    redrafting = replace(DRAFT.engine, redraft=3)

    assert decode_engine(encode_engine(DRAFT.engine)) == DRAFT.engine
    assert decode_engine(encode_engine(redrafting)) == redrafting


def test_a_draft_from_before_redrafts_was_the_first_one() -> None:
    older = json.loads(encode_engine(replace(DRAFT.engine, redraft=3)))
    del older["redraft"]

    assert decode_engine(json.dumps(older)) == replace(DRAFT.engine, redraft=0)


@given(text=ANY_TEXT)
def test_storable_text_is_always_utf8_and_leaves_ordinary_text_alone(text: str) -> None:
    kept = storable(text)

    kept.encode("utf-8")
    if not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert kept == text


@given(
    one=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis wants naive bounds
    other=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - same
)
def test_text_order_of_times_is_time_order(one: datetime, other: datetime) -> None:
    assert (time_text(one) < time_text(other)) == (one < other)
    assert time_of(time_text(one)) == one


def test_a_time_with_an_offset_is_stored_in_utc() -> None:
    east = timezone(timedelta(hours=2))

    assert time_text(datetime(2026, 3, 1, 10, tzinfo=east)) == "2026-03-01T08:00:00.000000+00:00"
