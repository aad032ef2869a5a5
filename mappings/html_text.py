"""HTML to lines of text: tags out, blocks to lines, entities to letters. Nothing is fetched or run.

The standard library's parser is not used: 20 kB of ``<a <a <a`` take it seconds, and it raises on
``<![``. Here every step takes time in proportion to the length, and what is no tag stays
(``< 5 mm``, ``a<b``).

Standard: HTML, as far as reports use it.
"""

from __future__ import annotations

import html
import re

from mappings.tables import read_table

_LAYOUT = {row["tag"]: row["layout"] for row in read_table("html_tags")}
_TAG = re.compile(
    r"(/?)([A-Za-z][A-Za-z0-9]*)"
    r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+))*\s*/?"
)
_ANY_TAG = re.compile(r"(/?)([A-Za-z][A-Za-z0-9:-]*)[^>]*|[!?].*", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_WHOLE = re.compile(r"\s*(?:<\?xml[^<]*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n\f]+")


def is_whole_html(text: str) -> bool:
    """Say whether a text is an HTML document, not a text with a few tags."""
    return _WHOLE.match(text) is not None


def read_html(text: str) -> str:
    """Read an HTML document.

    Args:
        text: The document; it need not be well formed.

    Returns:
        What it shows, one line for each of its lines; its own line ends are blanks.
    """
    return _Reader(is_document=True).read(_without_comments(text))


def read_tags_in_text(text: str) -> str:
    """Read a text in which tags or entities stand: ``<br>``, ``<b>``, ``&nbsp;``.

    Args:
        text: Lines of text. Only tags that HTML has, spelled right, are tags.

    Returns:
        The text without them; its own line ends stay.
    """
    if "<" in text:
        return _Reader(is_document=False).read(text)
    return _ENTITY.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    return html.unescape(found[0]).replace("\xa0", " ")


def _without_comments(text: str) -> str:
    kept, position = [], 0
    while (start := text.find("<!--", position)) >= 0:
        end = text.find("-->", start)
        if end < 0:
            break
        kept.append(text[position:start])
        position = end + 3
    return "".join([*kept, text[position:]])


class _Reader:
    """Cuts at ``<``: a tag lies between one and the next, so that no search runs twice."""

    def __init__(self, *, is_document: bool) -> None:
        self._is_document = is_document
        self._written: list[str] = []
        self._breaks = 0
        self._hidden = ""
        self._is_preformatted = False

    def read(self, text: str) -> str:
        first, *rest = text.split("<")
        self._write(first)
        for piece in rest:
            tag, end, after = piece.partition(">")
            if end and self._take(tag):
                self._write(after)
            else:
                self._write(f"<{piece}")
        return "\n".join(line.rstrip(" ") for line in "".join(self._written).split("\n"))

    def _take(self, tag: str) -> bool:
        """Obey a tag; False when it is none."""
        found = (_ANY_TAG if self._is_document else _TAG).fullmatch(tag)
        if found is None:
            return False
        name = (found[2] or "").lower()
        layout = _LAYOUT.get(name)
        if not self._is_document and layout in {None, "hidden"}:
            return False
        is_end = found[1] == "/"
        if self._hidden:
            if name == "body" or (is_end and name == self._hidden):
                self._hidden = ""
        elif layout == "hidden":
            self._hidden = "" if is_end else name
        else:
            self._lay_out(name, layout, is_end=is_end)
        return True

    def _lay_out(self, name: str, layout: str | None, *, is_end: bool) -> None:
        if layout == "break":
            self._breaks += 1
        elif layout == "paragraph":
            self._breaks = max(self._breaks, 2)
            self._is_preformatted = name == "pre" and not is_end
        elif layout == "line":
            self._breaks = max(self._breaks, 1)
        elif layout == "cell" and not is_end and not self._breaks:
            self._write(" ")

    def _write(self, text: str) -> None:
        if self._hidden:
            return
        if self._is_document and not self._is_preformatted:
            text = _BLANK.sub(" ", text)
            if self._breaks or not self._written:
                text = text.lstrip(" ")
        if not text:
            return
        if self._breaks and self._written:
            self._written.append("\n" * self._breaks)
        self._breaks = 0
        read = html.unescape(text) if self._is_document else _ENTITY.sub(_character, text)
        self._written.append(read.replace("\xa0", " "))
