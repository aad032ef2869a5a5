"""The outbox: born with its cause, sent in order, waiting as data, audited."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from daemon.delivery import DeliveryId, NewDelivery
from daemon.errors import DeliveryMovedOnError, UnknownIdError
from daemon.journal_outbox import pending_deliveries
from daemon.journal_schema import connect_reader
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import IllegalTransitionError, State
from mappings.domain import ReportKey, ReportStatus
from tests.unit.daemon.journal_samples import (
    DRAFT,
    LATER,
    OBSERVATION,
    START,
    StepClock,
    bring_to,
    make_new,
    map_one,
    receive,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.delivery import DeliveryKind, PendingDelivery
    from daemon.journal_sqlite import SqliteJournal


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        yield journal


def oru(control_id: str, target: str = "ris") -> NewDelivery:
    return NewDelivery("oru", target, f"MSH|{control_id}\r".encode(), control_id)


def acknowledgment(control_id: str) -> NewDelivery:
    return NewDelivery("application_ack", "", f"MSH|{control_id}\r".encode(), control_id)


async def post(journal: SqliteJournal, *deliveries: NewDelivery, control_id: str = "C1") -> None:
    report_id = await bring_to(journal, State.DRAFTED, control_id)
    await journal.record_posted(
        report_id, reference="O/1", version_id="1", outcome="created", deliveries=deliveries
    )


async def due(journal: SqliteJournal, *but_not: DeliveryId) -> list[PendingDelivery]:
    return list(await journal.pending_deliveries(now=LATER, limit=100, but_not=but_not))


async def control_ids(journal: SqliteJournal) -> list[str]:
    return [delivery.control_id for delivery in await due(journal)]


async def test_a_delivery_is_due_with_the_post_that_causes_it(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"))

    [delivery] = await due(journal)
    trail = await journal.trail(delivery.message_id)
    assert (delivery.kind, delivery.target, delivery.attempts) == ("oru", "ris", 0)
    assert delivery.payload == b"MSH|D1\r"
    assert delivery.report_id == trail.reports[0].row.report_id
    assert [entry.event for entry in trail.entries][-2:] == ["post", "queue_delivery"]
    assert [each.state for each in trail.deliveries] == ["due"]
    assert (await journal.verify_chain()).is_whole


async def test_mapping_and_rejecting_owe_their_sender_an_acknowledgment(
    journal: SqliteJournal,
) -> None:
    mapped, rejected = await receive(journal, "C1"), await receive(journal, "C2")

    await journal.record_mapped(mapped, [make_new()], deliveries=[acknowledgment("A1")])
    await journal.record_rejected(rejected, "bad", None, deliveries=[acknowledgment("A2")])

    found = await due(journal)
    assert [(each.message_id, each.report_id) for each in found] == [
        (mapped, None),
        (rejected, None),
    ]


async def test_a_change_that_is_refused_queues_nothing(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    await journal.record_mapped(message_id, [make_new()])

    with pytest.raises(IllegalTransitionError):
        await journal.record_rejected(message_id, "bad", None, deliveries=[acknowledgment("A1")])

    assert await due(journal) == []


async def test_of_a_target_only_the_oldest_is_due_and_targets_do_not_wait_for_each_other(
    journal: SqliteJournal,
) -> None:
    await post(journal, oru("D1"), oru("E1", "pacs"), control_id="C1")
    await post(journal, oru("D2"), oru("E2", "pacs"), control_id="C2")

    first = await due(journal)
    await journal.record_delivery_retry(first[0].delivery_id, reason="busy", not_before=LATER)
    now = START + timedelta(minutes=1)
    while_waiting = await journal.pending_deliveries(now=now, limit=9)
    await journal.record_delivered(first[0].delivery_id, answer="AA")

    assert [each.control_id for each in first] == ["D1", "E1"]
    assert [each.control_id for each in while_waiting] == ["E1"]
    assert await control_ids(journal) == ["E1", "D2"]


async def test_each_kind_has_its_own_order_for_a_target(journal: SqliteJournal) -> None:
    kinds: tuple[DeliveryKind, ...] = ("notification", "kafka_result", "mirror", "oru")
    owed = [NewDelivery(kind, "hub", b"{}", f"{kind} {n}") for n in range(2) for kind in kinds]
    await post(journal, *owed)
    message_id = await receive(journal, "C2")
    await journal.record_mapped(message_id, [make_new()], deliveries=[acknowledgment("A1")])

    first = await due(journal)
    [stuck] = [each for each in first if each.kind == "mirror"]
    await journal.record_delivery_retry(stuck.delivery_id, reason="busy", not_before=LATER)
    for delivery in first:
        if delivery is not stuck:
            await journal.record_delivered(delivery.delivery_id, answer="201")
    now = START + timedelta(minutes=1)
    second = await journal.pending_deliveries(now=now, limit=9)

    assert {each.control_id for each in first} == {f"{kind} 0" for kind in kinds} | {"A1"}
    assert {each.control_id for each in second} == {
        f"{kind} 1" for kind in kinds if kind != "mirror"
    }


async def test_acknowledgments_have_no_order(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    owed = [acknowledgment(name) for name in ("A1", "A2", "A3")]
    await journal.record_mapped(message_id, [make_new()], deliveries=owed)

    first, *_ = await due(journal)
    rest = await due(journal, first.delivery_id)
    limited = await journal.pending_deliveries(now=LATER, limit=2)

    assert first.door == "mllp:default"
    assert [each.control_id for each in rest] == ["A2", "A3"]
    assert [each.control_id for each in limited] == ["A1", "A2"]


async def test_acknowledgments_for_one_target_hide_no_others(journal: SqliteJournal) -> None:
    message_id = await receive(journal)
    addressed = [NewDelivery("application_ack", "far", b"MSH|", f"F{n}") for n in range(5)]
    await journal.record_mapped(
        message_id, [make_new()], deliveries=[*addressed, acknowledgment("A1")]
    )

    found = await journal.pending_deliveries(now=LATER, limit=2)

    assert [each.control_id for each in found] == ["F0", "A1"]


async def test_what_is_held_back_hides_nothing_that_may_go(journal: SqliteJournal) -> None:
    await post(journal, *(oru(f"D{n}", f"hub {n}") for n in range(5)))
    message_id = await receive(journal, "C2")
    letter = NewDelivery("kafka_dead_letter", "reports.dlq", b"{}", "L1")
    await journal.record_mapped(message_id, [make_new()], deliveries=[acknowledgment("A1"), letter])

    found = await journal.pending_deliveries(
        now=LATER, limit=2, kinds=("application_ack", "kafka_dead_letter")
    )

    assert [each.control_id for each in found] == ["A1", "L1"]


async def test_what_is_due_is_found_without_a_walk_over_all(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_journal(path, clock=StepClock()) as journal:
        await post(journal, oru("D1"))
    plans: list[str] = []
    with closing(connect_reader(path)) as connection:
        connection.set_trace_callback(plans.append)
        pending_deliveries(connection, LATER, 64, (), None)
        connection.set_trace_callback(None)
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {plans[0]}")]

    # The one scan ends at its first row: it finds where the hopping begins.
    scans = [step for step in steps if step.startswith("SCAN delivery")]
    assert scans == ["SCAN delivery USING INDEX delivery_queue"]
    assert any("USING INTEGER PRIMARY KEY" in step for step in steps)


async def test_waiting_is_data_and_counts_only_when_asked(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"))
    [delivery] = await due(journal)
    until = START + timedelta(hours=1)

    await journal.record_delivery_retry(
        delivery.delivery_id, reason="connect_failed", not_before=until, is_counted=False
    )
    unreached = (await due(journal))[0].attempts
    await journal.record_delivery_retry(delivery.delivery_id, reason="busy", not_before=until)
    reached = (await due(journal))[0].attempts

    [trail] = (await journal.trail(delivery.message_id)).deliveries
    assert await journal.pending_deliveries(now=START, limit=9) == []
    assert (unreached, reached) == (0, 1)
    assert (trail.not_before, trail.reason) == (until, "busy")


async def test_a_failed_delivery_leaves_the_queue_and_an_operator_can_send_it_again(
    journal: SqliteJournal,
) -> None:
    await post(journal, oru("D1"))
    [delivery] = await due(journal)
    await journal.record_delivery_retry(delivery.delivery_id, reason="busy", not_before=START)

    await journal.record_delivery_failed(delivery.delivery_id, reason="answered_AE")
    left = await due(journal)
    moved = await journal.replay(delivery.delivery_id, actor="operator:test")

    [again] = await due(journal)
    entries = (await journal.trail(delivery.message_id)).entries
    assert left == []
    assert moved == ("failed", "due")
    assert (again.attempts, again.payload) == (0, delivery.payload)
    assert (entries[-1].event, entries[-1].actor) == ("resend_delivery", "operator:test")


async def test_what_is_sent_is_not_sent_again(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"))
    [delivery] = await due(journal)
    await journal.record_delivered(delivery.delivery_id, answer="AA")

    for change in (
        journal.record_delivered(delivery.delivery_id, answer="AA"),
        journal.record_delivery_failed(delivery.delivery_id, reason="late"),
        journal.record_delivery_retry(delivery.delivery_id, reason="late", not_before=START),
        journal.replay(delivery.delivery_id, actor="operator:test"),
    ):
        with pytest.raises(DeliveryMovedOnError):
            await change

    assert await due(journal) == []
    with pytest.raises(UnknownIdError):
        await journal.record_delivered(DeliveryId("nobody"), answer="AA")


async def test_what_waits_of_an_older_version_is_withdrawn(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"), control_id="C1")
    [waiting] = await due(journal)

    await map_one(journal, "C2", make_new(ReportStatus.FINAL, key=ReportKey("C1")))
    left = await due(journal)
    await journal.record_delivered(waiting.delivery_id, answer="AA")

    [trail] = (await journal.trail(waiting.message_id)).deliveries
    assert left == []
    assert trail.state == "sent", "it was on its way when the newer version came"


async def test_what_failed_of_an_older_version_cannot_be_sent_again(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"), control_id="C1")
    [delivery] = await due(journal)
    await journal.record_delivery_failed(delivery.delivery_id, reason="answered_AE")

    await map_one(journal, "C2", make_new(ReportStatus.FINAL, key=ReportKey("C1")))

    with pytest.raises(DeliveryMovedOnError):
        await journal.replay(delivery.delivery_id, actor="operator:test")
    assert await due(journal) == []


async def test_a_late_preliminary_withdraws_nothing(journal: SqliteJournal) -> None:
    final = make_new(ReportStatus.FINAL, key=ReportKey("C1"))
    report_id = await map_one(journal, "C1", final)
    await journal.record_drafted(report_id, DRAFT, OBSERVATION)
    await journal.record_posted(
        report_id, reference="O/1", version_id=None, outcome="created", deliveries=[oru("D1")]
    )

    await map_one(journal, "C2", make_new(ReportStatus.PRELIMINARY, key=ReportKey("C1")))

    assert await control_ids(journal) == ["D1"]


async def test_a_report_superseded_while_its_post_was_under_way_is_sent_to_nobody(
    journal: SqliteJournal,
) -> None:
    report_id = await bring_to(journal, State.DRAFTED, "C1")
    await map_one(journal, "C2", make_new(ReportStatus.FINAL, key=ReportKey("C1")))

    await journal.record_posted(
        report_id, reference="O/1", version_id=None, outcome="created", deliveries=[oru("D1")]
    )

    assert await due(journal) == []


async def test_what_waits_is_counted_by_target(journal: SqliteJournal) -> None:
    await post(journal, oru("D1"), oru("E1", "pacs"), control_id="C1")
    await post(journal, oru("D2"), control_id="C2")
    [first, _] = await due(journal)
    counted = await journal.deliveries_due()

    await journal.record_delivery_failed(first.delivery_id, reason="answered_AE")

    assert counted == {("oru", "ris"): 2, ("oru", "pacs"): 1}
    assert await journal.deliveries_due() == {("oru", "ris"): 1, ("oru", "pacs"): 1}


async def test_the_queue_survives_the_process(tmp_path: Path) -> None:
    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        await post(journal, oru("D1"))
        [before] = await due(journal)

    async with open_journal(tmp_path / "journal.db", clock=StepClock()) as journal:
        assert await due(journal) == [before]


async def test_a_message_sent_again_has_its_last_acknowledgment_sent_again(
    journal: SqliteJournal,
) -> None:
    message_id = await receive(journal, "C1")
    await journal.record_rejected(message_id, "bad", None, deliveries=[acknowledgment("K1")])
    await journal.replay(message_id, actor="operator:test")
    await journal.record_rejected(message_id, "bad", None, deliveries=[acknowledgment("K2")])
    for delivery in await due(journal):
        await journal.record_delivered(delivery.delivery_id, answer="sent")

    again = await receive(journal, "C1")
    repeated = await due(journal)
    await receive(journal, "C1")

    assert again == message_id
    assert [delivery.control_id for delivery in repeated] == ["K2"]
    assert await due(journal) == repeated
    assert (await journal.verify_chain()).is_whole
