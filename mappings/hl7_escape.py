r"""Escape sequences of HL7 v2 text, both ways.

Text is never dropped: an unknown, malformed or unterminated sequence stays as it was sent
(``5\10 mm``, ``C:\temp\x``). Only formatting commands disappear, into line breaks and blanks.

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
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@lru_cache(maxsize=32)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(
        rf"(?P<hex>(?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+)|{mark}(?:(?P<letter>[FSTREPHN])"
        rf"|\.(?P<format>br|sp|ce|sk|in|ti|fi|nf)(?P<count>(?:[+-]?\d{{1,4}})?)){mark}",
        re.ASCII,
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

    def replace(match: re.Match[str]) -> str:
        if match["letter"]:
            plain = letters[match["letter"]]
            return match[0] if plain is None else plain
        if match["format"]:
            return _format(match["format"], match["count"])
        decoded = _hexadecimal(match["hex"], separators.escape, codec)
        return match[0] if decoded is None else decoded

    return _pattern(separators.escape).sub(replace, text)


def escape(text: str, separators: Separators) -> str:
    r"""Write text so that ``unescape`` gives it back; a line break becomes ``\.br\``."""
    mark = separators.escape
    names = {
        separators.truncation: "P",
        separators.subcomponent: "T",
        separators.repetition: "R",
        separators.component: "S",
        separators.field: "F",
        mark: "E",
    }
    written = "".join(
        f"{mark}{names[character]}{mark}" if character in names else character
        for character in _LINE_BREAK.sub("\n", text)
    )
    return written.replace("\n", f"{mark}.br{mark}")


def _format(command: str, count: str) -> str:
    times = min(int(count or "1"), _REPEAT_MAX)
    if command in {"br", "ce"}:
        return "\n"
    if command == "sp":
        return "\n" * times
    return " " * times if command == "sk" else ""


def _hexadecimal(run: str, mark: str, codec: str) -> str | None:
    """Decode adjacent hexadecimal sequences together: one character's bytes may be spread over."""
    digits = run.replace(f"{mark}X", "").replace(mark, "")
    try:
        text = bytes.fromhex(digits).decode(codec)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else _LINE_BREAK.sub("\n", text)
