"""What hl7apy is asked, and how little of its answer leaves: never a word of the message."""

from __future__ import annotations

import io
import struct

import hl7apy.validation
import pytest

from daemon.validating_worker import check_structure, run_worker

HEAD = "MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01^ORU_R01|M1|P|2.5.1\r"
PATIENT = "PID|1||P1^^^DEMO^MR||QUETZALCANARY^ANNA||19700101|F\r"
ORDER = "OBR|1|O1|F1|CTCHEST^CT CHEST^L\r"
TEXT = "OBX|1|TX|GDT^Findings^L|1|There is a nodule.||||||P\r"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + PATIENT + ORDER + TEXT, "valid"),
        (HEAD + PATIENT.replace("P1^^^DEMO^MR", "") + ORDER + TEXT, "invalid PID-3"),
        (HEAD + PATIENT + ORDER.replace("|CTCHEST^CT CHEST^L", "") + TEXT, "invalid OBR-4"),
        (HEAD + PATIENT + ORDER + TEXT.replace("|||P\r", "\r"), "invalid OBX-11"),
        (HEAD + PATIENT + TEXT, "invalid OBR"),
        (HEAD + PATIENT + ORDER + PATIENT.replace("PID", "QQQ") + TEXT, "invalid OBR"),
        (HEAD.replace("2.5.1", "2.9.9") + PATIENT + ORDER, "failed"),
        ("QUETZALCANARY", "invalid"),
    ],
)
def test_an_outcome_and_a_place_of_the_standard_are_all_that_is_said(
    text: str, expected: str
) -> None:
    assert check_structure(text) == expected


@pytest.mark.parametrize("version", ["2.3.1", "2.4"])
def test_what_is_missing_in_hl7apys_own_tables_is_not_held_against_a_message(version: str) -> None:
    head = HEAD.replace("2.5.1", version).replace("^ORU_R01", "")
    order = "OBR|1|O1|F1|CTCHEST^CT CHEST^L" + "|" * 17 + "FILLER\r"

    assert check_structure(head + PATIENT + order + TEXT) == "valid"


def test_a_fault_of_the_library_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_over(*_: object, **__: object) -> None:
        raise TypeError("QUETZALCANARY")

    monkeypatch.setattr("daemon.validating_worker.parse_message", fall_over)

    assert check_structure(HEAD + PATIENT) == "failed"


def test_the_worker_answers_each_question_with_one_line_and_ends_with_the_questions() -> None:
    questions, answers = io.BytesIO(), io.BytesIO()
    for text in (HEAD + PATIENT + ORDER + TEXT, HEAD + PATIENT + TEXT):
        questions.write(struct.pack(">I", len(text)) + text.encode())
    questions.seek(0)

    run_worker(questions, answers, 60)

    assert answers.getvalue() == b"ready\nvalid\ninvalid OBR\n"


def test_the_library_is_left_as_it_was_found() -> None:
    check_structure(HEAD + PATIENT + ORDER + TEXT)

    assert not hasattr(hl7apy.validation, "open")
