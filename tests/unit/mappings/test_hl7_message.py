"""The lazy reader, beside hl7apy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import UnreadableContentError
from mappings.hl7_message import read_message

VECTORS = Path(__file__).parents[2] / "vectors" / "hl7"
MSH = "MSH|^~\\&|A|B|||2026||ORU^R01|1|P|2.4"


def read(*segments: str) -> list[list[str]]:
    message = read_message("\r".join([MSH, *segments]).encode())
    return [segment.fields for segment in message.segments()]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
def test_any_line_end_ends_a_segment(end: str) -> None:
    payload = end.join([MSH, "PID|1", "OBR|1|2", ""]).encode()

    assert [one.fields for one in read_message(payload).segments()] == [
        ["PID", "1"],
        ["OBR", "1", "2"],
    ]


def test_a_line_without_a_segment_name_goes_back_to_the_field_it_was_cut_from() -> None:
    assert read("OBX|1|TX|||one", "two", "", "three||||||F", "NTE|1") == [
        ["OBX", "1", "TX", "", "", "one\ntwo\n\nthree", "", "", "", "", "", "F"],
        ["NTE", "1"],
    ]


@pytest.mark.parametrize("line", ["CT", "CT chest", "MRI", "mri|x", "A1|x", "  OBX|1"])
def test_a_line_that_only_looks_like_a_segment_is_never_dropped(line: str) -> None:
    assert read("OBX|1|TX|||one", line)[0] != ["OBX", "1", "TX", "", "", "one"]
    assert len(read("OBX|1|TX|||one", line)) == 1


def test_a_batch_envelope_is_passed_over() -> None:
    assert read("PID|1", "BTS|1", "FTS|1") == [["PID", "1"]]


def test_two_messages_are_never_read_as_one() -> None:
    with pytest.raises(UnreadableContentError, match="several_messages_in_frame"):
        read("PID|1", MSH, "PID|2")


@pytest.mark.parametrize("segment", ["DSC|more", "ADD|rest"])
def test_a_fragment_is_not_read_as_a_whole(segment: str) -> None:
    with pytest.raises(UnreadableContentError, match="fragment_of_message"):
        read("PID|1", segment)
    assert read("PID|1", "DSC|")[0] == ["PID", "1"]


def test_the_last_fragment_is_not_read_as_a_whole_either() -> None:
    payload = rb"MSH|^~\&|A|B|C|D|2026||ORU^R01|1|P|2.5||7" + b"\rPID|1\r"

    with pytest.raises(UnreadableContentError, match="fragment_of_message"):
        read_message(payload)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("gb18030.hl7", "gb18030"),
        ("iso2022jp.hl7", "iso2022_jp"),
        ("latin1.hl7", "iso8859-1"),
        ("feed_headed_text.hl7", "utf-8"),
    ],
)
def test_the_whole_is_decoded_before_it_is_split(name: str, codec: str) -> None:
    payload = (VECTORS / name).read_bytes()

    message = read_message(payload)

    assert message.codec == codec
    first = next(one for one in message.segments() if one.name == "OBX")
    assert len(first.fields) == 12


def test_parts_that_are_absent_are_empty() -> None:
    message = read_message(f"{MSH}\rPID|1||A^B~C\r".encode())
    segment = next(message.segments())

    assert segment.raw(9) == segment.text(9) == segment.component(9) == ""
    assert segment.component(3, 2) == "B"
    assert segment.component(3, 7) == ""
    assert segment.repetitions(3) == ["A^B", "C"]
    assert segment.repetitions(2) == segment.components(2) == []


def test_text_takes_the_whole_field() -> None:
    message = read_message(f"{MSH}\rOBX|1|TX|||a ^ b & c~~d \\T\\ e\r".encode())

    assert next(message.segments()).text(5) == "a ^ b & c\n\nd & e"


def test_no_text_is_in_the_name_of_an_object() -> None:
    message = read_message(f"{MSH}\rPID|1||SECRET\r".encode())

    assert "SECRET" not in repr(message) + repr(next(message.segments()))


def test_hl7apy_sees_the_same_fields() -> None:
    text = (VECTORS / "feed_line_per_obx.hl7").read_bytes().decode()
    oracle = parse_message(text.replace("|2.7\r", "|2.5\r"), find_groups=False)

    segments = list(read_message(text.encode()).segments())

    assert [one.name for one in segments] == [child.name for child in oracle.children[1:]]
    for ours, theirs in zip(segments, oracle.children[1:], strict=True):
        assert "|".join(ours.fields).rstrip("|") == theirs.to_er7().rstrip("|")


@given(st.binary(max_size=300))
def test_any_body_is_read_or_unreadable_and_line_ends_do_not_matter(body: bytes) -> None:
    def outcome(payload: bytes) -> object:
        try:
            return [one.fields for one in read_message(payload).segments()]
        except UnreadableContentError as error:
            return error.reason

    body = body.replace(b"\r", b"\n")

    assert (
        outcome(MSH.encode() + b"\r" + body.replace(b"\n", b"\r"))
        == outcome(MSH.encode() + b"\n" + body)
        == outcome(MSH.encode() + b"\r\n" + body.replace(b"\n", b"\r\n"))
    )


def test_a_document_in_many_lines_takes_no_longer_than_its_length() -> None:
    document = "\n".join(["QUJD" * 19] * 100_000)
    start_s = time.process_time()

    (segment,) = read(f"OBX|1|ED|PDF||^AP^^Base64^{document}||||||F")

    assert segment[5].count("\n") == 99_999
    assert time.process_time() - start_s < 5
