"""The answer to a sender, and the reading of a peer's."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import MessageRefusedError, PrelimError, UnreadableContentError
from mappings.hl7_ack import AckCode, parse_ack, render_ack
from mappings.hl7_header import VERSIONS, peek_header

NOW = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)
REFUSED = MessageRefusedError("control_id_missing", "MSH-10", "AE", 101)


def message(version: str = "2.5.1", kind: str = "ORU^R01", charset: str = "") -> bytes:
    head = rf"MSH|^~\&|RIS^1.2^ISO|HOSP|PRELIM|HUB|20260101||{kind}|ID7|T|{version}"
    return (head + (f"||||||{charset}" if charset else "") + "\rPID|1\r").encode()


def answer(
    payload: bytes | None, code: AckCode = "AA", error: PrelimError | None = None
) -> list[list[bytes]]:
    header = None if payload is None else peek_header(payload)
    control_id = b"" if header is None else header.control_id_bytes
    ack = render_ack(
        header, code=code, control_id=control_id, ack_control_id="P1", now=NOW, error=error
    )
    assert ack.endswith(b"\r")
    return [segment.split(b"|") for segment in ack[:-1].split(b"\r")]


def test_an_acceptance_swaps_the_parties_and_repeats_the_control_id() -> None:
    assert answer(message()) == [
        [
            *(b"MSH", b"^~\\&", b"PRELIM", b"HUB", b"RIS^1.2^ISO", b"HOSP"),
            *(b"20260201083000+0000", b"", b"ACK^R01^ACK", b"P1", b"T", b"2.5.1"),
        ],
        [b"MSA", b"AA", b"ID7"],
    ]


@pytest.mark.parametrize(
    ("version", "kind", "answered"),
    [
        ("2.1", "ORU^R01", b"ACK"),
        ("2.2", "ORU^R01", b"ACK"),
        ("2.3", "ORU^R01", b"ACK"),
        ("2.3.1", "ORU^R01", b"ACK^R01"),
        ("2.4", "ORU^R01", b"ACK^R01^ACK"),
        ("2.7", "ORU^R01^ORU_R01", b"ACK^R01^ACK"),
        ("2.5", "ORU", b"ACK"),
        ("", "ORU^R01", b"ACK"),
    ],
)
def test_the_type_of_the_answer_is_the_versions(version: str, kind: str, answered: bytes) -> None:
    assert answer(message(version, kind))[0][8] == answered


def test_the_character_set_is_the_senders() -> None:
    msh = answer(message(charset="8859/1"))[0]

    assert msh[17] == b"8859/1"
    assert len(msh) == 18


def test_the_control_id_is_repeated_byte_for_byte() -> None:
    payload = message().replace(b"ID7", b"I^\xe9 ~\\7 ")

    assert answer(payload)[1] == [b"MSA", b"AA", b"I^\xe9 ~\\7 "]


@pytest.mark.parametrize(
    "control_id", [b"A\\F\\B", "\u00e9\u4e2d".encode("gb18030"), b" 7 ", b"\x1b$B!!"]
)
def test_escapes_and_other_alphabets_in_a_control_id_are_left_alone(control_id: bytes) -> None:
    assert answer(message().replace(b"ID7", control_id))[1] == [b"MSA", b"AA", control_id]


def test_no_byte_of_a_message_can_end_the_frame_of_its_answer() -> None:
    payload = message(kind="ORU^R01").replace(b"RIS", b"R\x1cS").replace(b"2.5.1", b"2.5\x1c")

    acks = [
        render_ack(peek_header(payload), code="AE", control_id=id_, ack_control_id="P", now=NOW)
        for id_ in (b"7", b"7\x1c", b"\x0b7")
    ]

    assert not any(mark in ack for ack in acks for mark in (b"\x0b", b"\x1c"))
    assert [parse_ack(ack).control_id for ack in acks] == [b"7", b"", b""]


@pytest.mark.parametrize("number", ["", "17"])
def test_the_expected_sequence_number_is_left_out(number: str) -> None:
    payload = message().replace(b"|2.5.1", f"|2.5.1|{number}".encode())

    assert answer(payload)[1] == [b"MSA", b"AA", b"ID7"]


def test_the_separators_are_the_senders() -> None:
    header = peek_header(b"MSH#*+!@#RIS#HOSP###2026##ORU*R01#ID7#P#2.5\r")

    ack = render_ack(
        header, code="AR", control_id=b"ID7", ack_control_id="P+1", now=NOW, error=REFUSED
    )

    assert ack.startswith(b"MSH#*+!@###RIS#HOSP#20260201083000##ACK*R01*ACK#P!R!1#P#2.5\r")
    assert b"\rERR##MSH*1*10#101*Required field missing*HL70357#E####control_id_missing\r" in ack


def test_an_error_is_told_in_the_layout_of_the_version() -> None:
    assert answer(message("2.4"), "AE", REFUSED)[1:] == [
        [b"MSA", b"AE", b"ID7", b"control_id_missing"],
        [b"ERR", b"MSH^1^10^101&Required field missing&HL70357"],
    ]
    assert answer(message("2.5"), "AE", REFUSED)[2] == [
        *(b"ERR", b"", b"MSH^1^10", b"101^Required field missing^HL70357", b"E"),
        *(b"", b"", b"", b"control_id_missing"),
    ]
    assert answer(message("2.7"), "AE", REFUSED)[1] == [b"MSA", b"AE", b"ID7"]


@pytest.mark.parametrize(
    ("error", "location", "condition"),
    [
        (UnreadableContentError("undecodable_content", "MSH-18"), b"MSH^1^18", b"102"),
        (UnreadableContentError("fragment_of_message", "DSC"), b"DSC^1", b"100"),
        (UnreadableContentError("invalid_structure", "OBX[3]-5"), b"OBX^3^5", b"102"),
        (PrelimError("reader_failed_KeyError"), b"", b"207"),
    ],
)
def test_a_fault_of_content_is_told_with_its_place(
    error: PrelimError, location: bytes, condition: bytes
) -> None:
    err = answer(message(), "AE", error)[2]

    assert err[2] == location
    assert err[3].split(b"^")[0] == condition
    assert err[8] == error.reason.encode()


def test_trouble_of_our_own_is_an_internal_error_without_a_place() -> None:
    err = answer(message(), "AR", PrelimError("journal_unavailable"))[2]

    assert err[2:4] == [b"", b"207^Application internal error^HL70357"]


def test_garbage_is_answered_with_the_usual_separators() -> None:
    segments = answer(None, "AE", MessageRefusedError("not_hl7", "MSH", "AE", 100))

    assert segments[0][8:] == [b"ACK", b"P1", b"P", b"2.5"]
    assert segments[1][:3] == [b"MSA", b"AE", b""]
    assert segments[2][2:4] == [b"MSH^1", b"100^Segment sequence error^HL70357"]


def test_text_in_an_answer_is_bounded() -> None:
    segments = answer(message("2.4"), "AR", PrelimError("x" * 5000))

    assert len(segments[1][3]) == 80


@pytest.mark.parametrize("version", [one for one in VERSIONS if one != "2.7.1"])  # hl7apy has none
@pytest.mark.parametrize("error", [None, REFUSED])
def test_hl7apy_reads_our_answer(version: str, error: MessageRefusedError | None) -> None:
    segments = answer(message(version), "AE" if error else "AA", error)

    parsed = parse_message("\r".join("|".join(map(bytes.decode, row)) for row in segments))

    assert parsed.msh.msh_12.value == version
    assert parsed.msa.msa_1.value == ("AE" if error else "AA")
    assert parsed.msa.msa_2.value == "ID7"


@pytest.mark.parametrize("code", ["AA", "AE", "AR", "CA", "CE", "CR"])
@pytest.mark.parametrize("version", ["2.3", "2.4", "2.5.1", "2.8"])
def test_our_answer_is_read_back(code: AckCode, version: str) -> None:
    header = peek_header(message(version))
    error = None if code.endswith("A") else REFUSED

    ack = parse_ack(
        render_ack(header, code=code, control_id=b"ID7", ack_control_id="P1", now=NOW, error=error)
    )

    assert (ack.code, ack.control_id) == (code, b"ID7")


@pytest.mark.parametrize(
    "sent",
    [
        b"MSH|^~\\&|||||||ACK|1|P|2.3\rMSA|AA|ID7",
        b"MSH|^~\\&|||||||ACK|1|P|2.3\nMSA|AA|ID7\n",
        b"\r\nMSH#^~\\&#######ACK#1#P#2.3\r\n\r\nMSA#AA#ID7\r\n",
    ],
)
def test_a_sloppy_peers_answer_is_read(sent: bytes) -> None:
    assert (parse_ack(sent).code, parse_ack(sent).control_id) == ("AA", b"ID7")


@pytest.mark.parametrize(
    "sent", [b"", b"\x06", b"MSH|^~\\&|||||||ACK|1|P|2.3\r", b"MSH|^~\\&|\rMSA|XX|ID7\r"]
)
def test_what_is_no_answer_is_unreadable(sent: bytes) -> None:
    with pytest.raises(UnreadableContentError):
        parse_ack(sent)


@given(st.binary(max_size=120), st.binary(max_size=120))
def test_any_header_is_answered_and_any_bytes_are_read_or_refused(head: bytes, tail: bytes) -> None:
    with suppress(MessageRefusedError, UnreadableContentError):
        header = peek_header(b"MSH|^~\\&|" + head)
        ack = render_ack(
            header, code="AE", control_id=b"1", ack_control_id="P", now=NOW, error=REFUSED
        )
        assert parse_ack(ack).code == "AE"
        parse_ack(b"MSH|^~\\&|||||||ACK\r" + tail)
