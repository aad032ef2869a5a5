"""What the journal knows of the daemon itself: paused or not, and which server its drafts are for.

What a journal has to post or to retract belongs to one FHIR server. Served towards another by
mistake, it would be done there: so a change of target is refused while work is under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.audit import Change
from daemon.errors import ConfigurationError
from daemon.lifecycle import State

if TYPE_CHECKING:
    import sqlite3

    from daemon.journal_transaction import Transaction

TARGET = "target:"


def set_paused(transaction: Transaction, *, is_paused: bool, actor: str) -> None:
    """Stop or start posting."""
    transaction.execute("INSERT OR REPLACE INTO flag VALUES ('paused', ?)", (is_paused,))
    transaction.audit(Change("pause" if is_paused else "resume", actor=actor))


def is_paused(connection: sqlite3.Connection) -> bool:
    """Return whether posting is stopped."""
    row = connection.execute("SELECT is_set FROM flag WHERE name = 'paused'").fetchone()
    return bool(row and row[0])


def bind_target(transaction: Transaction, target: str) -> None:
    """Remember the server that drafts are for.

    Raises:
        ConfigurationError: Reports drafted for another one are not posted yet.
    """
    bound = transaction.find("SELECT name FROM flag WHERE name LIKE ?", (f"{TARGET}%",))
    if bound == (TARGET + target,):
        return
    under_way = transaction.find(
        "SELECT 1 FROM report WHERE state IN (?, ?, ?)",
        (State.MAPPED.value, State.DRAFTED.value, State.RETRACTING.value),
    )
    if bound is not None and under_way is not None:
        raise ConfigurationError(
            "this journal holds unposted reports for another FHIR server", "fhir.base_url"
        )
    transaction.execute("DELETE FROM flag WHERE name LIKE ?", (f"{TARGET}%",))
    transaction.execute("INSERT INTO flag VALUES (?, 1)", (TARGET + target,))


def probe(transaction: Transaction) -> None:
    """Write something that changes nothing, to learn whether the disk takes writes."""
    transaction.execute("INSERT OR REPLACE INTO flag VALUES ('probed', 1)")
