"""What is sent to a topic, as one piece of bytes that the outbox can keep: key, headers, value.

Rule: nothing in a key or a header is of a patient: they are shown by tools that show no values. The
bytes are one line of JSON for key and headers, and after it the value as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Envelope:
    """A record to send. ``key`` orders it among others of its key."""

    key: str
    headers: Mapping[str, str]
    value: bytes = field(repr=False)


def render_envelope(envelope: Envelope) -> bytes:
    """Return the bytes to keep; the same for the same record."""
    head = {"key": envelope.key, "headers": dict(envelope.headers)}
    text = json.dumps(head, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n" + envelope.value


def parse_envelope(payload: bytes) -> Envelope:
    """Return the record that ``render_envelope`` made bytes of."""
    head, _, value = payload.partition(b"\n")
    read = json.loads(head)
    return Envelope(read["key"], read["headers"], value)
