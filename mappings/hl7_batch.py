"""Files and envelopes with several messages: cut before every MSH, envelopes taken off.

Standard: HL7 v2 batch protocol (FHS, BHS ... BTS, FTS); each MSH keeps its own separators.
"""

from __future__ import annotations

import re

_MSH = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c\x00\xbf]))MSH(?=[^A-Za-z0-9\s])")
_ENVELOPE = re.compile(rb"(?:\A|(?<=[\r\n]))(?:FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9\s])[^\r\n]*[\r\n]*")
_FRAME = b"\x0b\x1c"


def split_messages(data: bytes) -> list[bytes]:
    """Cut a file into its messages.

    Args:
        data: One or many messages, with or without batch envelopes or MLLP frames.

    Returns:
        The messages in order; the whole data as one when no MSH is in it.
    """
    starts = [match.start() for match in _MSH.finditer(data)]
    if not starts:
        return [data]
    chunks = [
        data[start:stop] for start, stop in zip(starts, [*starts[1:], len(data)], strict=True)
    ]
    return [_ENVELOPE.sub(b"", chunk.translate(None, _FRAME)).rstrip(b"\n\x00") for chunk in chunks]
