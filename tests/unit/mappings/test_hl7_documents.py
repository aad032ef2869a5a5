"""OBX-5 as text or as a document."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.hl7_documents import (
    ENCODED_CHARACTERS_MAX,
    Document,
    are_plain,
    read_document,
    read_text,
)
from mappings.hl7_separators import DEFAULT_SEPARATORS, Separators

PROSE = "The lungs are clear.\nNo effusion."
HTML = "<html><body><p>The lungs are clear.</p><p>No effusion.</p></body></html>"
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj"
RTF = rb"{\rtf1 The lungs are clear.}"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def text_of(raw: str, codec: str = "utf-8") -> str | None:
    return read_text(raw, DEFAULT_SEPARATORS, codec).text


def document(raw: str, codec: str = "utf-8") -> Document:
    return read_document(raw, DEFAULT_SEPARATORS, codec)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Heart ^ lungs & vessels", "Heart ^ lungs & vessels"),
        ("one~two~~four", "one\ntwo\n\nfour"),
        (r"one\.br\two", "one\ntwo"),
        (r"one\X0D\\X0A\two\X0A\three\X0D0A\four", "one\ntwo\nthree\nfour"),
        ("one\ntwo\r\nthree\rfour", "one\ntwo\nthree\nfour"),
        ("one\x0btwo\x0cthree", "one\ntwo\nthree"),
        (r"one\X0B\two", "one\ntwo"),
        (r"one\E\.br\E\two\E\x09\E\three", "one\ntwo\tthree"),
        (r"one\E\.sp2\E\two \E\T\E\ three", "one\n\ntwo & three"),
        (r"5\10 mm C:\temp\x \Z1\ ", r"5\10 mm C:\temp\x \Z1\ "),
        ("one<br>two &lt; 5&nbsp;mm", "one\ntwo < 5 mm"),
        (r"one \T\lt; two", "one < two"),
        ("a\x01b\x1bc", "abc"),
        ("肺野清晰", "肺野清晰"),
        (HTML, PROSE.replace("\n", "\n\n")),
        ("", ""),
    ],
)
def test_a_text_field_is_read_whole(raw: str, text: str) -> None:
    assert text_of(raw) == text


def test_formatted_text_is_laid_out() -> None:
    assert text_of(r"\.in+4\Liver:\.br\normal\.in-4\\.ce\END") == "    Liver:\n    normal\nEND"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (r"{\rtf1\ansi The lungs are clear.}", "rtf"),
        (r"{\E\rtf1\E\ansi The lungs are clear.}", "rtf"),
        ("JVBERi0xLjQKJeLjz9MK", "pdf"),
        ("%PDF-1.4 obj", "pdf"),
        ("<?xml version='1.0'?><ClinicalDocument>The lungs.</ClinicalDocument>", "xml"),
    ],
)
def test_a_document_in_a_text_field_is_no_text(raw: str, kind: str) -> None:
    read = read_text(raw, DEFAULT_SEPARATORS, "utf-8")

    assert read == Document(kind)
    assert read.is_unread


@pytest.mark.parametrize(
    "raw",
    [
        f"^TEXT^plain^Base64^{encoded(PROSE.encode())}",
        f"SYS^text^plain^BASE64^{encoded(PROSE.encode())}",
        f"^TX^^Base64^{encoded(PROSE.encode())}".replace("=", ""),
        f"^application^text/plain^B64^{encoded(PROSE.encode())}",
        rf"^TEXT^plain^Base64^{encoded(PROSE.encode())[:12]}\.br\{encoded(PROSE.encode())[12:]}",
        rf"^TEXT^plain^Base64^{encoded(PROSE.encode())[:12]}\X0D0A\{encoded(PROSE.encode())[12:]}",
        "^TEXT^plain^Base64^\n"
        + "\n".join([encoded(PROSE.encode())[:20], encoded(PROSE.encode())[20:]]),
        f"^TEXT^plain^Base64^{encoded(PROSE.replace(chr(10), chr(13) + chr(10)).encode())}",
        f"^TEXT^plain^Base64^{encoded(PROSE.encode('utf-16'))}",
        f"^TEXT^plain^Base64^{encoded(PROSE.encode('utf-8-sig'))}",
        f"^TEXT^plain^Hex^{PROSE.encode().hex()}",
        "^TEXT^plain^A^The lungs are clear.~No effusion.",
        r"^TEXT^^A^The lungs are clear.\.br\No effusion.",
        "^^^^The lungs are clear.~No effusion.",
        "The lungs are clear.~No effusion.",
    ],
)
def test_plain_text_is_read_in_any_encoding(raw: str) -> None:
    assert document(raw) == Document("text", PROSE)


@pytest.mark.parametrize(
    "raw",
    [
        f"^TEXT^HTML^Base64^{encoded(HTML.encode())}",
        f"^text^html^Hex^{HTML.encode().hex()}",
        f"^application^octet-stream^Base64^{encoded(HTML.encode())}",
        f"^TEXT^plain^Base64^{encoded(HTML.encode())}",
        f"^text^HTML^A^{HTML}",
    ],
)
def test_html_is_read_whatever_it_is_called(raw: str) -> None:
    assert document(raw).text == "The lungs are clear.\n\nNo effusion."


def test_a_text_documents_own_character_set_wins() -> None:
    page = '<html><head><meta charset="gb2312"></head><body>肺野清晰</body></html>'

    assert document(f"^text^html^Base64^{encoded(page.encode('gb18030'))}").text == "肺野清晰"
    assert document(f"^TEXT^^Base64^{encoded('肺野'.encode('cp932'))}", "cp932").text == "肺野"
    assert document(f"^TEXT^^Base64^{encoded('5 µ † 6'.encode('cp1252'))}").text == "5 µ † 6"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (f"^application^pdf^Base64^{encoded(PDF)}", "pdf"),
        (f"^AP^^Base64^{encoded(PDF)}", "pdf"),
        (f"^TEXT^plain^Base64^{encoded(PDF)}", "pdf"),
        ("^application^pdf^Base64^", "pdf"),
        (f"^TEXT^RTF^Base64^{encoded(RTF)}", "rtf"),
        (f"^application^octet-stream^Hex^{RTF.hex()}", "rtf"),
        (r"^TEXT^RTF^A^{\rtf1 The lungs are clear.}", "rtf"),
        ("^TEXT^RTF^A^The lungs are clear.", "rtf"),
        (f"^text^x-hl7-cda-level-one^Base64^{encoded(b'<?xml version=')}", "xml"),
        (f"^multipart^x-hl7-cda-level-one^Base64^{encoded(b'MIME-Version')}", "xml"),
        (f"^application^^Base64^{encoded(b'PK' + bytes([3, 4, 0]))}", "office"),
        (f"^application^octet-stream^Base64^{encoded(bytes(range(64)))}", "other"),
        (f"^AP^^Base64^{encoded(PROSE.encode())}", "other"),
        ("^TEXT^plain^Base64^not base 64!", "bad_encoding"),
        ("^TEXT^plain^Hex^0G", "bad_encoding"),
        (f"^TEXT^plain^Base64^{encoded(PROSE.encode())}" + "*" * 3_000, "bad_encoding"),
        (f"^TEXT^plain^Base64^{encoded(b'a' * ENCODED_CHARACTERS_MAX)}", "too_long"),
    ],
)
def test_a_document_that_only_people_can_read_is_named_and_holds_no_text(
    raw: str, kind: str
) -> None:
    read = document(raw)

    assert read == Document(kind)
    assert read.is_unread


@pytest.mark.parametrize(
    "raw",
    [
        f"^IM^JPEG^Base64^{encoded(bytes([0xFF, 0xD8, 0xFF, 0xE0]))}",
        f"^application^octet-stream^Base64^{encoded(bytes([0x89]) + b'PNG')}",
        f"^image^dicom^Base64^{encoded(b'x' * 40)}",
        f"^AU^BASIC^Base64^{encoded(b'x' * 40)}",
    ],
)
def test_a_picture_or_sound_hides_no_report(raw: str) -> None:
    assert document(raw) == Document("media")
    assert not document(raw).is_unread


def test_the_separators_are_those_of_the_message() -> None:
    separators = Separators("#", "*", "+", "!", "@")

    assert read_document("*TEXT*plain*A*one+two!S!", separators, "utf-8").text == "one\ntwo*"
    assert read_document("*application*pdf*A*x", separators, "utf-8").kind == "pdf"


def test_a_large_document_is_told_by_its_head_alone() -> None:
    raw = f"^application^pdf^Base64^{encoded(PDF + bytes(15_000_000))}"
    start_s = time.process_time()

    assert document(raw).kind == "pdf"
    assert time.process_time() - start_s < 0.3


@given(st.text(max_size=120), st.sampled_from(["", "A", "Base64", "Hex"]))
def test_any_data_is_read_or_named(data: str, encoding: str) -> None:
    read = document(f"^TEXT^plain^{encoding}^{data}")

    assert read.text is not None or read.kind not in {"text", "html"}


@pytest.mark.parametrize(
    "raw",
    ["JVBERi0xLjQK", "e1xydGYxIHg", "%PDF-1", "a<br>b", "a~b", r"a\T\b", "a&b", "a\x01", "a\u2028"],
)
def test_what_needs_reading_is_not_plain(raw: str) -> None:
    assert not are_plain(["Clear.", raw], DEFAULT_SEPARATORS)


@given(st.lists(st.text(max_size=30), max_size=4))
def test_what_is_plain_reads_as_itself(raws: list[str]) -> None:
    if are_plain(raws, DEFAULT_SEPARATORS):
        assert [text_of(raw) for raw in raws] == raws


@given(st.text(max_size=120))
def test_any_text_is_read_or_named_and_has_no_control_characters(raw: str) -> None:
    read = read_text(raw, DEFAULT_SEPARATORS, "utf-8")

    assert read.text is None or not {"\r", "\x00", "\x0b", "\x1c"} & set(read.text)
