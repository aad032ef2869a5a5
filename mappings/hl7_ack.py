"""The answer to a message: render ours, parse a peer's.

MSA-2 is MSH-10 byte for byte: engines match on it. The answer speaks with the sender's separators,
version and character set, ends in CR, and holds no value of the message but its control id.

Standard: HL7 v2 control chapter, MSA and ERR; table 0008 and table 0357.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from mappings.errors import MessageRefusedError, PrelimError, UnreadableContentError
from mappings.hl7_escape import escape
from mappings.hl7_header import peek_header
from mappings.hl7_separators import DEFAULT_SEPARATORS, Separators

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mappings.hl7_header import Header

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
"""MSA-1, table 0008. The C codes are the accept acknowledgments of enhanced mode."""

TEXT_MAX = 80
_CONDITIONS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    207: "Application internal error",
}
_SEQUENCE_ERROR, _DATA_TYPE_ERROR, _INTERNAL = 100, 102, 207
_OUT_OF_SEQUENCE = frozenset({"fragment_of_message", "several_messages_in_frame"})
_FRAMING = re.compile(rb"[\x0b\x1c]")
_UNKNOWN = (b"MSH", b"^~\\&", *[b""] * 6, b"ACK", b"", b"P", b"2.5")
"""MSH of the answer to what has none that can be read."""
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+))?")
_SEGMENT_END = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Ack:
    """A peer's answer to a message of ours; ``control_id`` is MSA-2 as sent."""

    code: AckCode
    control_id: bytes = field(repr=False)


def render_ack(
    header: Header | None,
    *,
    code: AckCode,
    control_id: bytes,
    ack_control_id: str,
    now: datetime,
    error: PrelimError | None = None,
) -> bytes:
    """Write the answer to a message.

    Args:
        header: The message's MSH, or None when it has none that can be read.
        code: MSA-1.
        control_id: MSA-2: MSH-10 as sent, may be empty; left out when MLLP could not carry it.
        ack_control_id: MSH-10 of the answer: ours, unique.
        now: Aware.
        error: Why the answer is no; makes ERR.

    Returns:
        MSH, MSA and, with an error, ERR; each segment ends in CR.
    """
    separators = DEFAULT_SEPARATORS if header is None else header.separators
    version = (2, 5) if header is None else header.feed.version_numbers
    own = ack_control_id if ack_control_id.isalnum() else escape(ack_control_id, separators)
    segments = [_render_msh(header, own.encode("ascii"), now)]
    echo = b"" if _FRAMING.search(control_id) else control_id
    msa = [b"MSA", code.encode("ascii"), echo]
    if error is not None:
        if version < (2, 7):  # MSA-3 is gone from v2.7 on
            msa.append(_text(error, separators))
        segments += [msa, _render_err(error, version, separators)]
    else:
        segments.append(msa)
    mark = separators.field.encode("ascii")
    return b"\r".join([*map(mark.join, segments), b""])


def parse_ack(payload: bytes) -> Ack:
    """Read a peer's answer.

    Raises:
        UnreadableContentError: No MSH, no MSA, or an MSA-1 that is not of table 0008.
    """
    try:
        header = peek_header(payload)
    except MessageRefusedError as error:
        raise UnreadableContentError(error.reason, error.where) from None
    mark = header.fields[0]
    rows = (row.split(mark) for row in _SEGMENT_END.split(payload[header.start :]))
    msa = [*next((row for row in rows if row[0][:3] == b"MSA"), []), b"", b"", b""]
    for known in get_args(AckCode):
        if msa[1].strip() == known.encode("ascii"):
            return Ack(known, msa[2])
    raise UnreadableContentError("no_ack_code", "MSA-1")


def _render_msh(header: Header | None, ack_control_id: bytes, now: datetime) -> list[bytes]:
    stamp = _stamp(now.replace(microsecond=0))
    fields = [*(_UNKNOWN if header is None else header.feed.answer_fields)]
    if header is not None and "+" in _characters(header.separators):
        stamp = stamp[:14]
    fields[6], fields[9] = stamp, ack_control_id
    return fields


@lru_cache(maxsize=4)
def _stamp(second: datetime) -> bytes:
    return second.strftime("%Y%m%d%H%M%S%z").encode("ascii")


def _render_err(
    error: PrelimError, version: tuple[int, ...], separators: Separators
) -> list[bytes]:
    condition = _condition(error)
    name = _CONDITIONS.get(condition, _CONDITIONS[_INTERNAL])
    coded = [str(condition), name, "HL70357"]
    place = _PLACE.match(error.where or "")
    segment, sequence, number = place.groups(default="") if place else ("", "", "")
    location = [segment, sequence or "1", number] if segment else []
    if version < (2, 5):
        padded = [*location, "", "", ""][:3]
        code = separators.subcomponent.join(escape(part, separators) for part in coded)
        written = separators.component.join([*(escape(part, separators) for part in padded), code])
        return [b"ERR", written.encode("ascii")]
    written = separators.component.join(location).rstrip(separators.component)
    fields = [written.encode("ascii"), _join(coded, separators), b"E", b"", b"", b""]
    return [b"ERR", b"", *fields, _text(error, separators)]


def _condition(error: PrelimError) -> int:
    """Code of table 0357: what is wrong with the message, or 207 for trouble of ours."""
    if isinstance(error, MessageRefusedError):
        return error.condition
    if isinstance(error, UnreadableContentError):
        return _SEQUENCE_ERROR if error.reason in _OUT_OF_SEQUENCE else _DATA_TYPE_ERROR
    return _INTERNAL


def _join(parts: Sequence[str], separators: Separators) -> bytes:
    return separators.component.join(escape(part, separators) for part in parts).encode("ascii")


def _text(error: PrelimError, separators: Separators) -> bytes:
    return escape(error.reason[:TEXT_MAX], separators).encode("ascii", "replace")


def _characters(separators: Separators) -> str:
    return separators.field + separators.component + separators.repetition + separators.subcomponent
