"""FHIR resources that arrive, and what makes one known: its identifiers, and conditions on it.

Rule: a conditional create is asked and answered in the transaction that stores, so that two at once
store one. Identifiers are kept as digests: they may name a patient's order.

Standard: FHIR RESTful API, conditional create (If-None-Exist).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from daemon import journal_messages
from daemon.journal import Received
from mappings.domain import MessageId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.journal_transaction import Transaction
    from mappings.domain import RawReport

    Pairs = Sequence[tuple[str, str]]

IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True)
class ResourceIdentity:
    """What a message of resources is known by later, and the conditions on taking it.

    ``tokens`` are what it is known by. With ``unless`` it is taken only when one of these is not
    known yet.
    """

    tokens: frozenset[str]
    unless: tuple[str, ...] = ()


class ReceivedResource(NamedTuple):
    """``is_condition_met``: nothing was stored, because all of its ``unless`` is known."""

    received: Received
    is_condition_met: bool = False


def identify(identifiers: Sequence[str], conditions: Sequence[Pairs]) -> ResourceIdentity:
    """Say what a message is known by.

    Args:
        identifiers: Of its reports, as ``system|value``.
        conditions: If-None-Exist of each report that has one. By an identifier alone, any report
            that has it is found; by anything else, one that came under the same words.

    Returns:
        Tokens that tell nothing.
    """
    values = [identifier.partition("|")[2] for identifier in identifiers]
    known = [_token(((IDENTIFIER, text),)) for text in (*identifiers, *values)]
    unless = tuple(map(_token, conditions))
    return ResourceIdentity(frozenset({*known, *unless}), unless)


def receive_resource(
    transaction: Transaction, raw: RawReport, peer: str, identity: ResourceIdentity
) -> ReceivedResource:
    """Store a message, or find it, or what its conditions name, there already."""
    there = [_find(transaction, token) for token in identity.unless]
    if there and there[0] is not None and None not in there:
        first = Received(MessageId(there[0]), is_duplicate=True, is_control_id_reused=False)
        return ReceivedResource(first, is_condition_met=True)
    received = journal_messages.receive(transaction, raw, peer)
    for token in sorted(identity.tokens):
        transaction.execute(
            "INSERT OR IGNORE INTO resource_identity VALUES (?, ?)", (token, received.message_id)
        )
    return ReceivedResource(received)


def _find(transaction: Transaction, token: str) -> str | None:
    row = transaction.find(
        "SELECT message_id FROM resource_identity WHERE token = ? LIMIT 1", (token,)
    )
    return row[0] if row else None


def _token(condition: Pairs) -> str:
    return hashlib.sha256(urlencode(sorted(condition)).encode()).hexdigest()
