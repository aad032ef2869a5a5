"""MSH cut into its fields, where a separator may be half of a character.

In GB 18030, BIG-5, Shift-JIS and ISO-2022-JP a second byte can be ``|``. The message as a whole is
decoded before it is split, but MSH must be cut first, as bytes: it says what to decode with, and
MSA-2 repeats its MSH-10 byte for byte. So such characters are covered up while it is cut.

Standard: HL7 table 0211.
"""

from __future__ import annotations

import re

from mappings.charset import find_codec

_CHARSET_INDEX = 17
_HEAD = 4  # "MSH" and the field separator
_PAIRS = re.compile(
    rb"[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]|[\x81-\xfe][\x40-\xfe]"  # four bytes, or two
)
_SHIFT_JIS = re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\xfc]")
# A first byte above 0x7a begins no character: the sender forgot to switch back.
_SWITCHED = re.compile(rb"(?:\x1b\$(?:\([A-D]|[@AB])|\x0e)(?:[\x21-\x7a][\x21-\x7e])*")
_SWITCH = re.compile(rb"[\x1b\x0e]")
_WIDE = {
    "gb18030": _PAIRS,
    "big5hkscs": _PAIRS,
    "cp950": _PAIRS,
    "cp932": _SHIFT_JIS,
}
"""Of the codecs of tables/charsets.csv, those with a second byte that can be a separator."""


def split_fields(segment: bytes, mark: bytes) -> list[bytes]:
    """Cut MSH at its field separators.

    Args:
        segment: MSH without its line end.
        mark: The field separator.

    Returns:
        The fields as sent; ``mark.join`` gives the segment back.
    """
    fields = segment.split(mark)
    if segment.isascii() and not _SWITCH.search(segment):
        return fields
    # The separator itself is never covered: a strange one (0x0E, 0xE4) looks like a character.
    head, covered = segment[:_HEAD], _SWITCHED.sub(_cover, segment[_HEAD:])
    pattern = _declared(fields)
    covered = head + (covered if pattern is None else pattern.sub(_cover, covered))
    if covered.count(mark) == len(fields) - 1:
        return fields
    cut, start = [], 0
    for piece in covered.split(mark):
        cut.append(segment[start : start + len(piece)])
        start += len(piece) + len(mark)
    return cut


def _declared(fields: list[bytes]) -> re.Pattern[bytes] | None:
    """Find what MSH-18 declares: where a separator was half of a character it stands further on."""
    for declared in fields[_CHARSET_INDEX:]:
        pattern = _WIDE.get(find_codec(declared.decode("latin-1")) or "")
        if pattern is not None:
            return pattern
    return None


def _cover(match: re.Match[bytes]) -> bytes:
    return b"\x80" * len(match[0])
