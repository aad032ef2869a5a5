"""What stands in an Attachment: text that can be read, or a document that only people can.

Plain text, HTML and XHTML are read; PDF and the rest are named, never taken for findings. A url is
followed only to what came with the message, never over the network. What the first bytes say is
believed over ``contentType``.

Standard: FHIR Attachment, Binary; a presentedForm is the entire report as it was issued.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from mappings.charset import find_codec
from mappings.fhir_json import Node, word
from mappings.hl7_documents import Document, judge_bytes, read_bytes

if TYPE_CHECKING:
    from mappings.fhir_context import Context

TEXT_CHARACTERS_MAX = 4 * 1024 * 1024
"""Of base64: pictures may stand within the HTML of a report."""
POINTER = "pointer"
_HEAD_CHARACTERS = 2_048
_BLANKS = re.compile(r"\s+")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HTML = frozenset({"text/html", "application/xhtml+xml", "application/xhtml", "text/xhtml"})
_PLAIN = frozenset({"text/plain", "text/markdown", "text/x-markdown", ""})


def read_attachment(attachment: Node, context: Context, container: Node) -> Document | None:
    """Read an Attachment.

    Args:
        attachment: As sent.
        context: What came with it: its url may name a Binary there.
        container: The resource that it stands in.

    Returns:
        Its text, or what kind of document it is; None for an empty one.
    """
    data, media = word(attachment, "data"), word(attachment, "contentType")
    url = word(attachment, "url")
    if not data and url:
        found = context.follow({"reference": url}, container)
        if found is None:
            return Document("pdf" if _bare(media) == "application/pdf" else POINTER)
        data = word(found.resource, "data")
        media = word(found.resource, "contentType") or media
    return _read(data, media) if data else None


def _read(data: str, media: str) -> Document:
    is_too_long = len(data) > TEXT_CHARACTERS_MAX
    content = _decode(data[:_HEAD_CHARACTERS] if is_too_long else data)
    if content is None:
        return Document("bad_encoding")
    kind = judge_bytes(content, *_label(_bare(media)))
    if kind not in {"text", "html"}:
        return Document(kind)
    if is_too_long:
        return Document("too_long")
    named = _CHARSET.search(media)
    codec = find_codec(named[1]) if named else None
    if codec is not None:
        try:  # the declared one first: text in an ISO 2022 set is ASCII as well
            content = content.decode(codec).encode("utf-16")  # its mark outdoes a META element
        except UnicodeDecodeError:
            return read_bytes(content, kind, codec)
    return read_bytes(content, kind, "utf-8")


def _label(media: str) -> tuple[str, str]:
    if media in _HTML:
        return "text", "html"
    if media in _PLAIN:
        return "text", "plain"
    kind, _, subtype = media.partition("/")
    return kind, subtype


def _bare(media: str) -> str:
    return media.partition(";")[0].strip().lower()


def _decode(data: str) -> bytes | None:
    packed = _BLANKS.sub("", data)
    if len(packed) % 4 == 1:  # the head of a longer one: no bytes end there
        packed = packed[:-1]
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
