"""What all messages of a feed say in MSH, read once."""

from __future__ import annotations

import pytest

from mappings.hl7_feed import FEED_BYTES_MAX, Feed
from mappings.hl7_header import peek_header

MSH = b"MSH|^~\\&|RIS|HOSP|ENGINE|HUB|%s||ORU^R01^ORU_R01|%s|P|2.5.1|||AL|ER||8859/1\rPID|1"


def feed_of_message(time: bytes = b"20260301", control_id: bytes = b"A1", msh: bytes = MSH) -> Feed:
    return peek_header(msh % (time, control_id)).feed


def test_messages_that_differ_by_time_and_control_id_are_of_one_feed() -> None:
    assert feed_of_message(b"20260302", b"B2") is feed_of_message()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"RIS", b"PACS"), (b"HOSP", b"CLINIC"), (b"|P|", b"|T|"), (b"2.5.1", b"2.3"), (b"~", b"!")],
)
def test_any_other_difference_makes_another_feed(old: bytes, new: bytes) -> None:
    other = feed_of_message(msh=MSH.replace(old, new, 1))

    assert other is not feed_of_message()
    assert other.fields != feed_of_message().fields or other.separators.repetition == "!"


def test_a_feed_knows_neither_the_time_nor_the_control_id_of_a_message() -> None:
    feed = feed_of_message(b"20260301", b"SECRET-7")

    assert (feed.raw(7), feed.raw(10)) == (b"", b"")
    assert b"SECRET-7" not in b"".join(feed.fields)


def test_a_very_long_msh_is_not_kept() -> None:
    long = MSH.replace(b"HUB", b"H" * FEED_BYTES_MAX)

    first, again = feed_of_message(msh=long), feed_of_message(msh=long)

    assert first is not again
    assert first.fields == again.fields


def test_an_answer_turns_sender_and_receiver_round_and_leaves_time_and_control_id_open() -> None:
    fields = feed_of_message().answer_fields

    assert fields[2:6] == (b"ENGINE", b"HUB", b"RIS", b"HOSP")
    assert (fields[6], fields[8], fields[9]) == (b"", b"ACK^R01^ACK", b"")
    assert (fields[10], fields[11], fields[17]) == (b"P", b"2.5.1", b"8859/1")
