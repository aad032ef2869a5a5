"""MSH alone: peek, judge, digest."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import MessageRefusedError
from mappings.hl7_header import (
    VERSIONS,
    HeaderPolicy,
    best_effort_control_id,
    best_effort_is_ack,
    judge_header,
    message_digest,
    peek_head,
    peek_header,
)

MSH = (
    rb"MSH|^~\&|RIS^1.2^ISO|HOSP|IN|^1.9^ISO|20260101||ORU^R01^ORU_R01|ID 7|P^A|2.5.1^USA|||AL|NE||"
    rb"8859/1~UNICODE UTF-8"
)
BODY = b"\rPID|1\rOBR|1\r"


def message(**fields: bytes) -> bytes:
    """Return a message with MSH-n replaced, n given as ``m10=b"..."``."""
    parts = rb"MSH|^~\&|RIS|HOSP|||20260101||ORU^R01|ID7|P|2.5.1||||||".split(b"|")
    for name, value in fields.items():
        parts[int(name[1:]) - 1] = value
    return b"|".join(parts) + BODY


def test_every_field_of_msh_is_read() -> None:
    header = peek_header(MSH + BODY)

    assert header.sending_application == "RIS"
    assert header.sending_facility == "HOSP"
    assert header.message_time == "20260101"
    assert (header.message_code, header.trigger_event) == ("ORU", "R01")
    assert header.message_type == "ORU^R01"
    assert (header.control_id, header.control_id_bytes) == ("ID 7", b"ID 7")
    assert (header.feed.processing_id, header.version) == ("P", "2.5.1")
    assert (header.feed.accept_ack, header.feed.application_ack) == ("AL", "NE")
    assert header.charsets == ("8859/1", "UNICODE UTF-8")
    assert not header.is_batch
    assert "RIS" not in repr(header)


@pytest.mark.parametrize(
    "lead",
    [
        b"\xef\xbb\xbf",
        b"\x00\x00",
        b"\r\n\r\n",
        b"\x0b",
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r",
        b"BHS#^~\\&#A\n",
    ],
)
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_what_stands_before_msh_and_other_line_ends_are_passed_over(
    lead: bytes, end: bytes
) -> None:
    header = peek_header(lead + MSH.replace(b"|8859", b"|8859") + end + b"PID|1" + end)

    assert header.control_id == "ID 7"
    assert header.charsets == ("8859/1", "UNICODE UTF-8")


def test_separators_come_from_msh() -> None:
    header = peek_header(b"MSH#*+!@$#RIS*1#HOSP###2026##ORU*R01#ID^7#P#2.7\r")

    assert header.message_type == "ORU^R01"
    assert header.control_id_bytes == b"ID^7"
    assert header.sending_application == "RIS"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_hl7"),
        (b"GET / HTTP/1.1\r\n", "not_hl7"),
        (b"MSH", "not_hl7"),
        (b"MSHA^~\\&A", "not_hl7"),
        (b"PID|1\rMSH|^~\\&|A\r", "not_hl7"),
        (b"FHS|^~\\&\rPID|1\r", "not_hl7"),
        (b"MSH|\r", "bad_separators"),
        (b"MSH|ABCD|\r", "bad_separators"),
        ("MSH|^~\\&|A".encode("utf-16"), "charset_not_framable"),
        ("MSH|^~\\&|A".encode("utf-16-be"), "charset_not_framable"),
    ],
)
def test_what_has_no_msh_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(MessageRefusedError) as refused:
        peek_header(payload)

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("fields", "reason", "where", "code", "condition"),
    [
        ({"m10": b""}, "control_id_missing", "MSH-10", "AE", 101),
        ({"m10": b" "}, "control_id_missing", "MSH-10", "AE", 101),
        ({"m10": b"A\x1c"}, "control_id_unframeable", "MSH-10", "AE", 102),
        ({"m9": b"XYZ^Z01"}, "unsupported_message_type", "MSH-9", "AR", 200),
        ({"m9": b""}, "unsupported_message_type", "MSH-9", "AR", 200),
        ({"m9": b"ORU^R99"}, "unsupported_event", "MSH-9", "AR", 201),
        ({"m11": b"X"}, "unsupported_processing_id", "MSH-11", "AR", 202),
        ({"m11": b""}, "unsupported_processing_id", "MSH-11", "AR", 202),
        ({"m12": b"3.0"}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m12": b"2"}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m12": b"2.0"}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m12": b"2.5.2"}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m12": b"2.9"}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m12": b""}, "unsupported_version", "MSH-12", "AR", 203),
        ({"m14": b"more"}, "fragment_of_message", "MSH-14", "AR", 100),
        ({"m18": b"UNICODE UTF-16"}, "charset_not_framable", "MSH-18", "AR", 103),
        ({"m18": b"CNS 11643-1992"}, "unsupported_charset", "MSH-18", "AR", 103),
    ],
)
def test_a_header_that_is_not_supported_is_refused(
    fields: dict[str, bytes], reason: str, where: str, code: str, condition: int
) -> None:
    with pytest.raises(MessageRefusedError) as refused:
        judge_header(peek_header(message(**fields)))

    error = refused.value
    assert (error.reason, error.where) == (reason, where)
    assert (error.ack_code, error.condition) == (code, condition)


@pytest.mark.parametrize("version", [*map(str.encode, VERSIONS), b"2.5.1^USA", b" 2.4 "])
@pytest.mark.parametrize("kind", [b"ORU^R01", b"ORU", b"ORU^R01^ORU_R01", b"MDM^T02", b"ADT^A08"])
def test_every_version_and_every_known_type_is_taken(version: bytes, kind: bytes) -> None:
    header = peek_header(message(m9=kind, m12=version))

    judge_header(header)
    assert header.is_report == kind.startswith(b"ORU")


def test_processing_ids_are_the_policys_choice() -> None:
    header = peek_header(message(m11=b"D"))

    judge_header(header)
    with pytest.raises(MessageRefusedError):
        judge_header(header, HeaderPolicy(processing_ids=frozenset({"P"})))


def test_several_messages_in_one_frame_are_refused_for_two_patients_must_not_be_one() -> None:
    header = peek_header(message() + message(m10=b"ID8"))

    with pytest.raises(MessageRefusedError, match="several_messages_in_frame"):
        judge_header(header)


def test_versions_are_the_policys_choice() -> None:
    judge_header(peek_header(message(m12=b"2.9")), HeaderPolicy(versions=frozenset({"2.9"})))
    with pytest.raises(MessageRefusedError, match="unsupported_version"):
        judge_header(peek_header(message()), HeaderPolicy(versions=frozenset({"2.9"})))


@pytest.mark.parametrize(
    ("place", "declared", "text"),
    [
        ("Klinikum M\u00fcnchen".encode(), b"UNICODE UTF-8", "Klinikum M\u00fcnchen"),
        ("Klinikum M\u00fcnchen".encode(), b"", "Klinikum M\u00fcnchen"),
        ("Klinikum M\u00fcnchen".encode("latin-1"), b"8859/1", "Klinikum M\u00fcnchen"),
        ("\u5317\u4eac^1.2^ISO".encode("gb18030"), b"GB 18030-2000", "\u5317\u4eac"),
        (b"\xff\xfe", b"UNICODE UTF-8", "\xff\xfe"),
    ],
)
def test_a_facility_is_named_in_its_own_alphabet(place: bytes, declared: bytes, text: str) -> None:
    assert peek_header(message(m4=place, m18=declared)).sending_facility == text


@pytest.mark.parametrize("number", [b"7", b"0", b"-1", b""])
def test_a_sequence_number_is_taken_and_ignored(number: bytes) -> None:
    judge_header(peek_header(message(m13=number)))


@pytest.mark.parametrize("kind", [b"ACK", b"ACK^R01^ACK", b"MCF^Q02", b"NAK", b"NACK^R01"])
@pytest.mark.parametrize("accept", [b"", b"AL"])
def test_an_acknowledgment_is_known_as_one_whatever_it_asks_for(kind: bytes, accept: bytes) -> None:
    assert peek_header(message(m9=kind, m15=accept, m16=accept)).is_ack
    assert not peek_header(message()).is_ack


@pytest.mark.parametrize(
    ("head", "is_ack"),
    [
        (b"MSH|ABCD|A|B|C|D|2026||ACK^R01|1|P|2.5\r", True),
        (b"\r\nMSH#ABCD#A#B#C#D#2026##NACK#1\r", True),
        (b"MSH|ABCD|A|B|C|D|2026||ACKER^R01|1|P|2.5\r", False),
        (b"MSH|ABCD|A|B|C|D|2026||ORU^R01|1|P|2.5\r", False),
        (b"MSH|ABCD|A|B|C|D|2026||", False),
        (b"PID|ABCD|A|B|C|D|2026||ACK", False),
        (b"MSH", False),
        (b"", False),
    ],
)
def test_an_acknowledgment_that_cannot_be_read_is_known_as_one(
    head: bytes, *, is_ack: bool
) -> None:
    assert best_effort_is_ack(head) is is_ack


@pytest.mark.parametrize(
    ("head", "control_id"),
    [
        (message() + b"OBX|1|TX|||and so", "ID7"),
        (message().split(b"\r")[0], None),
        (message()[:40], None),
        (b"no message", None),
        (b"MSH|ABCD|\r", None),
    ],
)
def test_the_header_of_a_head_is_read_only_when_it_is_whole(
    head: bytes, control_id: str | None
) -> None:
    header = peek_head(head)

    assert (header and header.control_id) == control_id


@pytest.mark.parametrize(
    ("head", "control_id"),
    [
        (message() + b"x" * 100, b"ID7"),
        (b"junk \x00" + message(), b"ID7"),
        (message(m10=b"ID^\xe9"), b"ID^\xe9"),
        (b"MSH#^~\\&#A#B#C#D#E##ORU#ID9#", b"ID9"),
        (b"MSH|^~\\&|A|B|C|D|E||ORU|ID9\r", b"ID9"),
        (b"MSH|^~\\&|A|B|C|D|E||ORU|ID", b""),
        (b"MSH|^~\\&|A|B\rPID|||||||||X\r", b""),
        (b"MSH", b""),
        (b"no message", b""),
        (message(m10=b"9" * 251), b""),
        (message(m10=b"I\x1c"), b""),
    ],
)
def test_a_control_id_is_found_in_a_head_only_when_it_is_whole(
    head: bytes, control_id: bytes
) -> None:
    assert best_effort_control_id(head) == control_id


def test_a_resend_with_a_new_time_has_the_same_digest_and_other_content_has_not() -> None:
    first, again = message(), message(m7=b"20269999999999")
    other = message() + b"OBX|1\r"
    digests = [message_digest(one, peek_header(one)) for one in (first, again, other)]

    assert digests[0] == digests[1] != digests[2]


def test_a_message_without_a_time_has_a_digest() -> None:
    short = b"MSH|^~\\&|A\rPID|1\r"

    assert message_digest(short, peek_header(short)) != message_digest(
        short[:-2], peek_header(short)
    )


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"MSH|^~\\&|" + tail))
def test_any_bytes_give_a_header_or_a_refusal(payload: bytes) -> None:
    best_effort_control_id(payload)
    best_effort_is_ack(payload)
    peek_head(payload)
    with suppress(MessageRefusedError):
        header = peek_header(payload)
        assert len(message_digest(payload, header)) == 64
        judge_header(header)


@pytest.mark.parametrize("declared", [b"ASCII~ISO IR87", rb"ASCII\ISO IR87", b"ASCII ~ ISO IR87"])
def test_every_character_set_of_the_header_is_read(declared: bytes) -> None:
    header = peek_header(rb"MSH|^~\&|A|B|C|D|2026||ORU^R01|1|P|2.5||||||" + declared)

    assert header.charsets == ("ASCII", "ISO IR87")
