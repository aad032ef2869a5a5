"""The reader of HL7 v2 segments: decode first, cut then (see charset.py), split what is asked for.

A row that does not begin with a segment name is the rest of a field with a line end in it: it goes
back to where it was cut, it is never dropped. Every step takes time in proportion to the length.

Standard: HL7 v2 control chapter, message construction rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, overload

from mappings.charset import UNDECLARED_CODECS, decode_message
from mappings.errors import UnreadableContentError
from mappings.hl7_escape import unescape
from mappings.hl7_header import peek_header
from mappings.hl7_separators import parse_separators

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mappings.hl7_header import Header
    from mappings.hl7_separators import Separators

STRAY_LINES_ATTACHED = "stray_lines_attached"
"""Warning: a row was no segment and went back to the field before it."""

_START = itemgetter(slice(4))
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_COMMON_NAMES = (
    *("OBX", "OBR", "ORC", "PID", "PD1", "PV1", "PV2", "NTE", "DG1", "AL1", "IN1", "IN2", "GT1"),
    *("NK1", "EVN", "SFT", "UAC", "TQ1", "TQ2", "CTD", "CTI", "SPM", "PRT", "FT1", "ZDS", "IPC"),
)
"""Known without a closer look; any other name is looked at."""
_BATCH_NAMES = frozenset({"BHS", "BTS", "FHS", "FTS"})
_FRAGMENT_NAMES = frozenset({"ADD", "DSC"})
_SPECIAL_NAMES = _BATCH_NAMES | _FRAGMENT_NAMES | {"MSH"}
_BLANK = " \t\x00\x0b\x0c\x1a\x1c\ufeff"
"""What a row may hold and still be blank: some senders double a start or end block, or pad."""


@dataclass(slots=True)
class Segment:
    """One segment. ``fields[n]`` is field n as sent.

    Nothing changes it, nor the other things that are made for each message and live no longer than
    its reading: they are not frozen, because to make a frozen one takes four times as long.
    """

    fields: list[str] = field(repr=False)
    message: Message = field(repr=False)

    @property
    def name(self) -> str:
        """The three letters, such as ``OBX``."""
        return self.fields[0]

    def raw(self, number: int) -> str:
        """Return a field as sent; empty when absent."""
        fields = self.fields
        return fields[number] if number < len(fields) else ""

    def text(self, number: int) -> str:
        """Return a whole field as text: repetitions become line breaks, escapes are read.

        For TX, FT and ST, in which ``^`` and ``&`` are letters like any other.
        """
        raw = self.raw(number)
        message = self.message
        separators = message.separators
        if separators.repetition in raw:
            raw = raw.replace(separators.repetition, "\n")
        return unescape(raw, separators, message.codec) if separators.escape in raw else raw

    def repetitions(self, number: int) -> list[str]:
        """Return the repetitions of a field as sent; none when it is empty."""
        raw = self.raw(number)
        return raw.split(self.message.separators.repetition) if raw else []

    def components(self, number: int) -> list[str]:
        """Return the components of the first repetition, trimmed, escapes read."""
        fields = self.fields
        raw = fields[number] if number < len(fields) else ""
        if not raw or raw.isalnum():
            return [raw] if raw else []
        message = self.message
        return message.components(raw.split(message.separators.repetition, 1)[0])

    def component(self, number: int, component: int = 1) -> str:
        """Return one component of the first repetition; empty when absent."""
        fields = self.fields
        raw = fields[number] if number < len(fields) else ""
        if not raw or raw.isalnum():  # most often: nothing to split, trim or unescape
            return raw if component == 1 else ""
        parts = self.components(number)
        return parts[component - 1] if component <= len(parts) else ""


class Rows(Sequence[Segment]):
    """Segments of one name, unsplit: each is split when it is looked at, or all of them at once."""

    __slots__ = ("lines", "message")

    def __init__(self, message: Message) -> None:
        """Begin with none."""
        self.message = message
        self.lines: list[str] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> list[Segment]: ...
    def __getitem__(self, index: int | slice) -> Segment | list[Segment]:
        """Split one, or some."""
        if isinstance(index, slice):
            return list(map(self.message.split, self.lines[index]))
        return self.message.split(self.lines[index])

    def __iter__(self) -> Iterator[Segment]:
        """Split one after the other."""
        return map(self.message.split, self.lines)

    def columns(self, *numbers: int) -> list[list[str]] | None:
        """Return fields of every segment, by field.

        A report of sixty OBX that are alike is split in a third of the time.

        Args:
            numbers: The fields wanted.

        Returns:
            For each of them a list as long as this one; None when the segments have different
            numbers of fields, or one of the fields is in none.
        """
        count, mark = len(self.lines), self.message.separators.field
        # No line holds a CR: where every width-th piece is one, all lines have the same width.
        pieces = f"{mark}\r{mark}".join(self.lines).split(mark)
        width = (len(pieces) + 1) // max(count, 1)
        if max(numbers) > width - 2 or pieces[width - 1 :: width] != ["\r"] * (count - 1):
            return None
        return [pieces[number::width] for number in numbers]


@dataclass(slots=True)
class Message:
    """A decoded message.

    ``codec`` is the Python codec that read it, ``separators`` are its own, ``lines`` its segments
    unsplit, without MSH. ``warnings`` are stable words for what was read with a doubt.
    """

    header: Header
    codec: str
    separators: Separators
    lines: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def segments(self) -> Iterator[Segment]:
        """Yield the segments after MSH, in order."""
        for line in self.lines:
            yield self.split(line)

    def split(self, line: str) -> Segment:
        """Split one of the lines, or a line like them, into its fields."""
        return Segment(line.split(self.separators.field), self)

    def components(self, repetition: str) -> list[str]:
        """Split one repetition of a field, trim the components and read their escapes."""
        separators = self.separators
        parts = repetition.split(separators.component)
        if separators.escape in repetition:
            parts = [unescape(part, separators, self.codec) for part in parts]
        return list(map(str.strip, parts))


def read_message(
    payload: bytes, header: Header | None = None, undeclared: Sequence[str] = UNDECLARED_CODECS
) -> Message:
    """Decode a message and find its segments.

    Args:
        payload: Without framing bytes. Segments end in CR, LF or both.
        header: What ``peek_header`` said of the payload, where it was asked already.
        undeclared: Python codecs to try, in order, where MSH-18 is empty.

    Returns:
        The message, its segments still unsplit.

    Raises:
        MessageRefusedError: There is no MSH.
        UnreadableContentError: The bytes are not what MSH-18 says; the message is a fragment, or
            several messages are in one frame.
    """
    header = header or peek_header(payload)
    if header.raw(14).strip():  # the door says no to it, but an operator may replay it
        raise UnreadableContentError("fragment_of_message", "MSH-14")
    text, codec, doubt = decode_message(
        payload[header.start :],
        header.charsets,
        separators=header.separators,
        undeclared=undeclared,
    )
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines, has_stray = _cut_lines(text, header.separators.field)
    warnings = (doubt, STRAY_LINES_ATTACHED if has_stray else None)
    known = tuple(filter(None, warnings))
    return Message(header, codec, header.separators, tuple(lines), known)


def _cut_lines(text: str, mark: str) -> tuple[list[str], bool]:
    """Cut the text into segments; say whether a row had to go back to the one before it."""
    head, *rows = text.split("\r")
    while rows and not rows[-1]:
        rows.pop()
    known = _known_starts(mark)
    if all(_is_plain(start, mark) for start in set(map(_START, rows)) - known):
        return rows, False
    lines = [head]  # MSH: rows after it may go back to it
    has_stray = False
    # Pieces are joined at the end: a document in lines of 76 characters has 150,000 of them.
    pieces: list[str] = []
    for row in (_unindented(row, known) for row in rows):
        if row[:4] in known or (row[3:4] == mark and _NAME.match(row) and _is_kept(row)):
            if pieces:
                has_stray |= _give_back(pieces, lines)
            lines.append(row)
        elif row[3:4] != mark or row[:3] not in _BATCH_NAMES:
            _refuse_message(row.lstrip(_BLANK), mark)
            pieces.append(row)
    has_stray |= _give_back(pieces, lines)
    return lines[1:], has_stray


def _unindented(row: str, known: Collection[str]) -> str:
    """Take the blanks off a segment that some sender indented: it is no text of the one before."""
    bare = row.lstrip(_BLANK)
    return bare if bare[:4] in known else row


@lru_cache(maxsize=8)
def _known_starts(mark: str) -> frozenset[str]:
    return frozenset(f"{name}{mark}" for name in _COMMON_NAMES)


def _is_plain(start: str, mark: str) -> bool:
    """Say whether a row with this start is a segment like any other."""
    is_named = start[3:] == mark and _NAME.match(start) is not None
    return is_named and start[:3] not in _SPECIAL_NAMES


def _is_kept(row: str) -> bool:
    """Say whether a segment with a less common name is part of the message."""
    name = row[:3]
    if name in _FRAGMENT_NAMES and row[4:].strip(_BLANK):
        raise UnreadableContentError("fragment_of_message", name)
    return name != "MSH" and name not in _BATCH_NAMES


def _refuse_message(row: str, mark: str) -> None:
    """Refuse a second MSH, whatever its separators: two patients are never read as one."""
    if row.startswith("MSH") and row[3:4]:
        encoding = row.split(row[3], 2)[1]
        if row[3] == mark or parse_separators(row[3], encoding) is not None:
            raise UnreadableContentError("several_messages_in_frame", "MSH[2]")


def _give_back(pieces: list[str], lines: list[str]) -> bool:
    """Put the rows that are no segment back to the last one, less the blank ones at their end."""
    count = len(pieces)
    while count and not pieces[count - 1].strip(_BLANK):
        count -= 1
    if count:
        blank_or_row = (row if row.strip(_BLANK) else "" for row in pieces[:count])
        lines[-1] = "\n".join([lines[-1], *blank_or_row])
    pieces.clear()
    return count > 0
