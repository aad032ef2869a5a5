"""Segments out of bytes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import UnreadableContentError
from mappings.hl7_message import STRAY_LINES_ATTACHED, Rows, read_message

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


@pytest.mark.parametrize("line", ["CT", "CT chest", "MRI", "mri|x", "A1|x", "  OB|1"])
def test_a_line_that_only_looks_like_a_segment_is_never_dropped(line: str) -> None:
    assert read("OBX|1|TX|||one", line)[0] != ["OBX", "1", "TX", "", "", "one"]
    assert len(read("OBX|1|TX|||one", line)) == 1


def test_an_indented_segment_is_no_text_of_the_one_before() -> None:
    assert read("OBX|1|TX|||one", " \tOBX|2|TX|&IMP||two") == [
        ["OBX", "1", "TX", "", "", "one"],
        ["OBX", "2", "TX", "&IMP", "", "two"],
    ]


def test_a_batch_envelope_is_passed_over() -> None:
    assert read("PID|1", "BTS|1", "FTS|1") == [["PID", "1"]]


def test_two_messages_are_never_read_as_one() -> None:
    with pytest.raises(UnreadableContentError, match="several_messages_in_frame"):
        read("PID|1", MSH, "PID|2")


@pytest.mark.parametrize("start", ["MSH#^~\\&#", "MSH!*:@+!A", "MSH|", " MSH|^~\\&|"])
def test_a_second_message_is_refused_whatever_its_separators(start: str) -> None:
    with pytest.raises(UnreadableContentError, match="several_messages_in_frame"):
        read("OBX|1|TX|||one", start, "OBX|1|TX|||two")


@pytest.mark.parametrize("line", ["MSH", "MSH seen", "MSH- and MLH1-deficient", "MSH: none"])
def test_prose_that_begins_like_a_header_is_prose(line: str) -> None:
    assert read("OBX|1|TX|||one", line)[0][5] == f"one\n{line}"


@pytest.mark.parametrize("padding", ["\x0b", "\x1c", "\x00\x00", " \t", "\ufeff", "\x1a"])
def test_padding_in_the_place_of_a_segment_is_a_blank_line(padding: str) -> None:
    payload = f"{MSH}\r{padding}\rOBX|1|TX|||one||||||F\r{padding}\rNTE|1\r{padding}".encode()

    message = read_message(payload)

    assert message.lines == ("OBX|1|TX|||one||||||F", "NTE|1")
    assert message.warnings == ()


def test_a_row_that_went_back_is_a_doubt_and_a_blank_one_is_not() -> None:
    def warnings(*rows: str) -> tuple[str, ...]:
        return read_message("\r".join([MSH, *rows]).encode()).warnings

    assert warnings("OBX|1|TX|||one", "two") == (STRAY_LINES_ATTACHED,)
    assert warnings("OBX|1|TX|||one", "", "ZZZ|1", "Z9A|2", "") == ()


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["OBX|1|TX", "OBX|2|ST"], [["TX", "ST"], ["1", "2"]]),
        (["OBX|1|TX"], [["TX"], ["1"]]),
        (["OBX|1|TX", "OBX|2|ST|"], None),
        (["OBX|1|TX|a|OBX|2|ST", "OBX|2|ST"], None),
        (["OBX|1", "OBX|2"], None),
        ([], None),
    ],
)
def test_lines_that_are_alike_are_split_together(
    lines: list[str], columns: list[list[str]] | None
) -> None:
    rows = Rows(read_message(MSH.encode()))
    rows.lines += lines

    assert rows.columns(2, 1) == columns


@given(st.lists(st.lists(st.text("ABX|x", max_size=3), min_size=4, max_size=6), min_size=1))
def test_split_together_they_are_what_each_is_by_itself(fields: list[list[str]]) -> None:
    rows = Rows(read_message(MSH.encode()))
    rows.lines += ["|".join(each) for each in fields]

    columns = rows.columns(1, 3)

    widths = {line.count("|") for line in rows.lines}
    assert (columns is None) == (len(widths) > 1)
    if columns is not None:
        assert columns == [[one.raw(number) for one in rows] for number in (1, 3)]


def test_rows_are_a_sequence_of_segments() -> None:
    rows = Rows(read_message(MSH.encode()))
    rows.lines += ["OBX|1", "OBX|2", "OBX|3"]

    assert len(rows) == 3
    assert [one.raw(1) for one in rows] == ["1", "2", "3"]
    assert [one.raw(1) for one in rows[1:]] == ["2", "3"]
    assert rows[-1].raw(1) == "3"
    assert not Rows(read_message(MSH.encode()))


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
