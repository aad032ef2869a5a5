r"""Escape sequences of HL7 v2 text, both ways.

Text is never dropped: an unknown, malformed or unterminated sequence stays as it was sent
(``5\10 mm``, ``C:\temp\x``, ``\Z..\``). Only formatting commands and highlighting disappear, into
line breaks and blanks; a command that nroff would break the line for never joins two words.
Switches of the character set are read before (iso_2022.py).

Standard: HL7 v2 control chapter, "Use of escape sequences in text fields".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappings.hl7_separators import Separators

_REPEAT_MAX = 20
"""``.sp`` and ``.sk`` make at most this many line breaks or blanks, whatever they ask for."""
_INDENT_MAX = 40
_CHAINED_MAX = 3
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0c\x0e-\x1b\x1d-\x1f]")
_FRAMING: dict[str | None, str] = {"\x0b": "X0B", "\x1c": "X1C"}
"""What MLLP frames with is written in hexadecimal: raw, it could end the frame."""


@lru_cache(maxsize=32)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(
        rf"(?P<hex>(?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+)|{mark}(?:(?P<letter>[FSTREPHN])"
        rf"|\.(?P<format>(?i:br|sp|ce|sk|in|ti|fi|nf))(?P<count>(?:[+-]?\d{{1,4}})?)){mark}",
        re.ASCII,
    )


@lru_cache(maxsize=32)
def _chained_pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(
        rf"{mark}E{mark}(\.[a-z]{{2}}[+-]?\d{{0,4}}|[Xx](?:[0-9A-Fa-f]{{2}})+|[FSTREPHN]){mark}E{mark}"
    )


def unescape(text: str, separators: Separators, codec: str) -> str:
    r"""Replace the escape sequences of a field.

    Args:
        text: The field as sent, already decoded.
        separators: The message's own.
        codec: Python codec of the message; the bytes of ``\X..\`` are in it.

    Returns:
        The text with line breaks as ``\n``; unknown sequences as they were.
    """
    if separators.escape not in text:
        return text
    letters = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        "P": separators.truncation,
        "H": "",  # highlighting on and off
        "N": "",
    }
    page = _Page()
    position = 0
    for match in _pattern(separators.escape).finditer(text):
        page.write(text[position : match.start()])
        if match["format"]:
            page.obey(match["format"].lower(), match["count"])
        elif match["letter"]:
            plain = letters[match["letter"]]
            page.write(match[0] if plain is None else plain)
        else:
            page.write(_hexadecimal(match[0], separators.escape, codec))
        position = match.end()
    page.write(text[position:])
    return "".join(page.written)


def unchain(text: str, separators: Separators) -> str:
    r"""Undo the escaping of escape sequences, by an engine that took them for text.

    ``\E\.br\E\`` becomes ``\.br\`` and ``\E\x09\E\`` becomes ``\X09\``. For narrative alone: nobody
    dictates ``\.br\``, but what ``escape`` wrote must come back from ``unescape`` as it was.
    """
    mark = separators.escape
    if f"{mark}E{mark}" not in text:
        return text
    pattern = _chained_pattern(mark)
    for _ in range(_CHAINED_MAX):  # once for each engine on the way
        text, count = pattern.subn(lambda found: f"{mark}{_as_sent(found[1])}{mark}", text)
        if not count:
            break
    return text


def _as_sent(sequence: str) -> str:
    return f"X{sequence[1:]}" if sequence.startswith("x") else sequence


def escape(text: str, separators: Separators) -> str:
    r"""Write text so that ``unescape`` gives it back; a line break becomes ``\.br\``."""
    mark = separators.escape
    names: dict[str | None, str] = {
        separators.truncation: "P",
        separators.subcomponent: "T",
        separators.repetition: "R",
        separators.component: "S",
        separators.field: "F",
        mark: "E",
        "\n": ".br",
        **_FRAMING,
    }
    return "".join(
        f"{mark}{names[character]}{mark}" if character in names else character
        for character in _LINE_BREAK.sub("\n", text)
    )


class _Page:
    """Text as the formatting commands lay it out; ``.in`` holds until the next one."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._indent = 0
        self._next_indent = 0
        self._is_line_start = True

    def write(self, text: str) -> None:
        if text:
            if self._is_line_start and text[0] != "\n":
                self.written.append(" " * self._next_indent)
                self._next_indent = self._indent
            self.written.append(text)
            self._is_line_start = text[-1] == "\n"

    def obey(self, command: str, count: str) -> None:
        times = min(int(count or "1"), _REPEAT_MAX)
        if command in {"br", "sp"}:
            self.write("\n" * (times if command == "sp" else 1))
        elif command == "sk":
            self.write(" " * times)
        else:
            if not self._is_line_start:
                self.write("\n")
            if command in {"in", "ti"}:
                self._set_indent(command, count)

    def _set_indent(self, command: str, count: str) -> None:
        is_relative = command == "ti" or count[:1] in {"+", "-"}
        wanted = int(count or "0") + (self._indent if is_relative else 0)
        self._next_indent = max(0, min(wanted, _INDENT_MAX))
        if command == "in":
            self._indent = self._next_indent


def _hexadecimal(run: str, mark: str, codec: str) -> str:
    """Decode adjacent hexadecimal sequences together: one character's bytes may be spread over."""
    digits = run.replace(f"{mark}X", "").replace(mark, "")
    try:
        text = bytes.fromhex(digits).decode(codec)
    except UnicodeDecodeError:
        return run
    return run if _CONTROL.search(text) else _LINE_BREAK.sub("\n", text)
