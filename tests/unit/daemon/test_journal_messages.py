"""Messages at the door: stored once, refused ones apart, bytes kept as they came."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.errors import UnknownIdError
from daemon.journal_messages import Arrival, receive_together
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import Event, IllegalTransitionError, State
from tests.unit.daemon.journal_samples import (
    PEER,
    START,
    StepClock,
    make_new,
    make_raw,
    receive,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal import Received
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import MessageId, RawReport


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        yield journal


async def refuse(journal: SqliteJournal, raw: RawReport) -> MessageId:
    return await journal.refuse(raw, peer=PEER, reason="version_unsupported", where="MSH-12")


async def pending_ids(journal: SqliteJournal) -> list[MessageId]:
    return [pending.message_id for pending in await journal.pending_messages(100)]


async def test_a_message_is_kept_as_it_came(journal: SqliteJournal) -> None:
    raw = make_raw(payload=b"MSH|\x00\xff\r")

    received = await journal.receive(raw, peer=PEER)

    assert (received.is_duplicate, received.is_control_id_reused) == (False, False)
    [pending] = await journal.pending_messages(10)
    assert (pending.message_id, pending.raw) == (received.message_id, raw)


async def test_its_audit_entry_tells_digest_size_and_door_but_nothing_of_it(
    journal: SqliteJournal,
) -> None:
    raw = make_raw("CONTROL-77", payload=b"MSH|QUETZALCANARY")

    received = await journal.receive(raw, peer=PEER)

    [entry] = (await journal.trail(received.message_id)).entries
    assert (entry.event, entry.from_state, entry.to_state) == ("receive", None, "RECEIVED")
    assert entry.detail == {
        "door": "mllp:default",
        "peer": PEER,
        "standard": "hl7v2",
        "bytes": 17,
        "digest": raw.digest,
        "is_control_id_reused": 0,
    }
    assert "CONTROL-77" not in repr(entry)


async def test_the_same_message_again_is_the_first_one(journal: SqliteJournal) -> None:
    first = await journal.receive(make_raw(), peer=PEER)

    again = await journal.receive(replace(make_raw(), received_at=START.replace(hour=9)), peer="x")

    assert again == replace(first, is_duplicate=True)
    assert await pending_ids(journal) == [first.message_id]
    assert len(await journal.entries(after=0, limit=10)) == 1


async def test_it_is_the_first_one_even_when_that_could_not_be_read(journal: SqliteJournal) -> None:
    first = await journal.receive(make_raw(), peer=PEER)
    await journal.record_rejected(first.message_id, "segment_unreadable", "PID")

    again = await journal.receive(make_raw(), peer=PEER)

    assert (again.message_id, again.is_duplicate) == (first.message_id, True)


async def test_a_control_id_with_other_content_is_a_new_message_and_said_to_be_reused(
    journal: SqliteJournal,
) -> None:
    first = await journal.receive(make_raw(payload=b"one"), peer=PEER)

    second = await journal.receive(make_raw(payload=b"two"), peer=PEER)

    assert (second.is_duplicate, second.is_control_id_reused) == (False, True)
    assert await pending_ids(journal) == [first.message_id, second.message_id]


async def test_the_control_ids_of_two_senders_do_not_meet(journal: SqliteJournal) -> None:
    await journal.receive(make_raw(sender="A"), peer=PEER)

    other = await journal.receive(make_raw(sender="B"), peer=PEER)

    assert (other.is_duplicate, other.is_control_id_reused) == (False, False)


async def test_without_sender_or_control_id_the_content_alone_decides(
    journal: SqliteJournal,
) -> None:
    one, two = (make_raw("", payload=payload, sender="") for payload in (b"one", b"two"))

    answers = [await journal.receive(raw, peer=PEER) for raw in (one, two, one)]

    assert [answer.is_duplicate for answer in answers] == [False, False, True]
    assert not any(answer.is_control_id_reused for answer in answers)


async def test_names_that_utf8_cannot_hold_are_stored_all_the_same(journal: SqliteJournal) -> None:
    raw = make_raw("C\udce9", sender="RIS\udcff\x00")

    answers = [await journal.receive(raw, peer=PEER) for _ in range(2)]

    assert [answer.is_duplicate for answer in answers] == [False, True]
    [pending] = await journal.pending_messages(10)
    assert pending.raw.message_control_id == "C\\udce9"


async def test_a_refused_message_is_kept_as_rejected_with_its_reason(
    journal: SqliteJournal,
) -> None:
    message_id = await refuse(journal, make_raw())

    trail = await journal.trail(message_id)
    assert (trail.row.state, trail.row.reason) == (State.REJECTED, "version_unsupported")
    assert trail.raw == make_raw()
    assert (trail.entries[0].event, trail.entries[0].detail["where"]) == ("refuse", "MSH-12")
    assert await pending_ids(journal) == []


async def test_a_refused_message_sent_again_and_again_is_stored_once_and_counted(
    journal: SqliteJournal,
) -> None:
    ids = {await refuse(journal, make_raw()) for _ in range(3)}

    [message_id] = ids
    assert (await journal.trail(message_id)).row.attempts == 2
    assert len(await journal.rows()) == 1
    assert len(await journal.entries(after=0, limit=10)) == 1


async def test_a_message_refused_once_is_new_when_it_is_accepted_later(
    journal: SqliteJournal,
) -> None:
    refused = await refuse(journal, make_raw())

    received = await journal.receive(make_raw(), peer=PEER)

    assert (received.is_duplicate, received.is_control_id_reused) == (False, False)
    assert received.message_id != refused
    assert await refuse(journal, make_raw()) == refused


async def test_unreadable_content_makes_a_message_rejected(journal: SqliteJournal) -> None:
    message_id = await receive(journal)

    await journal.record_rejected(message_id, "charset_unreadable", "MSH-18")

    trail = await journal.trail(message_id)
    assert (trail.row.state, trail.row.reason) == (State.REJECTED, "charset_unreadable")
    assert trail.entries[-1].detail == {"reason": "charset_unreadable", "where": "MSH-18"}
    assert await pending_ids(journal) == []


async def test_a_message_is_rejected_or_mapped_only_once(journal: SqliteJournal) -> None:
    rejected, mapped = await receive(journal, "C1"), await receive(journal, "C2")
    await journal.record_rejected(rejected, "charset_unreadable", None)
    await journal.record_mapped(mapped, [make_new()])

    for message_id in (rejected, mapped):
        with pytest.raises(IllegalTransitionError):
            await journal.record_rejected(message_id, "charset_unreadable", None)
        with pytest.raises(IllegalTransitionError):
            await journal.record_mapped(message_id, [make_new()])

    assert (await journal.verify_chain()).entries == 4
    with pytest.raises(UnknownIdError):
        await journal.record_rejected("nobody", "charset_unreadable", None)  # type: ignore[arg-type]


async def test_a_rejected_message_is_read_again_when_an_operator_says_so(
    journal: SqliteJournal,
) -> None:
    message_id = await receive(journal)
    await journal.record_rejected(message_id, "charset_unreadable", None)

    assert await journal.replay(message_id, actor="anna") == (State.REJECTED, State.RECEIVED)

    trail = await journal.trail(message_id)
    assert (trail.row.state, trail.row.reason) == (State.RECEIVED, None)
    assert (trail.entries[-1].event, trail.entries[-1].actor) == (Event.REREAD, "anna")
    assert await pending_ids(journal) == [message_id]
    with pytest.raises(IllegalTransitionError):
        await journal.replay(message_id, actor="anna")


async def test_the_head_of_a_bad_frame_is_never_read_as_a_report(journal: SqliteJournal) -> None:
    message_id = await journal.refuse(make_raw(), peer=PEER, reason="frame_too_large", where=None)

    with pytest.raises(IllegalTransitionError):
        await journal.replay(message_id, actor="anna")

    assert (await journal.trail(message_id)).row.state is State.REJECTED


async def test_a_refused_message_that_is_replayed_counts_as_accepted_from_then_on(
    journal: SqliteJournal,
) -> None:
    message_id = await refuse(journal, make_raw())
    await journal.replay(message_id, actor="anna")

    again = await journal.receive(make_raw(), peer=PEER)

    assert (again.message_id, again.is_duplicate) == (message_id, True)


async def test_a_refused_message_can_be_replayed_beside_its_accepted_twin(
    journal: SqliteJournal,
) -> None:
    refused = await refuse(journal, make_raw())
    accepted = (await journal.receive(make_raw(), peer=PEER)).message_id

    await journal.replay(refused, actor="anna")

    assert await state_of(journal, refused) is State.RECEIVED
    assert (await journal.receive(make_raw(), peer=PEER)).message_id == accepted


async def receive_at_once(journal: SqliteJournal, *raws: RawReport) -> list[Received]:
    """Hand over messages so that one transaction takes them."""
    return await asyncio.gather(*(journal.receive(raw, peer=PEER) for raw in raws))


async def test_messages_that_come_at_once_are_kept_each_with_its_bytes_and_in_their_order(
    journal: SqliteJournal,
) -> None:
    raws = [make_raw(f"C{n}", payload=f"MSH|{n}".encode()) for n in range(77)]

    received = await receive_at_once(journal, *raws)

    pending = await journal.pending_messages(100)
    assert [each.message_id for each in pending] == [each.message_id for each in received]
    assert [each.raw for each in pending] == raws
    verdict = await journal.verify_chain()
    assert (verdict.is_whole, verdict.entries) == (True, 77)


async def test_a_message_that_comes_twice_at_once_is_kept_once(journal: SqliteJournal) -> None:
    twice, other = make_raw("C1"), make_raw("C2")

    first, again, third = await receive_at_once(journal, twice, twice, other)

    assert again == replace(first, is_duplicate=True)
    assert not third.is_duplicate
    assert len(await pending_ids(journal)) == 2


async def test_a_message_that_was_sent_before_is_known_among_new_ones(
    journal: SqliteJournal,
) -> None:
    known = await journal.receive(make_raw("C1"), peer=PEER)

    received = await receive_at_once(journal, make_raw("C0"), make_raw("C1"), make_raw("C2"))

    assert [each.is_duplicate for each in received] == [False, True, False]
    assert received[1].message_id == known.message_id


async def receive_in_one_batch(journal: SqliteJournal, *raws: RawReport) -> list[Received]:
    """Hand over messages as the writer does that found all of them waiting."""
    arrivals = [Arrival(raw, PEER) for raw in raws]
    return await journal.writer.submit(receive_together, arrivals)


async def test_a_known_control_id_with_other_content_is_said_to_be_reused_among_new_ones(
    journal: SqliteJournal,
) -> None:
    await journal.receive(make_raw("C1", payload=b"one"), peer=PEER)

    received = await receive_in_one_batch(
        journal, make_raw("C0"), make_raw("C1", payload=b"two"), make_raw("C2")
    )

    assert [each.is_control_id_reused for each in received] == [False, True, False]
    assert not any(each.is_duplicate for each in received)
    assert len(await pending_ids(journal)) == 4
    entries = await journal.entries(after=1, limit=10)
    assert [entry.detail["is_control_id_reused"] for entry in entries] == [0, 1, 0]


async def test_a_control_id_twice_in_one_batch_with_two_contents_is_said_to_be_reused(
    journal: SqliteJournal,
) -> None:
    received = await receive_in_one_batch(
        journal, make_raw("C1", payload=b"one"), make_raw("C2"), make_raw("C1", payload=b"two")
    )

    assert [each.is_control_id_reused for each in received] == [False, False, True]
    assert not any(each.is_duplicate for each in received)


async def test_messages_without_a_control_id_in_one_batch_reuse_none(
    journal: SqliteJournal,
) -> None:
    known = await journal.receive(make_raw("", payload=b"zero"), peer=PEER)

    received = await receive_in_one_batch(
        journal, *(make_raw("", payload=payload) for payload in (b"one", b"two", b"zero", b"one"))
    )

    assert [each.is_duplicate for each in received] == [False, False, True, True]
    assert [each.message_id for each in received[2:]] == [known.message_id, received[0].message_id]
    assert not any(each.is_control_id_reused for each in received)
