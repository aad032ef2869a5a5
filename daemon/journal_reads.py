"""Every question to the journal, on connections that cannot write.

Rule: a read runs in a thread of its own and inside one snapshot, so it waits for no write and sees
no half of one.
"""
# ruff: noqa: S608 - only constants of this file are put into a query; every value is bound

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from daemon.audit import COLUMNS, decode_entry, verify_entries
from daemon.errors import JournalUnavailableError, UnknownIdError
from daemon.journal import ChainVerdict, PendingMessage, PendingReport, ReportTrail, Row, Trail
from daemon.journal_codec import (
    decode_companions,
    decode_engine,
    decode_study,
    time_of,
    time_text,
)
from daemon.journal_outbox import trails_of
from daemon.journal_schema import connect_reader
from daemon.lifecycle import State
from mappings.domain import (
    Draft,
    DraftObservation,
    FinishReason,
    MessageId,
    RawReport,
    ReportId,
    ReportKey,
    Standard,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from daemon.journal import AuditEntry

T = TypeVar("T")
Connection = sqlite3.Connection

READERS_MAX = 4
RAW = """message.id, standard, door, sender, message_control_id, message_type, received_at, digest,
    coalesce(payload.bytes, x''),
    coalesce((SELECT min(place) FROM origin WHERE message_id = message.id), '')"""
ROW = """message.id, report.id, coalesce(report.state, message.state),
    CASE WHEN report.id IS NULL THEN message.reason ELSE report.reason END,
    received_at, sender, message_type, message_control_id, accession_number,
    coalesce(report.attempts, message.attempts), not_before"""
DRAFT = "text, finish, prompt_tokens, output_tokens, engine"
OBSERVATION = """report_key, observation_id, identifier_system, identifier_value, observation,
    provenance_id, provenance, companions"""
IS_RETRACTING = """EXISTS (SELECT 1 FROM report AS other
    WHERE other.report_key = report.report_key AND other.state = 'RETRACTING')"""
ENTRY = ", ".join(COLUMNS)
# Tables and order, so that each list walks an index from its newest end.
NEWEST_REPORTS = ("report JOIN message ON message.id = message_id", "report.arrival DESC")
NEWEST_MESSAGES = (
    "message LEFT JOIN report ON message_id = message.id",
    "message.arrival DESC, report.arrival DESC",
)


class JournalReader:
    """A small pool of threads, each with its read-only connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._connections: list[Connection] = []
        self._pool = ThreadPoolExecutor(READERS_MAX, "journal-reader")
        self._is_closed = False

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Answer ``question`` out of one snapshot.

        Raises:
            JournalUnavailableError: The file or a row of it cannot be read.
            PrelimError: The question's own.
        """
        if self._is_closed:
            raise JournalUnavailableError("journal_closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    def _answer(self, question: Callable[[Connection], T]) -> T:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise JournalUnavailableError("journal_read_failed", name) from None
        except (KeyError, TypeError, ValueError) as error:
            name = type(error).__name__
            raise JournalUnavailableError("journal_row_unreadable", name) from None

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = connect_reader(self._path)
            self._connections.append(connection)
        return connection

    async def close(self) -> None:
        """Let running reads end, then release the file."""
        self._is_closed = True
        await asyncio.to_thread(self._pool.shutdown)
        while self._connections:
            self._connections.pop().close()


def pending_messages(connection: Connection, limit: int) -> list[PendingMessage]:
    """Messages to map, oldest first."""
    rows = connection.execute(
        f"""SELECT {RAW}, attempts FROM message JOIN payload USING (arrival)
            WHERE state = 'RECEIVED' AND is_mapped = 0 ORDER BY message.arrival LIMIT ?""",
        (limit,),
    )
    return [PendingMessage(MessageId(row[0]), _raw(row), row[-1]) for row in rows]


def pending_reports(
    connection: Connection,
    state: State,
    now: datetime,
    limit: int,
    but_not: Collection[ReportId],
) -> list[PendingReport]:
    """Reports whose next step is due, oldest first; no post before a retraction of its key."""
    rows = connection.execute(
        f"""SELECT id, message_id, attempts, study, retracted_for, {OBSERVATION}
            FROM report LEFT JOIN draft ON report_id = id
            WHERE state = ? AND (not_before IS NULL OR not_before <= ?)
                AND id NOT IN (SELECT value FROM json_each(?))
                {"AND NOT " + IS_RETRACTING if state is State.DRAFTED else ""}
            ORDER BY arrival LIMIT ?""",
        (state, time_text(now), json.dumps(list(but_not)), limit),
    )
    return [
        PendingReport(
            report_id=ReportId(report_id),
            message_id=MessageId(message_id),
            report_key=kept[0],
            state=state,
            attempts=attempts,
            study=decode_study(study),
            observation=_observation(kept),
            retracted_for=retracted_for,
        )
        for report_id, message_id, attempts, study, retracted_for, *kept in rows
    ]


def state_of(connection: Connection, report_id: str) -> State | None:
    """Return a report's state; None for no report."""
    row = connection.execute("SELECT state FROM report WHERE id = ?", (report_id,)).fetchone()
    return State(row[0]) if row else None


def counts(connection: Connection) -> dict[State, int]:
    """Count messages to map, rejected messages, and reports by state; every state is there."""
    found = dict.fromkeys(State, 0)
    for state, count in connection.execute(
        """SELECT state, count(*) FROM message WHERE is_mapped = 0 GROUP BY state
            UNION ALL SELECT state, count(*) FROM report GROUP BY state"""
    ):
        found[State(state)] = count
    return found


def rows(
    connection: Connection,
    state: State | None,
    accession_number: str | None,
    since: datetime | None,
    limit: int,
) -> list[Row]:
    """List the newest reports, and messages without one."""
    is_of_messages = state in {State.RECEIVED, State.REJECTED}
    is_of_reports = accession_number is not None or (state is not None and not is_of_messages)
    conditions = {
        "accession_number = :accession": accession_number is not None,
        "report.state = :state": state is not None and not is_of_messages,
        "message.state = :state AND is_mapped = 0": is_of_messages,
        "received_at >= :since": since is not None,
    }
    where = " AND ".join(each for each, is_asked in conditions.items() if is_asked) or "1"
    newest = NEWEST_REPORTS if is_of_reports else NEWEST_MESSAGES
    found = connection.execute(
        f"SELECT {ROW} FROM {newest[0]} WHERE {where} ORDER BY {newest[1]} LIMIT :limit",
        {
            "state": state,
            "accession": accession_number,
            "since": since and time_text(since),
            "limit": limit,
        },
    )
    return [_row(row) for row in found]


def trail(connection: Connection, id_: str) -> Trail:
    """Return everything about a message, by its id or one of its reports'.

    Raises:
        UnknownIdError: No such message or report.
    """
    found = connection.execute(
        f"""SELECT {RAW}, state, reason, attempts
            FROM message LEFT JOIN payload USING (arrival)
            WHERE message.id = coalesce((SELECT message_id FROM report WHERE id = :id), :id)""",
        {"id": id_},
    ).fetchone()
    if found is None:
        raise UnknownIdError("unknown_id")
    *stored, state, reason, attempts = found
    raw = _raw(stored)
    row = Row(
        message_id=MessageId(stored[0]),
        report_id=None,
        state=State(state),
        reason=reason,
        received_at=raw.received_at,
        sender=raw.sender,
        message_type=raw.message_type,
        message_control_id=raw.message_control_id,
        accession_number=None,
        attempts=attempts,
        not_before=None,
    )
    reports = _report_trails(connection, row.message_id)
    entries_ = _entries_of(connection, row.message_id)
    return Trail(row, raw, reports, entries_, trails_of(connection, row.message_id))


def _report_trails(connection: Connection, message_id: str) -> list[ReportTrail]:
    found = connection.execute(
        f"""SELECT {ROW}, study, reference, retracted_for, {DRAFT}, {OBSERVATION}
            FROM report JOIN message ON message.id = message_id
                LEFT JOIN draft ON report_id = report.id
            WHERE message_id = ? ORDER BY report.arrival""",
        (message_id,),
    )
    return [
        ReportTrail(
            row=_row(row),
            study=decode_study(row[11]),
            reference=row[12],
            retracted_for=row[13],
            draft=_draft(row[14:19]),
            observation=_observation(row[19:]),
        )
        for row in found
    ]


def _entries_of(connection: Connection, message_id: str) -> list[AuditEntry]:
    found = connection.execute(
        f"SELECT {ENTRY} FROM audit WHERE message_id = ? ORDER BY sequence", (message_id,)
    )
    return [decode_entry(row) for row in found]


def entries(connection: Connection, after: int, limit: int) -> list[AuditEntry]:
    """List the chain's entries with a sequence above ``after``, in order."""
    found = connection.execute(
        f"SELECT {ENTRY} FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
    )
    return [decode_entry(row) for row in found]


def verify_chain(connection: Connection, head: str | None) -> ChainVerdict:
    """Walk the whole chain, then compare each state with the last one audited."""
    walk = connection.execute(f"SELECT {ENTRY} FROM audit ORDER BY sequence")
    verdict = verify_entries(walk, head=head)
    if not verdict.is_whole:
        return verdict
    mismatch = connection.execute(STATE_MISMATCH).fetchone()
    if mismatch is None:
        return verdict
    return replace(verdict, is_whole=False, first_broken=mismatch[0], reason="state_mismatch")


# Each message and report must stand twice: with its last audited state, and with that of its table.
STATE_MISMATCH = """
SELECT max(sequence) FROM (
    SELECT coalesce(report_id, message_id) AS id, max(sequence) AS sequence, to_state AS state
        FROM audit WHERE to_state IS NOT NULL GROUP BY 1
    UNION ALL SELECT id, NULL, state FROM message
    UNION ALL SELECT id, NULL, state FROM report
) GROUP BY id HAVING count(*) <> 2 OR min(state) <> max(state)
ORDER BY 1 LIMIT 1
"""


def _raw(row: Sequence[Any]) -> RawReport:
    return RawReport(
        standard=Standard(row[1]),
        door=row[2],
        sender=row[3],
        message_control_id=row[4],
        message_type=row[5],
        received_at=time_of(row[6]),
        digest=row[7],
        payload=row[8],
        origin=row[9],
    )


def _row(row: Sequence[Any]) -> Row:
    return Row(
        message_id=MessageId(row[0]),
        report_id=row[1],
        state=State(row[2]),
        reason=row[3],
        received_at=time_of(row[4]),
        sender=row[5],
        message_type=row[6],
        message_control_id=row[7],
        accession_number=row[8],
        attempts=row[9],
        not_before=row[10] and time_of(row[10]),
    )


def _draft(row: Sequence[Any]) -> Draft | None:
    if row[0] is None:
        return None
    return Draft(row[0], FinishReason(row[1]), row[2], row[3], decode_engine(row[4]))


def _observation(row: Sequence[Any]) -> DraftObservation | None:
    if row[4] is None:
        return None
    kept = (*row[1:7], decode_companions(row[7]))
    return DraftObservation(ReportKey(row[0]), *kept)
