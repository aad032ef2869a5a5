"""What stands in an Attachment: text in its charset, or the kind of a document."""

from __future__ import annotations

import base64
import textwrap

import pytest

from mappings.fhir_attachments import TEXT_CHARACTERS_MAX, read_attachment
from mappings.fhir_context import Context
from mappings.hl7_documents import Document

REPORT: dict[str, object] = {"resourceType": "DiagnosticReport"}


def read(media: str | None, content: bytes, **more: object) -> Document | None:
    attachment = {"contentType": media, "data": base64.b64encode(content).decode(), **more}
    return read_attachment(attachment, Context(REPORT), REPORT)


@pytest.mark.parametrize(
    ("media", "content", "text"),
    [
        ("text/plain", b"Clear.\r\nNo mass.", "Clear.\nNo mass."),
        ("text/plain; charset=utf-8", "Größe".encode(), "Größe"),
        ("text/plain;charset=ISO-8859-1", "Größe".encode("latin-1"), "Größe"),
        ('text/plain; charset="windows-1252"', b"\x93A\x94", "\u201cA\u201d"),
        ("text/plain; charset=iso-2022-jp", "所見".encode("iso2022_jp"), "所見"),
        ("text/plain", "Größe".encode("latin-1"), "Größe"),
        ("text/plain; charset=us-ascii", "Größe".encode(), "Größe"),
        ("text/plain; charset=nonsense", "Größe".encode(), "Größe"),
        (None, b"Clear.", "Clear."),
        ("text/html", b"<p>A</p><p>B &amp; C</p>", "A\n\nB & C"),
        ("text/html", b"This is a sample", "This is a sample"),
        ("application/xhtml", b"<html><body><p>A<br/>B</p></body></html>", "A\nB"),
        ("application/xhtml+xml", b'<?xml version="1.0"?><html><body>A</body></html>', "A"),
        ("application/xhtml+xml", b"<div>A</div>", "A"),
        (
            "text/html; charset=utf-8",
            '<html><head><meta charset="iso-8859-1"></head><body>Größe</body></html>'.encode(),
            "Größe",
        ),
        ("application/pdf", b"<html><body>A</body></html>", "A"),
    ],
)
def test_text_is_read_in_its_charset(media: str | None, content: bytes, text: str) -> None:
    document = read(media, content)

    assert document is not None
    assert document.text == text


@pytest.mark.parametrize(
    ("media", "content", "kind"),
    [
        ("application/pdf", b"%PDF-1.4", "pdf"),
        ("text/plain", b"%PDF-1.4", "pdf"),
        ("text/rtf", rb"{\rtf1 x}", "rtf"),
        ("image/png", b"\x89PNG", "media"),
        ("text/xml", b"<ClinicalDocument/>", "xml"),
        ("application/zip", b"zz", "other"),
    ],
)
def test_another_document_is_named_and_not_read(media: str, content: bytes, kind: str) -> None:
    assert read(media, content) == Document(kind)


def test_base64_may_be_broken_into_lines() -> None:
    data = "\n".join(textwrap.wrap(base64.b64encode(b"Clear. " * 40).decode(), 76))

    document = read("text/plain", b"", data=data)

    assert document is not None
    assert document.text == "Clear. " * 40


@pytest.mark.parametrize("data", ["@@@", "ÄÖ", "QQ=Q"])
def test_what_is_no_base64_is_told(data: str) -> None:
    assert read("text/plain", b"", data=data) == Document("bad_encoding")


def test_a_text_longer_than_any_report_is_not_read() -> None:
    assert read("text/plain", b"a" * TEXT_CHARACTERS_MAX) == Document("too_long")
    assert read("application/pdf", b"%PDF" * TEXT_CHARACTERS_MAX) == Document("pdf")


@pytest.mark.parametrize(
    ("attachment", "kind"),
    [
        ({"url": "http://x.example/1"}, "pointer"),
        ({"url": "Binary/2", "contentType": "text/html"}, "pointer"),
        ({"url": "Binary/2", "contentType": "application/pdf; a=b"}, "pdf"),
    ],
)
def test_a_pointer_to_elsewhere_is_never_followed(attachment: dict[str, object], kind: str) -> None:
    assert read_attachment(attachment, Context(REPORT), REPORT) == Document(kind)


def test_a_binary_that_came_along_is_read() -> None:
    binary = {
        "resourceType": "Binary",
        "id": "b",
        "contentType": "text/plain",
        "data": base64.b64encode(b"Clear.").decode(),
    }
    entries = [{"resource": REPORT}, {"resource": binary}]
    context = Context({"resourceType": "Bundle", "entry": entries})

    assert read_attachment({"url": "./Binary/b"}, context, REPORT) == Document("text", "Clear.")


def test_an_empty_attachment_is_none() -> None:
    assert read_attachment({"title": "x"}, Context(REPORT), REPORT) is None
