"""What is owed for a record that cannot be taken."""

from __future__ import annotations

from dataclasses import replace

from daemon.kafka_dead_letters import DeadLetters
from mappings.errors import UnreadableContentError
from mappings.kafka_envelope import parse_envelope
from tests.unit.daemon.journal_samples import make_raw

RAW = replace(make_raw("C1"), door="kafka:st.anna", origin="kafka:st.anna/2/17#3")


def test_a_dead_letter_says_where_it_stood_and_why_and_nothing_of_the_patient() -> None:
    (letter,) = DeadLetters(".dlq").plan(RAW, "not_hl7", "MSH")
    envelope = parse_envelope(letter.payload)

    assert (letter.kind, letter.target) == ("kafka_dead_letter", "st.anna.dlq")
    assert envelope.value == RAW.payload
    assert envelope.key == RAW.origin == letter.control_id
    assert envelope.headers["prelim-topic"] == "st.anna"
    assert envelope.headers["prelim-partition"] == "2"
    assert envelope.headers["prelim-offset"] == "17"
    assert envelope.headers["prelim-reason"] == "not_hl7"


def test_without_a_suffix_or_from_another_door_nothing_is_owed() -> None:
    assert DeadLetters(None).plan(RAW, "not_hl7", None) == ()
    assert DeadLetters(".dlq").plan(replace(RAW, origin=""), "not_hl7", None) == ()


def test_content_that_turns_out_to_be_unreadable_is_a_dead_letter_too() -> None:
    letters = DeadLetters(".dlq")
    (letter,) = letters.plan_rejected(RAW, UnreadableContentError("bad_charset", "OBX[1]-5"))

    assert parse_envelope(letter.payload).headers["prelim-where"] == "OBX[1]-5"
    assert letters.plan_rejected(RAW, None) == ()
