"""Operations on a journal that another process can import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.audit import Change
from daemon.errors import UnknownIdError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.journal_transaction import Transaction


def note(transaction: Transaction, text: str = "note") -> int:
    """Append an entry and return its place."""
    transaction.audit(Change(text))
    return transaction.head.sequence


def refuse_all(transaction: Transaction) -> None:
    """Write something, then say no."""
    note(transaction)
    raise UnknownIdError("unknown_id")


def number_all(transaction: Transaction, items: Sequence[int]) -> list[tuple[int, int]]:
    """Say with how many others an item was handled; a negative one is refused."""
    if min(items) < 0:
        raise UnknownIdError("unknown_id")
    transaction.audit(*[Change("note")] * len(items))
    return [(item, len(items)) for item in items]
