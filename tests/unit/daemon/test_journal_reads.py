"""Questions to the journal: what is due, what is there, and whether it was tampered with."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from daemon.audit import COLUMNS
from daemon.errors import JournalUnavailableError, UnknownIdError
from daemon.journal_schema import connect_writer
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import State
from mappings.domain import ReportKey
from tests.unit.daemon.journal_samples import (
    LATER,
    PEER,
    START,
    StepClock,
    bring_to,
    due,
    make_new,
    make_raw,
    map_one,
    receive,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal

REPORT_STATES = [state for state in State if state not in {State.RECEIVED, State.REJECTED}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(path, clock=StepClock()) as journal:
        yield journal


def tamper(path: Path, *statements: str) -> None:
    """Do what a person with the file and a SQLite shell can do."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for trigger in ("audit_keeps_entries", "audit_keeps_words", "audit_only_grows"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            connection.execute(statement)


async def test_messages_wait_in_the_order_they_came(journal: SqliteJournal) -> None:
    ids = [await receive(journal, f"C{n}") for n in range(5)]

    pending = await journal.pending_messages(3)

    assert [each.message_id for each in pending] == ids[:3]


async def test_reports_are_due_in_the_order_they_were_born(journal: SqliteJournal) -> None:
    ids = [await map_one(journal, f"C{n}", make_new(key=ReportKey(f"{n}"))) for n in range(5)]

    some = await journal.pending_reports(State.MAPPED, now=LATER, limit=2, but_not=ids[:2])

    assert [each.report_id for each in some] == ids[2:4]
    assert [each.report_id for each in await due(journal, State.MAPPED)] == ids


async def test_a_due_report_carries_what_its_next_step_needs(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    await journal.record_mapped(message_id, [make_new(key=ReportKey("k"))])

    [pending] = await due(journal, State.MAPPED)

    assert pending.study == make_new().study
    assert (pending.message_id, pending.report_key) == (message_id, "k")
    assert (pending.state, pending.attempts, pending.observation) == (State.MAPPED, 0, None)


async def test_counts_name_every_state_and_count_nothing_twice(journal: SqliteJournal) -> None:
    for n, state in enumerate(REPORT_STATES):
        await bring_to(journal, state, f"C{n}")
    await receive(journal, "waiting")
    await journal.refuse(make_raw("refused"), peer=PEER, reason="no_msh", where=None)

    counts = await journal.counts()

    # One more superseded another, and two more cancelled theirs.
    assert counts == dict.fromkeys(State, 1) | {State.MAPPED: 2, State.SKIPPED: 3}


async def test_rows_are_the_newest_reports_and_messages_without_one(
    journal: SqliteJournal,
) -> None:
    report_id = await bring_to(journal, State.POSTED, "C1")
    message_id = await receive(journal, "C2")

    rows = await journal.rows()

    assert [(row.report_id, row.state) for row in rows] == [
        (None, State.RECEIVED),
        (report_id, State.POSTED),
    ]
    assert rows[0].message_id == message_id
    assert (rows[1].message_control_id, rows[1].accession_number) == ("C1", "ACC-1")
    assert (rows[1].sender, rows[1].message_type, rows[1].received_at) == (
        "RIS|HOSP",
        "ORU^R01",
        START,
    )
    assert "ACC-1" not in repr(rows)


async def test_rows_can_be_chosen_by_state_accession_and_time(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.POSTED, "C1")
    await receive(journal, "C2")

    posted = await journal.rows(state=State.POSTED)
    received = await journal.rows(state=State.RECEIVED)
    by_accession = await journal.rows(accession_number="ACC-1")

    assert [row.report_id for row in posted] == [report_id]
    assert [row.message_control_id for row in received] == ["C2"]
    assert [row.report_id for row in by_accession] == [report_id]
    assert await journal.rows(accession_number="ACC-9") == []
    assert len(await journal.rows(since=START)) == 2
    assert await journal.rows(since=START + timedelta(seconds=1)) == []
    assert len(await journal.rows(limit=1)) == 1


async def test_a_trail_is_found_by_either_id(journal: SqliteJournal) -> None:
    report_id = await bring_to(journal, State.POSTED)

    trail = await journal.trail(report_id)

    assert await journal.trail(trail.row.message_id) == trail
    assert trail.raw.payload == b"MSH|C1"
    assert [entry.event for entry in trail.entries] == ["receive", "map", "draft", "post"]
    with pytest.raises(UnknownIdError):
        await journal.trail("nobody")


async def test_entries_can_be_read_page_by_page(journal: SqliteJournal) -> None:
    for n in range(5):
        await receive(journal, f"C{n}")

    pages = [await journal.entries(after=after, limit=2) for after in (0, 2, 4, 5)]

    assert [[entry.sequence for entry in page] for page in pages] == [[1, 2], [3, 4], [5], []]


@pytest.mark.parametrize("state", REPORT_STATES)
async def test_every_state_is_found_again_after_a_restart(path: Path, state: State) -> None:
    async with open_journal(path, clock=StepClock()) as journal:
        report_id = await bring_to(journal, state)
        waiting = await receive(journal, "waiting")
        before = (await journal.counts(), await journal.trail(report_id))

    async with open_journal(path, clock=StepClock(LATER)) as journal:
        after = (await journal.counts(), await journal.trail(report_id))
        pending = await journal.pending_messages(10)
        verdict = await journal.verify_chain()

    assert after == before
    assert [each.message_id for each in pending] == [waiting]
    assert verdict.is_whole


async def test_a_read_does_not_wait_for_a_writer(journal: SqliteJournal, path: Path) -> None:
    await receive(journal)

    with closing(connect_writer(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE message SET state = 'REJECTED'")
        counts = await asyncio.wait_for(journal.counts(), 5)

    assert counts[State.RECEIVED] == 1


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "sequence"])
async def test_a_changed_column_of_an_entry_is_found(
    journal: SqliteJournal, path: Path, column: str
) -> None:
    await bring_to(journal, State.POSTED)

    tamper(path, f"UPDATE audit SET {column} = 'tampered' WHERE sequence = 3")  # noqa: S608 - our own column names

    verdict = await journal.verify_chain()
    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, 3, "changed")


async def test_a_renumbered_and_a_removed_entry_are_found(
    journal: SqliteJournal, path: Path
) -> None:
    await bring_to(journal, State.POSTED)

    tamper(path, "UPDATE audit SET sequence = 9 WHERE sequence = 4")
    renumbered = await journal.verify_chain()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit WHERE sequence = 2")
    removed = await journal.verify_chain()

    assert (renumbered.first_broken, renumbered.reason) == (4, "changed")
    assert (removed.first_broken, removed.reason) == (2, "gap")


async def test_a_tail_that_was_cut_with_its_rows_is_found_by_the_head(
    journal: SqliteJournal, path: Path
) -> None:
    kept = await receive(journal, "C1")
    cut = await receive(journal, "C2")
    head = (await journal.verify_chain()).head

    tamper(
        path,
        "DELETE FROM payload WHERE arrival = 2",
        f"DELETE FROM message WHERE id = '{cut}'",  # noqa: S608 - our own id
        "DELETE FROM audit WHERE sequence = 2",
    )

    assert (await journal.verify_chain()).is_whole
    verdict = await journal.verify_chain(head=head)
    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (False, None, "head_missing")
    assert (await journal.trail(kept)).row.state is State.RECEIVED


@pytest.mark.parametrize(
    ("statement", "first_broken"),
    [
        ("UPDATE report SET state = 'SKIPPED'", 4),
        ("UPDATE message SET state = 'REJECTED'", 1),
        ("DELETE FROM report", 4),
        ("DELETE FROM audit WHERE sequence = 4", 3),  # the tail alone: the state knows better
        ("INSERT INTO flag VALUES ('x', 1)", None),
        (
            """INSERT INTO report (id, message_id, state, rank, study)
                SELECT 'new', id, 'MAPPED', 1, '{}' FROM message""",
            None,
        ),
    ],
)
async def test_a_state_that_the_chain_does_not_know_is_found(
    journal: SqliteJournal, path: Path, statement: str, first_broken: int | None
) -> None:
    await bring_to(journal, State.POSTED)

    tamper(path, statement)

    verdict = await journal.verify_chain()
    if "flag" in statement:
        assert verdict.is_whole
        return
    assert (verdict.is_whole, verdict.first_broken, verdict.reason) == (
        False,
        first_broken,
        "state_mismatch",
    )


async def test_a_row_that_cannot_be_read_is_told_without_its_text(
    journal: SqliteJournal, path: Path
) -> None:
    await bring_to(journal, State.MAPPED)

    tamper(path, "UPDATE report SET study = 'QUETZALCANARY'")

    with pytest.raises(JournalUnavailableError) as caught:
        await due(journal, State.MAPPED)
    assert caught.value.reason == "journal_row_unreadable"
    assert caught.value.__cause__ is None
    assert "QUETZALCANARY" not in str(caught.value)


async def test_a_file_that_is_damaged_is_told(journal: SqliteJournal, path: Path) -> None:
    await receive(journal)
    tamper(path, "DROP TABLE flag")

    with pytest.raises(JournalUnavailableError) as caught:
        await journal.is_paused()

    assert caught.value.reason == "journal_read_failed"
