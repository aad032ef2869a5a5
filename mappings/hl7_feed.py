"""What MSH says in every message of a feed: all of it but MSH-7 and MSH-10.

A feed's messages differ in MSH by time and control id alone, so that what is read of the rest is
read once and kept: the answer to a sender waits for it. MSH holds no patient data.

Standard: HL7 v2 control chapter, MSH.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from mappings.charset import decode_message
from mappings.errors import UnreadableContentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.hl7_separators import Separators

FEED_BYTES_MAX = 1024
"""A longer MSH is read each time: nobody's header may fill the memory."""
ACK_CODES = frozenset({"ACK", "MCF", "NAK", "NACK"})
REPORT_EVENTS = frozenset({"", "R01"})
_TIME, _CONTROL_ID = 7, 10
_UNFRAMEABLE = b"\x0b\x1c"


@dataclass(frozen=True, eq=False)
class Feed:
    """MSH as sent, ``fields[n - 1]`` being MSH-n; MSH-7 and MSH-10 are left empty.

    A text is one component of the first repetition, trimmed; empty when absent. What is not in
    the declared character set is read byte for byte.
    """

    separators: Separators
    fields: tuple[bytes, ...] = field(repr=False)

    def raw(self, number: int) -> bytes:
        """Return MSH-``number`` as sent; empty when absent."""
        return self.fields[number - 1] if number <= len(self.fields) else b""

    @cached_property
    def sending_application(self) -> str | None:
        """MSH-3: namespace, else universal id."""
        return self._organisation(3)

    @cached_property
    def sending_facility(self) -> str | None:
        """MSH-4: namespace, else universal id."""
        return self._organisation(4)

    @cached_property
    def message_code(self) -> str:
        """MSH-9.1, such as ``ORU``."""
        return self._component(9)

    @cached_property
    def trigger_event(self) -> str:
        """MSH-9.2, such as ``R01``."""
        return self._component(9, 2)

    @cached_property
    def message_type(self) -> str:
        """Code and trigger as ``ORU^R01``, whatever the sender's separators."""
        return "^".join(part for part in (self.message_code, self.trigger_event) if part)

    @cached_property
    def processing_id(self) -> str:
        """MSH-11.1: P, T or D."""
        return self._component(11)

    @cached_property
    def version(self) -> str:
        """MSH-12.1."""
        return self._component(12)

    @cached_property
    def version_numbers(self) -> tuple[int, ...]:
        """MSH-12.1 as numbers, at most three."""
        return tuple(int(part) for part in re.findall(r"[0-9]{1,3}", self.version))[:3]

    @cached_property
    def accept_ack(self) -> str:
        """MSH-15; valued means enhanced mode."""
        return self._component(15)

    @cached_property
    def application_ack(self) -> str:
        """MSH-16; valued means enhanced mode."""
        return self._component(16)

    @cached_property
    def charsets(self) -> tuple[str, ...]:
        """MSH-18: what the message is written in, and then what it switches to."""
        declared = self.raw(18).decode("latin-1")
        listed = declared.replace(self.separators.escape, self.separators.repetition)  # as in DICOM
        names = listed.split(self.separators.repetition)
        return tuple(name.strip() for name in names)

    @cached_property
    def is_ack(self) -> bool:
        """An acknowledgment is never acknowledged."""
        return self.message_code in ACK_CODES

    @cached_property
    def is_report(self) -> bool:
        """An ORU^R01: the one message that is read for a report."""
        return self.message_code == "ORU" and self.trigger_event in REPORT_EVENTS

    @cached_property
    def answer_fields(self) -> tuple[bytes, ...]:
        """MSH of an answer, without its time and control id: MSH-7 and MSH-10 are left empty."""
        fields = [b"MSH", self.raw(2), *(self._echo(number) for number in (5, 6, 3, 4)), b"", b""]
        fields += [self._answer_type, b"", self._echo(11), self._echo(12)]
        charset = self._echo(18)
        return (*fields, *[b""] * 5, charset) if charset else tuple(fields)

    @property
    def _answer_type(self) -> bytes:
        """MSH-9 of an answer: the trigger came with v2.3.1, the structure with v2.4."""
        trigger = self.trigger_event.encode("ascii", "ignore").translate(None, _UNFRAMEABLE)
        if self.version_numbers < (2, 3, 1) or not trigger:
            return b"ACK"
        is_short = self.version_numbers < (2, 4)
        parts = [b"ACK", trigger] if is_short else [b"ACK", trigger, b"ACK"]
        return self.separators.component.encode("ascii").join(parts)

    def _echo(self, number: int) -> bytes:
        """Return a field as sent, but for bytes that would end the frame of the answer."""
        return self.raw(number).translate(None, _UNFRAMEABLE)

    def _organisation(self, number: int) -> str | None:
        return self._component(number) or self._component(number, 2) or None

    def _component(self, number: int, component: int = 1) -> str:
        raw = self.raw(number)
        text = raw.decode("latin-1")
        if not raw.isascii() or b"\x1b" in raw:
            with suppress(UnreadableContentError):
                text = decode_message(raw, self.charsets, separators=self.separators).text
        parts = text.split(self.separators.repetition, 1)[0].split(self.separators.component)
        return parts[component - 1].strip() if component <= len(parts) else ""


def feed_of(separators: Separators, fields: Sequence[bytes], bytes_count: int) -> Feed:
    """Return the feed that an MSH is of; the same object for the same feed.

    Args:
        separators: As MSH-1 and MSH-2 say.
        fields: MSH, ``fields[n - 1]`` being MSH-n.
        bytes_count: Length of MSH.
    """
    known = [*fields]
    for number in (_TIME, _CONTROL_ID):
        if number <= len(known):
            known[number - 1] = b""
    if bytes_count > FEED_BYTES_MAX:
        return Feed(separators, tuple(known))
    return _known_feed(separators, tuple(known))


_known_feed = lru_cache(maxsize=1024)(Feed)
