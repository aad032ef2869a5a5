"""A batch from a log: all of it or nothing, each place of the log once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.delivery import NewDelivery
from daemon.errors import JournalUnavailableError
from daemon.journal_batches import Fetched
from daemon.lifecycle import State
from tests.unit.daemon.journal_samples import make_raw

if TYPE_CHECKING:
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport


def raw_at(offset: int, control_id: str = "", *, body: str = "") -> RawReport:
    raw = make_raw(control_id or f"C{offset}")
    digest = hashlib.sha256(f"{raw.digest}{body}".encode()).hexdigest()
    return replace(raw, door="kafka:t", origin=f"kafka:t/0/{offset}", digest=digest)


def refused_at(offset: int) -> Fetched:
    raw = raw_at(offset)
    letter = NewDelivery("kafka_dead_letter", "t.dlq", b"{}\nx", raw.origin)
    return Fetched(raw, "not_hl7", "MSH", (letter,))


async def test_a_batch_is_one_transaction(journal: SqliteJournal) -> None:
    before = journal.writer.transactions
    taken = await journal.receive_all([Fetched(raw_at(n)) for n in range(50)])

    assert journal.writer.transactions == before + 1
    assert len({each.message_id for each in taken}) == 50
    assert not any(each.is_duplicate for each in taken)
    assert (await journal.verify_chain()).is_whole


async def test_a_refused_record_is_kept_beside_the_others_with_its_dead_letter(
    journal: SqliteJournal,
) -> None:
    taken = await journal.receive_all([Fetched(raw_at(0)), refused_at(1), Fetched(raw_at(2))])
    trail = await journal.trail(taken[1].message_id)

    assert [trail.row.state, trail.row.reason] == [State.REJECTED, "not_hl7"]
    assert [delivery.target for delivery in trail.deliveries] == ["t.dlq"]
    assert (await journal.counts())[State.RECEIVED] == 2


async def test_the_same_place_with_the_same_content_is_a_duplicate_and_no_second_letter(
    journal: SqliteJournal,
) -> None:
    batch = [Fetched(raw_at(0)), refused_at(1)]
    first = await journal.receive_all(batch)
    again = await journal.receive_all(batch)

    assert [each.message_id for each in again] == [each.message_id for each in first]
    assert all(each.is_duplicate for each in again)
    assert len((await journal.trail(first[1].message_id)).deliveries) == 1


async def test_other_content_at_a_known_place_is_kept_and_said(journal: SqliteJournal) -> None:
    await journal.receive_all([Fetched(raw_at(0, "A"))])
    (other,) = await journal.receive_all([Fetched(raw_at(0, "B", body="other"))])

    assert other.is_place_reused
    assert not other.is_duplicate
    assert (await journal.counts())[State.RECEIVED] == 2


async def test_a_message_that_came_by_another_door_is_a_duplicate_there_too(
    journal: SqliteJournal,
) -> None:
    raw = raw_at(5, "M")
    received = await journal.receive(replace(raw, door="default", origin=""), peer="192.0.2.7:4")
    (taken,) = await journal.receive_all([Fetched(raw)])

    assert taken.is_duplicate
    assert taken.message_id == received.message_id


async def test_nothing_of_a_batch_is_kept_when_one_cannot_be(journal: SqliteJournal) -> None:
    broken = replace(raw_at(1), payload=object())  # type: ignore[arg-type]

    with pytest.raises(JournalUnavailableError):
        await journal.receive_all([Fetched(raw_at(0)), Fetched(broken)])
    assert (await journal.counts())[State.RECEIVED] == 0


async def test_where_a_message_came_from_is_read_back(journal: SqliteJournal) -> None:
    await journal.receive_all([Fetched(raw_at(7))])
    (pending,) = await journal.pending_messages(10)

    assert pending.raw.origin == "kafka:t/0/7"


async def test_the_backlog_is_what_the_model_has_not_seen(journal: SqliteJournal) -> None:
    await journal.receive_all([Fetched(raw_at(0)), refused_at(1), Fetched(raw_at(2))])

    assert await journal.backlog() == 2
