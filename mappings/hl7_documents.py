"""What stands in an OBX-5 as a document: text that can be read, or one that only people can.

Plain text and HTML are read. PDF, RTF, CDA and the rest are never taken for findings: what a report
says in one of them is not seen, and the report is told apart by it (``UNREAD``). A label is not
believed where the first bytes say otherwise. A pointer (RP) is never followed.

Standard: HL7 v2 ED; tables 0191, 0291 and 0299.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from mappings.charset import find_codec
from mappings.hl7_escape import unchain, unescape
from mappings.html_text import is_whole_html, read_html, read_tags_in_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.hl7_separators import Separators

ENCODED_CHARACTERS_MAX = 262_144
"""A longer text document is not read: no report is."""
_HEAD_CHARACTERS = 2_048
_LABELLED_TEXT = frozenset({"text", "tx", "ft", "plain", "text/plain", "txt"})
_MEDIA = frozenset({"im", "image", "ns", "si", "au", "audio", "video"})
_MAGIC = {
    b"%PDF": "pdf",
    rb"{\rtf": "rtf",
    b"PK\x03\x04": "office",
    b"\xd0\xcf\x11\xe0": "office",
    b"\x89PNG": "media",
    b"\xff\xd8\xff": "media",
    b"GIF8": "media",
    b"II*\x00": "media",
    b"MM\x00*": "media",
}
_SUBTYPES = {"pdf": "pdf", "rtf": "rtf", "cda": "xml", "xml": "xml", "html": "html"}
_IN_TEXT = {
    "%PDF-": "pdf",
    "JVBERi0": "pdf",  # as base64
    r"{\rtf": "rtf",
    "e1xydGY": "rtf",
    "<?xml": "xml",
    "<ClinicalDocument": "xml",
}
_IN_TEXT_STARTS = tuple(_IN_TEXT)
_IN_TEXT_LETTERS = frozenset(start[0] for start in _IN_TEXT)
_CONTROLS = tuple(map(chr, (*range(0x20), 0x7F)))
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([\w-]{1,40})", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LINE_END = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")


class Document(NamedTuple):
    """``text`` is None for one that is not read; ``kind`` is then a stable word, such as ``pdf``.

    Kinds: text, html; pdf, rtf, xml, office, media, other, bad_encoding, too_long.
    """

    kind: str
    text: str | None = None

    @property
    def is_unread(self) -> bool:
        """Whether a report may stand in it that nobody here has seen; pictures hold none."""
        return self.text is None and self.kind != "media"


def are_plain(raws: Sequence[str], separators: Separators) -> bool:
    """Say whether fields need no reading; asked of all of a report's together, for speed."""
    text = "".join(raws)
    special = (separators.escape, separators.repetition, "<", "&", *_CONTROLS)
    if any(map(text.__contains__, special)):
        return False
    may_be_document = not _IN_TEXT_LETTERS.isdisjoint([raw[:1] for raw in raws])
    if may_be_document and any(raw.startswith(_IN_TEXT_STARTS) for raw in raws):
        return False
    return text.isascii() or text.isprintable()


def read_text(raw: str, separators: Separators, codec: str) -> Document:
    r"""Read a TX, FT or ST: the whole field is text, its ``^`` and ``&`` with it.

    Args:
        raw: The field as sent. A repetition, ``\.br\``, a carriage return in hexadecimal, a line
            end in the field and an HTML ``<br>`` all end a line.
        separators: The message's own.
        codec: Python codec of the message.

    Returns:
        The text, or the kind of the document that was sent as text.
    """
    text = raw
    if separators.repetition in text:
        text = text.replace(separators.repetition, "\n")
    if separators.escape in text:
        text = unescape(unchain(text, separators), separators, codec)
    if text.startswith(_IN_TEXT_STARTS) and not is_whole_html(text):
        return Document(next(kind for start, kind in _IN_TEXT.items() if text.startswith(start)))
    if "<" in text or "&" in text:
        text = read_html(text) if is_whole_html(text) else read_tags_in_text(text)
    return Document("text", text if text.isprintable() else _clean(text))


def read_document(raw: str, separators: Separators, codec: str) -> Document:
    """Read an ED: source, type, subtype, encoding, data.

    Args:
        raw: The field as sent; its data may hold the message's separators unescaped.
        separators: The message's own.
        codec: Python codec of the message; the data's own where it names none.

    Returns:
        The text of a text or HTML document, else what kind it is.
    """
    *labels, data = raw.split(separators.component, 4)
    _, kind, subtype, encoding = [*(label.strip().lower() for label in labels), *[""] * 4][:4]
    if encoding not in {"base64", "b64", "hex"}:
        read = read_text(data, separators, codec)
        labelled = _judge(b"", kind, subtype) if kind or subtype else "text"
        return read if read.text is None or labelled in {"text", "html"} else Document(labelled)
    sequences = re.escape(separators.escape)
    blanks = re.compile(rf"{sequences}(?:\.br|X(?:0[DAda])+){sequences}|\s+")
    head = _decode_bytes(blanks.sub("", data[:_HEAD_CHARACTERS]), encoding, is_head=True)
    found = "bad_encoding" if head is None else _judge(head, kind, subtype)
    if found not in {"text", "html"}:
        return Document(found)
    if len(data) > ENCODED_CHARACTERS_MAX:
        return Document("too_long")
    content = _decode_bytes(blanks.sub("", data), encoding)
    return Document("bad_encoding") if content is None else read_bytes(content, found, codec)


def judge_bytes(content: bytes, kind: str, subtype: str) -> str:
    """Say what a document is, by its first bytes and then by the two halves of its media type."""
    return _judge(content[:_HEAD_CHARACTERS], kind, subtype)


def read_bytes(content: bytes, kind: str, codec: str) -> Document:
    """Read the bytes of a text or HTML document, whose own word on its codec comes first."""
    text = _decode_text(content, codec)
    if text is None:
        return Document("bad_encoding")
    return Document(kind, _clean(read_html(text) if kind == "html" else text))


def _judge(head: bytes, kind: str, subtype: str) -> str:
    """Say what a document is, by its first bytes and then by its label."""
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            return found
    if is_whole_html(head.decode("latin-1").removeprefix("\xef\xbb\xbf")):
        return "html"
    if head.lstrip().startswith((b"<?xml", b"<ClinicalDocument")):
        return "xml"
    labels = f"{kind} {subtype}"
    named = next((found for word, found in _SUBTYPES.items() if word in labels), None)
    if named is not None:
        return named
    if kind in _MEDIA or subtype in {"jpeg", "jpg", "png", "tiff", "gif", "dicom"}:
        return "media"
    return "text" if kind in _LABELLED_TEXT or subtype in _LABELLED_TEXT else "other"


def _decode_bytes(data: str, encoding: str, *, is_head: bool = False) -> bytes | None:
    width = 2 if encoding == "hex" else 4
    if is_head:
        data = data[: len(data) // width * width]
    try:
        if encoding == "hex":
            return bytes.fromhex(data)
        return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _decode_text(content: bytes, codec: str) -> str | None:
    """Decode the bytes of a text document, which may be in a set of its own."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        codecs = ["utf-16"]
    else:
        meta = _META_CHARSET.search(content[:_HEAD_CHARACTERS])
        named = find_codec(meta[1].decode("latin-1")) if meta else None
        codecs = [*([named] if named else []), "utf-8-sig", codec, "cp1252"]
    for one in codecs:
        try:
            return content.decode(one)
        except UnicodeDecodeError:
            continue
    return None


def _clean(text: str) -> str:
    r"""Make every line end ``\n``, and leave out control characters: no text holds them."""
    return _CONTROL.sub("", _LINE_END.sub("\n", text))
