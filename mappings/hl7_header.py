"""MSH alone, from raw bytes: all that the first answer to a sender may depend on.

Nothing past MSH is split or decoded here: the answer must not wait for a full read. The control id
stays bytes, because MSA-2 repeats MSH-10 byte for byte.

Standard: HL7 v2 control chapter, MSH; codes of table 0357.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from mappings.charset import refusal_reason
from mappings.errors import MessageRefusedError
from mappings.hl7_feed import ACK_CODES, REPORT_EVENTS, Feed, feed_of
from mappings.hl7_separators import Separators, parse_separators
from mappings.msh_fields import split_fields
from mappings.tables import read_table

CONTROL_ID_BYTES_MAX = 250
HEAD_BYTES = 4096
_LEADING = b"\xef\xbb\xbf\x00\x0b\r\n\t "
_FIRST_MSH = re.compile(rb"[\r\n]MSH(?=[^A-Za-z0-9\s])")
_SEGMENT_END = re.compile(rb"[\r\n]")
_UTF16 = re.compile(rb"\A(?:\xff\xfe|\xfe\xff|M\x00S\x00|\x00M\x00S)")
_LETTERS = re.compile(rb"[A-Z]+")
_UNFRAMEABLE = re.compile(rb"[\x0b\x1c]")
_SEQUENCE_ERROR, _FIELD_MISSING, _DATA_TYPE, _VALUE_UNKNOWN = 100, 101, 102, 103
_TYPE_UNKNOWN, _EVENT_UNKNOWN, _PROCESSING_ID_UNKNOWN, _VERSION_UNKNOWN = 200, 201, 202, 203

RESULT_EVENTS = frozenset({"R03", "R30", "R31", "R32", "R33", "R40", "R41", "R42", "W01"})
_ORU_EVENTS = REPORT_EVENTS | RESULT_EVENTS
VERSIONS = (
    *("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6"),
    *("2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"),
)
"""Table 0104, without the versions that were never in use and those not looked at."""
IGNORED_CODES = frozenset(row["code"] for row in read_table("ignored_messages"))


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as sent. ``fields[n - 1]`` is MSH-n; ``start`` is where MSH begins in the payload.

    ``is_batch`` says that another MSH follows: the frame holds several messages. ``feed`` is what
    all messages of its feed say.
    """

    separators: Separators
    fields: tuple[bytes, ...] = field(repr=False)
    feed: Feed
    start: int
    is_batch: bool

    def raw(self, number: int) -> bytes:
        """Return MSH-``number`` as sent; empty when absent."""
        return self.fields[number - 1] if number <= len(self.fields) else b""

    @property
    def message_time(self) -> str:
        """MSH-7."""
        separators = self.separators
        text = self.raw(7).decode("latin-1").split(separators.repetition, 1)[0]
        return text.split(separators.component, 1)[0].strip()

    @property
    def control_id_bytes(self) -> bytes:
        """MSH-10 as sent."""
        return self.raw(10)

    @property
    def control_id(self) -> str:
        """MSH-10 as text, one character a byte."""
        return self.raw(10).decode("latin-1")

    @property
    def sending_application(self) -> str | None:
        """MSH-3: namespace, else universal id."""
        return self.feed.sending_application

    @property
    def sending_facility(self) -> str | None:
        """MSH-4: namespace, else universal id."""
        return self.feed.sending_facility

    @property
    def message_code(self) -> str:
        """MSH-9.1, such as ``ORU``."""
        return self.feed.message_code

    @property
    def trigger_event(self) -> str:
        """MSH-9.2, such as ``R01``."""
        return self.feed.trigger_event

    @property
    def message_type(self) -> str:
        """Code and trigger as ``ORU^R01``, whatever the sender's separators."""
        return self.feed.message_type

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.feed.version

    @property
    def charsets(self) -> tuple[str, ...]:
        """MSH-18: what the message is written in, and then what it switches to."""
        return self.feed.charsets

    @property
    def is_ack(self) -> bool:
        """An acknowledgment is never acknowledged."""
        return self.feed.is_ack

    @property
    def is_report(self) -> bool:
        """An ORU^R01: the one message that is read for a report."""
        return self.feed.is_report


@dataclass(frozen=True, slots=True)
class HeaderPolicy:
    """What a listener takes. ``ignored_codes`` are acknowledged and left alone."""

    processing_ids: frozenset[str] = frozenset({"P", "T", "D"})
    ignored_codes: frozenset[str] = IGNORED_CODES
    versions: frozenset[str] = frozenset(VERSIONS)


DEFAULT_POLICY = HeaderPolicy()


def peek_header(payload: bytes) -> Header:
    """Read MSH and nothing else.

    Args:
        payload: A message without framing bytes; a batch envelope, a byte order mark, NULs and
            line ends before MSH are passed over.

    Returns:
        The header, unjudged: any field of it may be empty.

    Raises:
        MessageRefusedError: There is no MSH, or its separators cannot be separators.
    """
    start = _find_msh(payload)
    if start is None:
        if _UTF16.match(payload):
            raise MessageRefusedError("charset_not_framable", "MSH-18", "AR", _VALUE_UNKNOWN)
        raise MessageRefusedError("not_hl7", "MSH", "AE", _SEQUENCE_ERROR)
    end = _SEGMENT_END.search(payload, start)
    stop = len(payload) if end is None else end.start()
    fields = split_fields(payload[start:stop], payload[start + 3 : start + 4])
    separators = parse_separators(chr(payload[start + 3]), fields[1].decode("latin-1"))
    if separators is None:
        raise MessageRefusedError("bad_separators", "MSH-2", "AE", _SEQUENCE_ERROR)
    # MSH-1 is the separator itself: put in as a field, it makes fields[n - 1] be MSH-n.
    fields[0] = payload[start + 3 : start + 4]
    next_start = b"MSH" + fields[0]
    # From the end: C looks for a short text twice as fast there.
    is_batch = payload.rfind(b"\r" + next_start, stop) >= 0 or (
        b"\n" in payload and payload.rfind(b"\n" + next_start, stop) >= 0
    )
    feed = feed_of(separators, fields, stop - start)
    return Header(separators, tuple(fields), feed, start, is_batch)


def judge_header(header: Header, policy: HeaderPolicy = DEFAULT_POLICY) -> None:
    """Refuse what can be refused by MSH. Never call it for ``header.is_ack``.

    Raises:
        MessageRefusedError: AE when MSH-10 is empty or cannot be repeated, or the frame holds
            several messages; AR when type, event, processing id, version or character set is not
            supported.
    """
    if not header.control_id_bytes.strip():
        raise MessageRefusedError("control_id_missing", "MSH-10", "AE", _FIELD_MISSING)
    if _UNFRAMEABLE.search(header.control_id_bytes):
        raise MessageRefusedError("control_id_unframeable", "MSH-10", "AE", _DATA_TYPE)
    if header.is_batch:
        raise MessageRefusedError("several_messages_in_frame", "MSH", "AE", _SEQUENCE_ERROR)
    _judge_type(header, policy)
    if header.feed.processing_id not in policy.processing_ids:
        raise MessageRefusedError(
            "unsupported_processing_id", "MSH-11", "AR", _PROCESSING_ID_UNKNOWN
        )
    if header.version not in policy.versions:
        raise MessageRefusedError("unsupported_version", "MSH-12", "AR", _VERSION_UNKNOWN)
    if header.raw(14).strip():
        raise MessageRefusedError("fragment_of_message", "MSH-14", "AR", _SEQUENCE_ERROR)
    refused = header.charsets[0] and refusal_reason(header.charsets[0])
    if refused:
        raise MessageRefusedError(refused, "MSH-18", "AR", _VALUE_UNKNOWN)


def peek_head(head: bytes) -> Header | None:
    """Read MSH from the first bytes of a frame that could not be taken.

    Args:
        head: At most a few KiB; may end anywhere.

    Returns:
        The header, or None when there is none or the head does not hold the whole of it.
    """
    try:
        header = peek_header(head)
    except MessageRefusedError:
        return None
    return header if _SEGMENT_END.search(head, header.start) else None


def best_effort_control_id(head: bytes) -> bytes:
    """Find MSH-10 in the first bytes of something that cannot be read.

    Args:
        head: At most a few KiB; may end anywhere.

    Returns:
        MSH-10 only when the head holds the whole field and it can stand in an answer; else empty.
    """
    start = head.find(b"MSH")
    if start < 0:
        return b""
    end = _SEGMENT_END.search(head, start)
    fields = head[start : None if end is None else end.start()].split(
        head[start + 3 : start + 4] or b"|"
    )
    is_whole = len(fields) > 10 or (len(fields) == 10 and end is not None)  # noqa: PLR2004 - MSH-10
    control_id = fields[9] if is_whole else b""
    if len(control_id) > CONTROL_ID_BYTES_MAX or any(byte < 0x20 for byte in control_id):  # noqa: PLR2004 - control characters
        return b""
    return control_id


def best_effort_is_ack(head: bytes) -> bool:
    """Tell whether something that cannot be read says in MSH-9 that it is an acknowledgment."""
    text = head[:HEAD_BYTES].lstrip(_LEADING)
    fields = text.split(text[3:4] or b"|")
    if fields[0] != b"MSH" or len(fields) < 9:  # noqa: PLR2004 - MSH-9
        return False
    code = _LETTERS.match(fields[8])
    return code is not None and code[0].decode("ascii") in ACK_CODES


def message_digest(payload: bytes, header: Header) -> str:
    """Return sha256 hex of the payload without MSH-7, so that a re-send is still the same."""
    separator = header.fields[0]
    before = header.start + 3 + len(separator.join(header.fields[1:6])) + 2
    digest = hashlib.sha256(payload[:before])
    digest.update(payload[before + len(header.raw(7)) :])
    return digest.hexdigest()


def _find_msh(payload: bytes) -> int | None:
    text = payload.lstrip(_LEADING)
    start = len(payload) - len(text)
    if text.startswith((b"FHS", b"BHS")):
        found = _FIRST_MSH.search(payload, start)
        return None if found is None else found.start() + 1
    mark = text[3:4]
    is_msh = text.startswith(b"MSH") and mark and not mark.isalnum() and not mark.isspace()
    return start if is_msh else None


def _judge_type(header: Header, policy: HeaderPolicy) -> None:
    code = header.message_code
    if code == "ORU":
        event = header.trigger_event
        if event not in _ORU_EVENTS and not event.startswith("Z"):
            raise MessageRefusedError("unsupported_event", "MSH-9", "AR", _EVENT_UNKNOWN)
    elif code not in policy.ignored_codes:
        raise MessageRefusedError("unsupported_message_type", "MSH-9", "AR", _TYPE_UNKNOWN)
