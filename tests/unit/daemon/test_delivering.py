"""The deliver step: whatever its carrier says leads to its state, whenever it is cut short."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from daemon.logs import start_logging
from interfaces.errors import SendRetryError
from mappings.domain import ReportKey, ReportStatus
from tests.unit.daemon.delivery_samples import RETRY, Sender, message, queue, trail_of
from tests.unit.daemon.journal_samples import make_new, map_one
from tests.unit.daemon.receiving_engine import ReceivingEngine, say

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from daemon.config_values import SendRetry
    from daemon.delivery import PendingDelivery
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock


async def test_spent_tries_end_in_failed_and_the_next_message_has_its_turn(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1", "D2")
    async with ReceivingEngine(say("AR", "AR", "AR", "AA")) as engine:
        sender = Sender(journal, clock, ris=engine.port)
        for _ in range(3):
            await sender.try_all()
            clock.advance(600)
        sender.close()

    assert (await trail_of(journal, "D1")).state == "failed"
    assert (await trail_of(journal, "D2")).state == "sent"
    assert engine.control_ids == ["D1", "D1", "D1", "D2"]


async def test_the_order_is_kept_over_one_connection(
    journal: SqliteJournal, clock: HandClock
) -> None:
    names = [f"D{number}" for number in range(12)]
    await queue(journal, *names)
    async with ReceivingEngine() as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()
        sender.close()

    assert engine.control_ids == names
    assert engine.connections == 1


async def test_a_dead_receiver_stops_no_other(
    journal: SqliteJournal, clock: HandClock, free_port: Callable[[], int]
) -> None:
    await queue(journal, "D1", "D2", target="dead")
    await queue(journal, "E1", "E2", target="alive")
    async with ReceivingEngine() as engine:
        sender = Sender(journal, clock, dead=free_port(), alive=engine.port)
        await sender.try_all()
        sender.close()

    assert engine.control_ids == ["E1", "E2"]
    assert await journal.deliveries_due() == {("oru", "dead"): 2}


async def test_what_was_sent_and_not_recorded_goes_again_under_the_same_control_id(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine(say("-", "AA")) as engine:
        killed = Sender(journal, clock, ris=engine.port)
        [delivery] = await killed.due()
        trying = asyncio.ensure_future(killed.step(delivery))
        await engine.arrived.wait()
        trying.cancel()
        await asyncio.wait([trying])
        killed.close()
        restarted = Sender(journal, clock, ris=engine.port)
        await restarted.try_all()
        restarted.close()

    assert engine.heard == [message("D1")] * 2
    assert (await trail_of(journal, "D1")).state == "sent"


async def test_a_receiver_that_the_settings_do_not_know_any_more_is_waited_for(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    sender = Sender(journal, clock)
    await sender.try_all()
    clock.advance(600)
    sender.carriers.clear()
    await sender.try_all()

    delivery = await trail_of(journal, "D1")
    assert (delivery.state, delivery.reason, delivery.attempts) == ("due", "target_unknown", 0)


class ScriptedCarrier:
    """Gives one answer after the other."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)

    def retry_of(self, _target: str) -> SendRetry:
        return RETRY

    async def carry(self, _delivery: PendingDelivery) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_receivers_own_word_on_when_to_come_back_is_kept_to_the_second(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    sender = Sender(journal, clock)
    sender.carriers["oru"] = ScriptedCarrier(SendRetryError("http_503", retry_after_s=90), "201")
    await sender.try_all()

    clock.advance(89)
    early = await sender.due()
    clock.advance(1)
    await sender.try_all()

    delivery = await trail_of(journal, "D1")
    assert early == []
    assert (delivery.state, delivery.reason, delivery.attempts) == ("sent", "201", 1)


async def test_the_waits_begin_anew_once_a_receiver_was_reached(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1", "D2")
    away = SendRetryError("connect_failed", was_reached=False)
    sender = Sender(journal, clock)
    sender.carriers["oru"] = ScriptedCarrier(away, away, "AA", away)
    await sender.try_all()
    clock.advance(2)
    await sender.try_all()
    clock.advance(4)
    await sender.try_all()

    until = (await trail_of(journal, "D2")).not_before
    assert until is not None
    assert (until - clock.now()).total_seconds() == RETRY.wait_min_s


async def test_a_message_withdrawn_while_it_waits_for_its_answer_is_left_so(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine(say("-")) as engine:
        sender = Sender(journal, clock, timeout_s=0.3, ris=engine.port)
        [delivery] = await sender.due()
        trying = asyncio.ensure_future(sender.step(delivery))
        await engine.arrived.wait()
        final = make_new(ReportStatus.FINAL, key=ReportKey("ris D1"))
        await map_one(journal, "newer", final)
        await trying
        sender.close()

    assert (await trail_of(journal, "D1")).state == "withdrawn"


async def test_a_fault_of_ours_counts_as_a_try(journal: SqliteJournal, clock: HandClock) -> None:
    await queue(journal, "D1")
    sender = Sender(journal, clock, ris=1)
    [delivery] = await sender.due()

    await sender.step.put_off(delivery, "KeyError")

    trail = await trail_of(journal, "D1")
    assert (trail.reason, trail.attempts) == ("deliver_failed_KeyError", 1)


async def test_log_lines_name_the_delivery_and_nothing_of_it(
    journal: SqliteJournal, clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging("info")
    await queue(journal, "QUETZALCANARY")
    async with ReceivingEngine(say("AR", "AE")) as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()
        clock.advance(2)
        await sender.try_all()
        sender.close()

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = {line["event"]: line for line in lines if line["event"].startswith("delivery.")}
    assert told["delivery.put_off"]["reason"] == "answered_AR"
    assert told["delivery.failed"]["level"] == "error"
    assert told["delivery.failed"]["target"] == "ris"
    assert "QUETZALCANARY" not in str(lines)
