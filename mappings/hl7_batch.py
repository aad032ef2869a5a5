"""Files and frames with several messages: cut before every MSH, envelopes taken off.

Nothing but envelopes and framing bytes is dropped: what stands before the first message or after a
trailer is a piece of its own, to be refused. Each MSH, FHS and BHS has its own separators.

Standard: HL7 v2 control chapter, batch protocol (FHS, BHS ... BTS, FTS).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.errors import MessageRefusedError
from mappings.hl7_separators import parse_separators

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

# The letters come first, so that the search runs from letter to letter and not from byte to byte.
_NAME = re.compile(
    rb"[BFM][HST][HS](?=[^A-Za-z0-9\s])(?:(?<=[\r\n\x00\x0b\x1c\xbf\t ]...)|(?<=\A...))"
)
_HEADS = frozenset({b"MSH", b"FHS", b"BHS"})
_TRAILERS = frozenset({b"BTS", b"FTS"})
_LINE_END = re.compile(rb"[\r\n]")
_FIRST_END = re.compile(rb"\r\n|\r|\n")
_BEFORE_ROW = b"\r\n\x00\x0b\x1c"
_LEADING = b"\xef\xbb\xbf\x00\x0b\x1c\r\n\t "
_FRAMING = b"\x0b\x1c"
_BOM = b"\xef\xbb\xbf"
_SEQUENCE_ERROR = 100
_ROWS_PER_MESSAGE = 5
"""FHS, BHS, MSH, BTS and FTS: a batch of one message each."""
Envelope = tuple[bytes, ...]
"""BHS, else FHS: ``[n - 1]`` is field n as sent."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a file or frame, in order, and its envelope if it has one."""

    messages: tuple[bytes, ...] = field(repr=False)
    envelope: Envelope | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Row:
    """The first row of a message, or a row of an envelope; ``stop`` is its line end."""

    name: bytes
    mark: bytes
    start: int
    stop: int


def is_batch(payload: bytes) -> bool:
    """Tell cheaply whether ``split_batch`` may find more than the payload itself."""
    if payload.count(b"MSH") > 1:
        return True
    return payload[:64].lstrip(_LEADING).startswith((b"FHS", b"BHS"))


def split_messages(data: bytes) -> list[bytes]:
    """Cut a file into its messages; see ``split_batch``."""
    return list(split_batch(data).messages)


def split_batch(data: bytes, *, messages_max: int | None = None) -> Batch:
    """Cut a file or frame into its messages.

    Args:
        data: One or many messages, with or without batch envelopes or MLLP frames.
        messages_max: None for any number.

    Returns:
        The messages without envelopes; the whole data as one when nothing else is in it.

    Raises:
        MessageRefusedError: More messages than ``messages_max``; nothing of them is taken.
    """
    pieces: list[bytes] = []
    envelope: Envelope | None = None
    opened = 0
    rows_max = len(data) if messages_max is None else _ROWS_PER_MESSAGE * (messages_max + 1)
    for row in _rows(data, rows_max):
        pieces += _piece(data[opened : row.start])
        opened = row.start
        if row.name != b"MSH":
            opened = row.stop
            if row.name == b"BHS" or (row.name == b"FHS" and envelope is None):
                envelope = _fields(data, row)
        if messages_max is not None and len(pieces) > messages_max:
            raise _too_many(messages_max)
    pieces += _piece(data[opened:])
    if messages_max is not None and len(pieces) > messages_max:
        raise _too_many(messages_max)
    return Batch(tuple(pieces) or (data,), envelope)


def _too_many(messages_max: int) -> MessageRefusedError:
    where = f"MSH[{messages_max + 1}]"
    return MessageRefusedError("too_many_messages", where, "AE", _SEQUENCE_ERROR)


def render_batch(
    envelope: Envelope | None, answers: Sequence[bytes], *, control_id: str, now: datetime
) -> bytes:
    """Put the answers to a batch into one.

    Args:
        envelope: The batch's own; None for several messages without one.
        answers: The acknowledgments, each ending in CR; may be none.
        control_id: BHS-11: ours, unique.
        now: Aware.

    Returns:
        BHS with the sender's separators and its BHS-11 as BHS-12, the answers, and BTS.
    """
    sent = [*(envelope or (b"|", b"^~\\&")), *[b""] * 12]
    stamp = now.strftime("%Y%m%d%H%M%S").encode("ascii")
    mark = sent[0]
    parties = [sent[number - 1].translate(None, _FRAMING) for number in (5, 6, 3, 4)]
    reference = sent[10].translate(None, _FRAMING)
    ours = control_id.encode("ascii")
    head = [b"BHS", sent[1], *parties, stamp, b"", b"", b"", ours, reference]
    trailer = [b"BTS", str(len(answers)).encode("ascii")]
    return b"%b\r%b%b\r" % (mark.join(head), b"".join(answers), mark.join(trailer))


def _rows(data: bytes, rows_max: int) -> Iterator[_Row]:
    """Find the rows that begin a message or belong to an envelope.

    A word at the start of a line of text is not one: its separators would make no sense.

    Raises:
        MessageRefusedError: More than ``rows_max`` that might be one.
    """
    marks: set[bytes] = set()
    for count, match in enumerate(_NAME.finditer(data)):
        if count == rows_max:
            raise MessageRefusedError("too_many_envelopes", "BHS", "AE", _SEQUENCE_ERROR)
        start = _row_start(data, match.start())
        if start is None:
            continue
        name, mark = match[0], data[match.end() : match.end() + 1]
        is_known = mark in marks and name in _HEADS | _TRAILERS
        if is_known or (name in _HEADS and _is_head(data, match.end())):
            marks.add(mark)
            ended = _LINE_END.search(data, match.end())
            yield _Row(name, mark, start, len(data) if ended is None else ended.start())


def _row_start(data: bytes, position: int) -> int | None:
    """Return where a row begins with the byte order mark before it, or None inside a line."""
    if data[max(0, position - 3) : position] == _BOM:
        position -= 3
    lead = data[max(0, position - 1) : position]
    is_first = position < 64 and not data[:position].strip(_LEADING)  # noqa: PLR2004 - a few marks
    return position if is_first or lead in _BEFORE_ROW else None


def _is_head(data: bytes, position: int) -> bool:
    """Whether the separators of MSH, FHS or BHS stand at ``position``."""
    mark = data[position : position + 1]
    encoding = data[position + 1 : position + 8].split(mark)[0]
    encoding = _LINE_END.split(encoding)[0]
    return parse_separators(mark.decode("latin-1"), encoding.decode("latin-1")) is not None


def _piece(data: bytes) -> list[bytes]:
    """Return what stands between two rows, without blanks and framing; nothing if that is all."""
    text = data.lstrip(_LEADING)
    body = text.rstrip(_BEFORE_ROW)
    if not body.strip():
        return []
    ended = _FIRST_END.search(text, len(body))
    return [body + (ended[0] if ended else b"")]


def _fields(data: bytes, row: _Row) -> Envelope:
    parts = data[data.index(row.name, row.start) : row.stop].split(row.mark)
    return (row.mark, *parts[1:])
