"""The journal as a whole: opening, closing, locking, and many callers at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from daemon.errors import JournalUnavailableError
from daemon.journal_commit import ids_in_time
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import State
from tests.unit.daemon.journal_samples import PEER, StepClock, make_raw, receive

if TYPE_CHECKING:
    from pathlib import Path


async def test_64_messages_at_once_need_far_fewer_than_64_transactions(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        received = await asyncio.gather(
            *(journal.receive(make_raw(f"C{n}"), peer=PEER) for n in range(64))
        )

        assert len({each.message_id for each in received}) == 64
        assert journal.writer.transactions < 16
        assert (await journal.counts())[State.RECEIVED] == 64


async def test_the_same_message_from_64_callers_at_once_is_stored_once(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        received = await asyncio.gather(
            *(journal.receive(make_raw(), peer=PEER) for _ in range(64))
        )

        assert len({each.message_id for each in received}) == 1
        assert [each.is_duplicate for each in received].count(False) == 1


async def test_ids_of_ours_are_in_the_order_of_their_times_and_never_the_same() -> None:
    new_id = ids_in_time(StepClock())

    ids = [new_id() for _ in range(1000)]

    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {32}


async def test_ids_come_from_the_factory(tmp_path: Path) -> None:
    names = iter(["first", "second"])
    async with open_journal(
        tmp_path / "journal.db", clock=StepClock(), new_id=lambda: next(names)
    ) as journal:
        assert [await receive(journal, name) for name in ("C1", "C2")] == ["first", "second"]


async def test_a_journal_opened_to_read_reads_beside_the_writer_and_never_writes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    async with (
        open_journal(path, clock=StepClock()) as writing,
        open_journal(path, clock=StepClock(), read_only=True) as reading,
    ):
        message_id = await receive(writing)

        assert (await reading.trail(message_id)).row.message_id == message_id
        with pytest.raises(JournalUnavailableError) as caught:
            await reading.set_paused(is_paused=True, actor="anna")
        assert caught.value.reason == "journal_read_only"


async def test_a_closed_journal_can_be_read_from_its_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_journal(path, clock=StepClock()) as journal:
        await receive(journal)
    assert not path.with_name("journal.db-wal").exists()

    async with open_journal(path, clock=StepClock(), read_only=True) as journal:
        assert (await journal.counts())[State.RECEIVED] == 1


async def test_a_journal_that_is_closed_says_so(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", clock=StepClock())
    await journal.close()
    await journal.close()

    for call in (journal.counts(), journal.receive(make_raw(), peer=PEER)):
        with pytest.raises(JournalUnavailableError) as caught:
            await call
        assert caught.value.reason == "journal_closed"


async def test_it_is_the_journal_that_the_port_describes(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", clock=StepClock())

    await journal.close()


async def test_the_head_is_told_at_close(tmp_path: Path) -> None:
    heads: list[tuple[int, str]] = []
    async with open_journal(
        tmp_path / "journal.db", clock=StepClock(), on_head=lambda *head: heads.append(head)
    ) as journal:
        await receive(journal)
        head = (await journal.verify_chain()).head

    assert heads == [(1, head)]
