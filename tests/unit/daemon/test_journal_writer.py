"""The writer thread: one commit for all who wait, faults kept apart, nobody left waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from daemon.errors import JournalUnavailableError, UnknownIdError
from daemon.journal_commit import GroupCommit
from daemon.journal_reads import verify_chain
from daemon.journal_schema import connect_reader, connect_writer, prepare_file
from daemon.journal_writer import ThreadWriter
from tests.unit.daemon.journal_samples import StepClock
from tests.unit.daemon.written_operations import note, number_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from daemon.journal import ChainVerdict
    from daemon.journal_transaction import Transaction

CANARY = "QUETZALCANARY"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    prepare_file(tmp_path / "journal.db")
    return tmp_path / "journal.db"


def thread_writer(
    path: Path, on_head: Callable[[int, str], None] | None = None, *, anchor_every: int = 1000
) -> ThreadWriter:
    commits = GroupCommit(connect_writer(path), StepClock(), lambda: "id")
    return ThreadWriter(commits, on_head, anchor_every=anchor_every)


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[ThreadWriter]:
    writer = thread_writer(path)
    yield writer
    await writer.close()


def fill(transaction: Transaction) -> int:
    """Take more room than a test leaves."""
    transaction.execute("INSERT INTO flag VALUES (hex(randomblob(200000)), 1)")
    return note(transaction)


def limit_pages(pages: int) -> Callable[[Transaction], object]:
    return lambda transaction: transaction.execute(f"PRAGMA max_page_count = {pages}")


def verdict_of(path: Path) -> ChainVerdict:
    with closing(connect_reader(path)) as connection:
        return verify_chain(connection, None)


class Gate:
    """An operation that holds the writer until it is opened, so that others gather behind it."""

    def __init__(self) -> None:
        self._is_reached = threading.Event()
        self._is_open = threading.Event()

    def __call__(self, _: Transaction) -> None:
        self._is_reached.set()
        assert self._is_open.wait(10)

    async def stop(self, writer: ThreadWriter) -> asyncio.Task[None]:
        task = asyncio.create_task(writer.submit(self))
        assert await asyncio.to_thread(self._is_reached.wait, 10)
        return task

    def open(self) -> None:
        self._is_open.set()


async def start(*waiting: Coroutine[object, object, int]) -> list[asyncio.Task[int]]:
    """Start the calls and let each reach the queue."""
    tasks = [asyncio.create_task(each) for each in waiting]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_wait_share_one_transaction(writer: ThreadWriter) -> None:
    gate = Gate()
    held = await gate.stop(writer)
    tasks = await start(*(writer.submit(note) for _ in range(64)))
    gate.open()

    sequences = await asyncio.gather(*tasks)

    await held
    assert sequences == list(range(1, 65))
    assert writer.transactions == 2


async def test_a_caller_hears_back_only_after_the_commit(writer: ThreadWriter, path: Path) -> None:
    await writer.submit(note)

    assert verdict_of(path).entries == 1


async def test_an_operation_that_fails_fails_alone(writer: ThreadWriter, path: Path) -> None:
    def fail(transaction: Transaction) -> None:
        note(transaction)
        raise UnknownIdError("unknown_id")

    answers = await asyncio.gather(
        *(writer.submit(each) for each in (note, fail, note, fail, note)), return_exceptions=True
    )

    assert [answer for answer in answers if isinstance(answer, int)] == [1, 2, 3]
    assert [type(answer) for answer in answers].count(UnknownIdError) == 2
    assert (verdict_of(path).is_whole, verdict_of(path).entries) == (True, 3)


async def test_a_fault_of_ours_fails_alone_and_says_where_but_not_what(
    writer: ThreadWriter, path: Path
) -> None:
    def break_down(transaction: Transaction) -> None:
        note(transaction)
        raise ValueError(CANARY)

    with capture_logs() as lines:
        answers = await asyncio.gather(
            writer.submit(note), writer.submit(break_down), return_exceptions=True
        )

    assert answers[0] == 1
    assert isinstance(answers[1], JournalUnavailableError)
    assert (answers[1].reason, answers[1].where) == ("journal_operation_failed", "ValueError")
    assert (lines[0]["event"], lines[0]["error_class"]) == (
        "journal.operation_failed",
        "ValueError",
    )
    assert str(lines[0]["where"]).startswith("test_journal_writer.py:")
    assert CANARY not in str(lines) + repr(answers)
    assert (verdict_of(path).is_whole, verdict_of(path).entries) == (True, 1)


async def test_a_broken_constraint_fails_alone(writer: ThreadWriter) -> None:
    def store_twice(transaction: Transaction) -> None:
        transaction.execute("INSERT INTO flag VALUES ('a', 1), ('a', 1)")

    answers = await asyncio.gather(
        writer.submit(store_twice), writer.submit(note), return_exceptions=True
    )

    assert isinstance(answers[0], JournalUnavailableError)
    assert answers[1] == 1


async def test_a_full_disk_is_told_to_everyone_and_the_writer_goes_on(
    writer: ThreadWriter, path: Path
) -> None:
    await writer.submit(note)
    await writer.submit(limit_pages(1))  # SQLite makes it no less than are there
    gate = Gate()
    held = await gate.stop(writer)
    waiting = await start(writer.submit(note), writer.submit(fill), writer.submit(note))
    gate.open()

    with capture_logs() as lines:
        answers = await asyncio.gather(*waiting, return_exceptions=True)

    await held
    assert [(type(each), getattr(each, "reason", None)) for each in answers] == [
        (JournalUnavailableError, "disk_full")
    ] * 3
    assert [(line["event"], line["reason"], line["count"]) for line in lines] == [
        ("journal.commit_failed", "disk_full", 3)
    ]
    assert (verdict_of(path).is_whole, verdict_of(path).entries) == (True, 1)
    await writer.submit(limit_pages(100_000))
    await writer.submit(fill)
    assert (verdict_of(path).is_whole, verdict_of(path).entries) == (True, 2)


async def test_a_transaction_that_failed_half_way_is_undone(
    writer: ThreadWriter, path: Path
) -> None:
    def ask_for_a_lost_table(transaction: Transaction) -> None:
        note(transaction)
        transaction.execute("SELECT * FROM lost")

    with pytest.raises(JournalUnavailableError) as caught:
        await writer.submit(ask_for_a_lost_table)

    assert (caught.value.reason, caught.value.where) == ("journal_write_failed", "SQLITE_ERROR")
    assert await writer.submit(note) == 1
    assert verdict_of(path).entries == 1


async def test_another_writer_that_holds_the_file_too_long_is_told_as_busy(
    writer: ThreadWriter, path: Path
) -> None:
    await writer.submit(lambda transaction: transaction.execute("PRAGMA busy_timeout = 0"))

    with closing(connect_writer(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailableError) as caught:
            await writer.submit(note)
        other.execute("ROLLBACK")

    assert caught.value.reason == "journal_busy"
    assert await writer.submit(note) == 1


async def test_a_cancelled_caller_breaks_nothing_and_its_operation_is_done(
    writer: ThreadWriter, path: Path
) -> None:
    gate = Gate()
    held = await gate.stop(writer)
    first, second = await start(writer.submit(note), writer.submit(note))
    first.cancel()
    gate.open()

    assert await second == 2

    await held
    assert first.cancelled()
    assert verdict_of(path).entries == 2


async def test_the_chain_goes_on_from_another_writers_entry(
    writer: ThreadWriter, path: Path
) -> None:
    other = thread_writer(path)

    sequences = [await each.submit(note) for each in (writer, other, writer, other, writer)]
    await other.close()

    assert sequences == [1, 2, 3, 4, 5]
    assert verdict_of(path).is_whole


async def test_closing_commits_what_is_queued_and_refuses_what_comes_after(path: Path) -> None:
    writer = thread_writer(path)
    tasks = await start(*(writer.submit(note) for _ in range(20)))

    await writer.close()
    await writer.close()

    assert await asyncio.gather(*tasks) == list(range(1, 21))
    with pytest.raises(JournalUnavailableError) as caught:
        await writer.submit(note)
    assert caught.value.reason == "journal_closed"
    assert verdict_of(path).entries == 20


async def test_the_head_is_anchored_every_so_many_entries_and_at_close(path: Path) -> None:
    heads: list[tuple[int, str]] = []
    writer = thread_writer(path, lambda *head: heads.append(head), anchor_every=3)

    for _ in range(7):
        await writer.submit(note)
    await asyncio.sleep(0)
    assert [sequence for sequence, _ in heads] == [3, 6]

    await writer.close()

    assert [sequence for sequence, _ in heads] == [3, 6, 7]
    assert heads[-1][1] == verdict_of(path).head


async def test_a_writer_that_wrote_nothing_anchors_nothing(path: Path) -> None:
    heads: list[tuple[int, str]] = []
    writer = thread_writer(path, lambda *head: heads.append(head))

    await writer.close()

    assert heads == []


def test_a_loop_that_is_gone_does_not_stop_the_writer(path: Path) -> None:
    writer = thread_writer(path)
    gate = Gate()

    async def leave() -> None:
        await gate.stop(writer)
        await start(writer.submit(note))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    gate.open()

    async def come_back() -> int:
        sequence = await writer.submit(note)
        await writer.close()
        return sequence

    assert asyncio.run(come_back()) == 2


def test_the_reason_names_sqlites_own_code() -> None:
    # The names that the writer looks for are attributes of the exception since Python 3.11.
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (randomblob(100000))")

    assert caught.value.sqlite_errorname == "SQLITE_FULL"


async def test_neighbours_of_one_kind_are_run_in_one_call(writer: ThreadWriter) -> None:
    gate = Gate()
    held = await gate.stop(writer)
    several = [asyncio.create_task(writer.submit_with_others(number_all, n)) for n in range(5)]
    await asyncio.sleep(0)
    other = await start(writer.submit(note))
    last = asyncio.create_task(writer.submit_with_others(number_all, 5))
    await asyncio.sleep(0)
    gate.open()

    assert await asyncio.gather(*several) == [(n, 5) for n in range(5)]
    assert await asyncio.gather(*other) == [6]
    assert await last == (5, 1)
    await held


async def test_one_of_several_that_fails_fails_alone(writer: ThreadWriter, path: Path) -> None:
    gate = Gate()
    held = await gate.stop(writer)
    tasks = [asyncio.create_task(writer.submit_with_others(number_all, n)) for n in (1, -1, 2)]
    await asyncio.sleep(0)
    gate.open()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    await held
    assert [results[0], results[2]] == [(1, 1), (2, 1)]
    assert isinstance(results[1], UnknownIdError)
    assert verdict_of(path).entries == 2
