"""The audit chain: what one entry says, how it is hashed, and how a chain is checked.

An entry never holds patient data: ids of ours, states, reasons, digests, sizes, doors, peers, and
references that the FHIR server gave. ``entry_hash`` = sha256(ASCII of ``previous_hash`` ||
canonical JSON of the other fields): keys sorted, no blanks, UTF-8. The first follows ``GENESIS``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from daemon.journal import AuditEntry, ChainVerdict
from daemon.journal_codec import storable, time_of, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from daemon.lifecycle import State

    Detail = Mapping[str, str | int | None]

GENESIS = "0" * 64
"""The hash before the first entry."""
SELF = "prelim"
"""The actor when no person asked."""
COLUMNS = tuple(each.name for each in fields(AuditEntry))
"""The stored columns, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain."""

    sequence: int = 0
    entry_hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Change:
    """What an entry is about, before it has its place in the chain."""

    event: str
    message_id: str | None = None
    report_id: str | None = None
    from_state: State | None = None
    to_state: State | None = None
    detail: Detail = field(default_factory=dict)
    actor: str = SELF


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_quote = json.encoder.encode_basestring


def canonical_json(value: object) -> str:
    """Return JSON with sorted keys and no blanks: the one text of this value."""
    return _CANONICAL.encode(value)


def link_entry(head: Head, at: datetime, change: Change) -> tuple[Any, ...]:
    """Return the entry that follows ``head``, as stored: in the order of ``COLUMNS``."""
    place, moment, actor = head.sequence + 1, time_text(at), storable(change.actor)
    detail = ",".join(
        [f"{_text(key)}:{_text(change.detail[key])}" for key in sorted(change.detail)]
    )
    # As canonical_json writes it, which is asked by verify_entries; here it would cost as much
    # again as all the rest of an entry.
    text = (
        f'{{"actor":{_text(actor)},"at":"{moment}","detail":{{{detail}}},'
        f'"event":{_text(change.event)},"from_state":{_text(change.from_state)},'
        f'"message_id":{_text(change.message_id)},"report_id":{_text(change.report_id)},'
        f'"sequence":{place},"to_state":{_text(change.to_state)}}}'
    )
    return (
        *(place, moment, actor, change.message_id, change.report_id, change.event),
        *(change.from_state, change.to_state, f"{{{detail}}}", head.entry_hash),
        _sha256(head.entry_hash, text),
    )


def _text(value: str | int | None) -> str:
    if isinstance(value, str):
        return _quote(storable(value))
    if value is None:
        return "null"
    return canonical_json(value) if isinstance(value, bool) else str(value)


def decode_entry(row: Sequence[Any]) -> AuditEntry:
    """Read what ``link_entry`` wrote.

    Raises:
        ValueError: ``at`` is no time or ``detail`` is no JSON (TypeError when not even text).
    """
    values = dict(zip(COLUMNS, row, strict=True))
    values |= {"at": time_of(values["at"]), "detail": json.loads(values["detail"])}
    return AuditEntry(**values)


def verify_entries(rows: Iterable[Sequence[Any]], *, head: str | None = None) -> ChainVerdict:
    """Walk a chain from its start.

    Args:
        rows: Stored entries, ascending, all of them.
        head: An earlier head that must be in the chain, or None.

    Returns:
        ``changed`` or ``gap`` at the first entry that does not follow the one before it;
        ``head_missing`` when the chain is whole but was cut or rewritten since ``head``.
    """
    last = Head()
    is_head_seen = head in {None, GENESIS}
    for row in rows:
        reason = _fault(row, last)
        if reason is not None:
            broken = last.sequence + 1
            return ChainVerdict(
                is_whole=False,
                entries=last.sequence,
                head=last.entry_hash,
                first_broken=broken,
                reason=reason,
            )
        last = Head(row[0], row[-1])
        is_head_seen = is_head_seen or head == last.entry_hash
    reason = None if is_head_seen else "head_missing"
    return ChainVerdict(is_head_seen, last.sequence, last.entry_hash, reason=reason)


def _fault(row: Sequence[Any], last: Head) -> str | None:
    *stored, previous_hash, entry_hash = row
    body = dict(zip(COLUMNS, stored, strict=False))
    try:
        body["detail"] = json.loads(body["detail"])
        is_same = (
            canonical_json(body["detail"]) == stored[-1]
            and _hash(previous_hash, body) == entry_hash
        )
    except (TypeError, ValueError):
        is_same = False
    if is_same and body["sequence"] != last.sequence + 1:
        return "gap"
    return None if is_same and previous_hash == last.entry_hash else "changed"


def _hash(previous_hash: str, body: Mapping[str, object]) -> str:
    return _sha256(previous_hash, canonical_json(body))


def _sha256(previous_hash: str, text: str) -> str:
    return sha256((previous_hash + text).encode()).hexdigest()
