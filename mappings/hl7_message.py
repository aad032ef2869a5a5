"""The lazy reader of HL7 v2: nothing is split before it is asked for.

Decode first, split then (see charset.py). A line that does not begin with a segment name is the
rest of a field with a line end in it: it goes back to where it was cut, it is never dropped.

Standard: HL7 v2 control chapter, message construction rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.charset import decode_text
from mappings.errors import UnreadableContentError
from mappings.hl7_escape import unescape
from mappings.hl7_header import peek_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.hl7_header import Header
    from mappings.hl7_separators import Separators

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_BATCH_NAMES = frozenset({"BHS", "BTS", "FHS", "FTS"})
_FRAGMENT_NAMES = frozenset({"ADD", "DSC"})


@dataclass(slots=True)
class Segment:
    """One segment. ``fields[n]`` is field n as sent; not frozen only because that is slower."""

    fields: list[str] = field(repr=False)
    message: Message = field(repr=False)

    @property
    def name(self) -> str:
        """The three letters, such as ``OBX``."""
        return self.fields[0]

    def raw(self, number: int) -> str:
        """Return a field as sent; empty when absent."""
        return self.fields[number] if number < len(self.fields) else ""

    def text(self, number: int) -> str:
        """Return a whole field as text: repetitions become line breaks, escapes are read.

        For TX, FT and ST, in which ``^`` and ``&`` are letters like any other.
        """
        raw = self.raw(number)
        separators = self.message.separators
        if separators.repetition in raw:
            raw = raw.replace(separators.repetition, "\n")
        return unescape(raw, separators, self.message.codec)

    def repetitions(self, number: int) -> list[str]:
        """Return the repetitions of a field as sent; none when it is empty."""
        raw = self.raw(number)
        return raw.split(self.message.separators.repetition) if raw else []

    def components(self, number: int) -> list[str]:
        """Return the components of the first repetition, trimmed, escapes read."""
        raw = self.raw(number)
        return self.message.components(self.repetitions(number)[0]) if raw else []

    def component(self, number: int, component: int = 1) -> str:
        """Return one component of the first repetition; empty when absent."""
        parts = self.components(number)
        return parts[component - 1] if component <= len(parts) else ""


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message. ``codec`` is the Python codec that read it."""

    header: Header
    codec: str
    lines: tuple[str, ...] = field(repr=False)

    @property
    def separators(self) -> Separators:
        """The message's own."""
        return self.header.separators

    def segments(self) -> Iterator[Segment]:
        """Yield the segments after MSH, in order."""
        mark = self.header.separators.field
        for line in self.lines:
            yield Segment(line.split(mark), self)

    def components(self, repetition: str) -> list[str]:
        """Split one repetition of a field, trim the components and read their escapes."""
        separators = self.separators
        parts = repetition.split(separators.component)
        return [unescape(part, separators, self.codec).strip() for part in parts]


def read_message(payload: bytes) -> Message:
    """Decode a message and find its segments.

    Args:
        payload: Without framing bytes. Segments end in CR, LF or both.

    Returns:
        The message, its segments still unsplit.

    Raises:
        MessageRefusedError: There is no MSH.
        UnreadableContentError: The bytes are not what MSH-18 says; the message is a fragment, or
            several messages are in one frame.
    """
    header = peek_header(payload)
    if header.raw(14).strip():  # the door says no to it, but an operator may replay it
        raise UnreadableContentError("fragment_of_message", "MSH-14")
    text, codec = decode_text(payload[header.start :], header.charset)
    rows = text.replace("\r\n", "\r").replace("\n", "\r").split("\r")
    return Message(header, codec, tuple(_join_rows(rows, header.separators.field)[1:]))


def _join_rows(rows: list[str], mark: str) -> list[str]:
    """Put the rows together to segments; the first is MSH."""
    # Pieces are joined at the end: a document in lines of 76 characters has 150,000 of them.
    lines = [rows[:1]]
    blanks = 0
    for row in rows[1:]:
        if row[3:4] == mark and _NAME.match(row):
            name = row[:3]
            if name == "MSH":
                raise UnreadableContentError("several_messages_in_frame", "MSH[2]")
            if name in _FRAGMENT_NAMES and row[4:].strip():
                raise UnreadableContentError("fragment_of_message", name)
            if name not in _BATCH_NAMES:
                lines.append([row])
            blanks = 0
        elif not row.strip():
            blanks += 1
        else:
            lines[-1].append("\n" * blanks + row)
            blanks = 0
    return ["\n".join(pieces) for pieces in lines]
