"""A journal that another process writes: real processes, killed and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from daemon import child_process, journal_remote
from daemon.errors import ConfigurationError, JournalUnavailableError, UnknownIdError
from daemon.journal_remote import RemoteWriter, open_served_journal
from daemon.serve_lock import acquire_serve_lock
from tests.unit.daemon.journal_samples import PEER, make_raw
from tests.unit.daemon.written_operations import note, number_all, refuse_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from daemon.journal import Received
    from daemon.journal_sqlite import SqliteJournal


@asynccontextmanager
async def served(path: Path, **more: object) -> AsyncIterator[SqliteJournal]:
    with acquire_serve_lock(path) as lock:
        journal = open_served_journal(path, lock=lock, **more)  # type: ignore[arg-type]
        try:
            yield journal
        finally:
            await journal.close(5)  # a test that fails may leave the process stopped


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with served(tmp_path / "journal.db") as journal:
        yield journal


def writer_of(journal: SqliteJournal) -> RemoteWriter:
    assert isinstance(journal.writer, RemoteWriter)
    return journal.writer


async def pid_of(journal: SqliteJournal) -> int:
    """Return the process that writes, once it does."""
    await journal.writer.submit(note)
    pid = writer_of(journal).pid
    assert pid is not None
    return pid


async def receive(journal: SqliteJournal, control_id: str) -> Received:
    return await journal.receive(make_raw(control_id, payload=control_id.encode()), peer=PEER)


async def test_what_was_told_to_be_stored_is_there_for_readers(journal: SqliteJournal) -> None:
    received = await receive(journal, "C1")
    again = await receive(journal, "C1")

    [pending] = await journal.pending_messages(10)

    assert (pending.message_id, pending.raw.payload) == (received.message_id, b"C1")
    assert again.is_duplicate
    assert again.message_id == received.message_id
    assert (await journal.verify_chain()).is_whole


async def test_another_process_writes_and_knows_no_secret_of_ours(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRELIM_FHIR__TOKEN", "QUETZALCANARY")

    pid = await pid_of(journal)

    assert pid != os.getpid()
    told = await asyncio.to_thread(Path(f"/proc/{pid}/environ").read_bytes)
    assert b"PATH=" in told
    assert b"QUETZALCANARY" not in told


async def test_an_operations_own_error_comes_back_and_nothing_of_it_is_kept(
    journal: SqliteJournal,
) -> None:
    with pytest.raises(UnknownIdError) as caught:
        await journal.writer.submit(refuse_all)

    assert caught.value.reason == "unknown_id"
    assert (await journal.verify_chain()).entries == 0


async def test_those_who_wait_share_a_transaction(journal: SqliteJournal) -> None:
    pid = await pid_of(journal)
    os.kill(pid, signal.SIGSTOP)
    waiting = [
        asyncio.create_task(journal.writer.submit_with_others(number_all, number))
        for number in range(64)
    ]
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGCONT)

    assert await asyncio.gather(*waiting) == [(number, 64) for number in range(64)]


async def stop_and_wait(journal: SqliteJournal, *control_ids: str) -> list[asyncio.Task[Received]]:
    """Stop the process, and have it owe answers."""
    os.kill(await pid_of(journal), signal.SIGSTOP)
    waiting = [asyncio.create_task(receive(journal, control_id)) for control_id in control_ids]
    for _ in range(2):
        await asyncio.sleep(0)
    return waiting


async def test_a_killed_process_is_told_to_all_it_owes_and_replaced(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "RESTART_WAIT_S", 0)
    first = await receive(journal, "C1")
    pid = await pid_of(journal)
    waiting = await stop_and_wait(journal, "C2", "C3", "C4")

    with capture_logs() as lines:
        os.kill(pid, signal.SIGKILL)
        answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [getattr(each, "reason", None) for each in answers] == ["journal_writer_lost"] * 3
    assert journal.writer.has_failed
    assert [(line["event"], line["status"]) for line in lines] == [("journal.writer_lost", -9)]
    again = await receive(journal, "C1")
    await receive(journal, "C2")
    assert (again.is_duplicate, again.message_id) == (True, first.message_id)
    assert not journal.writer.has_failed
    assert writer_of(journal).pid not in {None, pid}
    assert (await journal.verify_chain()).is_whole


async def test_what_the_killed_process_was_not_given_yet_goes_to_the_next(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "RESTART_WAIT_S", 0.1)
    os.kill(await pid_of(journal), signal.SIGKILL)
    while not journal.writer.has_failed:
        await asyncio.sleep(0)

    received = await receive(journal, "C1")  # before there is another

    assert [each.message_id for each in await journal.pending_messages(9)] == [received.message_id]


async def test_more_than_the_socket_takes_is_kept_until_it_is_read(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "FRAME_BYTES", 10_000)
    pid = await pid_of(journal)
    os.kill(pid, signal.SIGSTOP)
    raws = [make_raw(f"C{n}", payload=b"%d" % n * 300_000) for n in range(8)]
    waiting = [asyncio.create_task(journal.receive(raw, peer=PEER)) for raw in raws]
    for _ in range(3):
        await asyncio.sleep(0)

    assert len(writer_of(journal)._unsent) >= 6
    os.kill(pid, signal.SIGCONT)

    await asyncio.gather(*waiting)
    stored = await journal.pending_messages(9)
    assert [each.raw.payload for each in stored] == [raw.payload for raw in raws]


async def test_a_process_that_hangs_is_told_of_and_not_ready(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "SILENT_S", 0.05)
    await journal.writer.submit(note)
    [waiting] = await stop_and_wait(journal, "C1")

    with capture_logs() as lines:
        while not lines:
            await asyncio.sleep(0.01)
    with pytest.raises(JournalUnavailableError) as caught:
        await journal.check_writable()

    assert caught.value.reason == "journal_writer_silent"
    assert [(line["event"], line["count"]) for line in lines] == [("journal.writer_silent", 1)]
    os.kill(writer_of(journal).pid or 0, signal.SIGCONT)
    await waiting
    await journal.check_writable()


async def test_a_process_that_hangs_at_the_end_is_killed_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "EXIT_WAIT_S", 0.05)
    path = tmp_path / "journal.db"
    with acquire_serve_lock(path) as lock:
        journal = open_served_journal(path, lock=lock)
        [waiting] = await stop_and_wait(journal, "C1")
        pid = writer_of(journal).pid

        await journal.close(0.05)

    assert isinstance(waiting.exception(), JournalUnavailableError)
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)
    with acquire_serve_lock(path, wait_s=0):
        pass


async def test_a_machine_without_free_descriptors_is_told_and_tried_again(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "RESTART_WAIT_S", 0)
    with monkeypatch.context() as without, capture_logs() as lines:
        without.setattr("socket.socketpair", Mock(side_effect=OSError(24, "too many")))
        with pytest.raises(JournalUnavailableError):
            await journal.writer.submit(note)

    assert [line["event"] for line in lines] == ["journal.writer_not_started"]
    assert await journal.writer.submit(note) == 1


async def test_a_process_that_ended_with_nobody_waiting_is_replaced_when_looked_after(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_remote, "RESTART_WAIT_S", 0)
    os.kill(await pid_of(journal), signal.SIGKILL)
    while not journal.writer.has_failed:
        await asyncio.sleep(0.01)

    await journal.check_writable()

    assert not journal.writer.has_failed


async def test_a_process_that_cannot_begin_is_not_started_by_every_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    script = f"open({str(starts)!r}, 'a').write('x')"
    writer = RemoteWriter((sys.executable, "-c", script))

    monkeypatch.setattr(journal_remote, "RESTART_WAIT_S", 0.5)
    asked = [asyncio.create_task(writer.submit(note)) for _ in range(3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    asked = [asyncio.create_task(writer.submit(note)) for _ in range(3)]
    answers += await asyncio.gather(*asked, return_exceptions=True)

    assert [getattr(each, "reason", None) for each in answers] == ["journal_writer_lost"] * 6
    assert starts.read_text() == "xx"
    await writer.close()


async def test_a_program_that_is_not_there_is_told_as_lost(tmp_path: Path) -> None:
    writer = RemoteWriter((str(tmp_path / "nothing"),))

    with capture_logs() as lines, pytest.raises(JournalUnavailableError):
        await writer.submit(note)

    assert [line["event"] for line in lines] == ["journal.writer_not_started"]
    await writer.close()


async def test_an_argument_that_cannot_be_sent_fails_alone(journal: SqliteJournal) -> None:
    with capture_logs() as lines, pytest.raises(JournalUnavailableError) as caught:
        await journal.writer.submit(note, lambda: None)  # type: ignore[arg-type]

    assert caught.value.reason == "journal_operation_failed"
    assert [line["event"] for line in lines] == ["journal.operation_failed"]
    assert await journal.writer.submit(note) == 1


async def test_closing_commits_what_is_queued_and_refuses_what_comes_after(
    tmp_path: Path,
) -> None:
    heads: list[tuple[int, str]] = []
    async with served(
        tmp_path / "journal.db", on_head=lambda *head: heads.append(head), anchor_every=8
    ) as journal:
        tasks = [asyncio.create_task(receive(journal, f"C{n}")) for n in range(20)]
        await asyncio.sleep(0)
        await journal.close()

    assert len({received.message_id for received in await asyncio.gather(*tasks)}) == 20
    assert [sequence for sequence, _ in heads][-1] == 20
    with pytest.raises(JournalUnavailableError) as caught:
        await receive(journal, "C99")
    assert caught.value.reason == "journal_closed"


async def test_a_journal_that_was_never_written_starts_no_process(tmp_path: Path) -> None:
    async with served(tmp_path / "journal.db") as journal:
        assert await journal.pending_messages(1) == []

        assert writer_of(journal).pid is None


async def test_the_writer_outlives_signals_that_a_whole_group_gets(journal: SqliteJournal) -> None:
    pid = await pid_of(journal)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)

    await journal.writer.submit(note)

    assert writer_of(journal).pid == pid


async def test_nobody_serves_a_journal_before_the_last_writer_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with acquire_serve_lock(path) as lock:
        journal = open_served_journal(path, lock=lock)
        pid = await pid_of(journal)
        os.kill(pid, signal.SIGSTOP)

    with pytest.raises(ConfigurationError) as caught, acquire_serve_lock(path, wait_s=0):
        pass

    assert caught.value.reason == "journal_in_use"
    os.kill(pid, signal.SIGCONT)
    await journal.close()
    with acquire_serve_lock(path, wait_s=0):
        pass
