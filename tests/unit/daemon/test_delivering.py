"""The deliver step: each answer of a receiver, or none, leads to its state; over real sockets."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING

import pytest

from daemon.config_mllp import Send, SendRetry, SendTls
from daemon.delivering import DeliverStep, Link
from daemon.delivery import NewDelivery
from daemon.lifecycle import State
from daemon.logs import start_logging
from daemon.metrics import Metrics
from mappings.domain import ReportKey, ReportStatus
from tests.unit.daemon.journal_samples import bring_to, make_new, map_one, receive
from tests.unit.daemon.receiving_engine import ReceivingEngine, acknowledgment, say
from tests.unit.interfaces.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.delivery import DeliveryTrail, PendingDelivery
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

RETRY = SendRetry(attempts_max=3, wait_min_s=2, wait_max_s=600)


def message(control_id: str) -> bytes:
    return f"MSH|^~\\&|PRELIM||RIS|A|20261121||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r".encode()


async def queue(journal: SqliteJournal, *control_ids: str, target: str = "ris") -> None:
    for control_id in control_ids:
        report_id = await bring_to(journal, State.DRAFTED, f"{target} {control_id}")
        delivery = NewDelivery("oru", target, message(control_id), control_id)
        await journal.record_posted(
            report_id, reference="O/1", version_id="1", outcome="created", deliveries=[delivery]
        )


class Sender:
    """The step over one journal, with a link to each engine."""

    def __init__(
        self,
        journal: SqliteJournal,
        clock: HandClock,
        *,
        timeout_s: float = 5,
        acknowledged: bool = True,
        **ports: int,
    ) -> None:
        self.journal, self.clock, self.metrics = journal, clock, Metrics()
        self.links = {
            name: Link(name, Send(host="127.0.0.1", port=port, timeout_s=timeout_s, retry=RETRY))
            for name, port in ports.items()
        }
        self.acknowledged: list[PendingDelivery] = []

        async def acknowledge(delivery: PendingDelivery) -> bool:
            self.acknowledged.append(delivery)
            return acknowledged

        self.step = DeliverStep(
            journal, links=self.links, acknowledge=acknowledge, clock=clock, metrics=self.metrics
        )

    async def due(self) -> list[PendingDelivery]:
        return list(await self.journal.pending_deliveries(now=self.clock.now(), limit=9))

    async def try_all(self) -> None:
        """Try what is due now, once each, until nothing is due."""
        while found := await self.due():
            for delivery in found:
                await self.step(delivery)

    def close(self) -> None:
        for link in self.links.values():
            link.close()

    def count(self, outcome: str, target: str = "ris") -> float:
        found = self.metrics.registry.get_sample_value(
            "prelim_deliveries_total", {"target": target, "outcome": outcome}
        )
        return found or 0.0


async def trail_of(journal: SqliteJournal, control_id: str) -> DeliveryTrail:
    for row in await journal.rows():
        for delivery in (await journal.trail(row.message_id)).deliveries:
            if delivery.control_id == control_id:
                return delivery
    raise AssertionError(control_id)


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        ("AA", "sent", "AA"),
        ("CA", "sent", "CA"),
        ("AE", "failed", "answered_AE"),
        ("CE", "failed", "answered_CE"),
        ("AR", "due", "answered_AR"),
        ("CR", "due", "answered_CR"),
        ("close", "due", "connection_lost"),
    ],
)
async def test_each_answer_leads_to_its_state(
    journal: SqliteJournal, clock: HandClock, code: str, state: str, reason: str
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine(say(code)) as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()
        sender.close()

    delivery = await trail_of(journal, "D1")
    outcomes = {"sent": "sent", "failed": "failed", "due": "retry"}
    assert (delivery.state, delivery.reason) == (state, reason)
    assert sender.count(outcomes[state]) == 1
    assert engine.heard == [message("D1")]


async def test_a_missing_answer_closes_the_connection_and_the_same_bytes_go_again(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine(say("-", "AA")) as engine:
        sender = Sender(journal, clock, timeout_s=0.2, ris=engine.port)
        await sender.try_all()
        waiting = await trail_of(journal, "D1")
        clock.advance(2)
        await sender.try_all()
        sender.close()

    assert (waiting.state, waiting.reason, waiting.attempts) == ("due", "ack_timeout", 1)
    assert (await trail_of(journal, "D1")).state == "sent"
    assert engine.heard == [message("D1")] * 2
    assert engine.connections == 2


async def test_a_late_answer_is_never_that_of_the_next_message(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1", "D2")

    def script(payload: bytes) -> list[bytes]:
        if b"|D1|" in payload and len(engine.heard) == 1:
            return []
        if b"|D1|" in payload:
            return [acknowledgment("AE", b"D1")]
        return [acknowledgment("AA", b"D1"), acknowledgment("AR", b"D2")]

    async with ReceivingEngine(script) as engine:
        sender = Sender(journal, clock, timeout_s=0.2, ris=engine.port)
        await sender.try_all()
        clock.advance(2)
        await sender.try_all()
        sender.close()

    assert (await trail_of(journal, "D1")).reason == "answered_AE"
    assert (await trail_of(journal, "D2")).reason == "answered_AR"


async def test_an_answer_with_another_msa_2_is_no_answer(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine(lambda _: [acknowledgment("AA", b"D1 ")]) as engine:
        sender = Sender(journal, clock, timeout_s=0.2, ris=engine.port)
        await sender.try_all()
        sender.close()

    assert (await trail_of(journal, "D1")).reason == "ack_timeout"


async def test_tries_that_reach_nobody_do_not_count_and_wait_longer_each_time(
    journal: SqliteJournal, clock: HandClock, free_port: Callable[[], int]
) -> None:
    await queue(journal, "D1")
    port = free_port()
    sender = Sender(journal, clock, ris=port)
    waits = []
    for _ in range(6):  # twice as often as RETRY allows tries that count
        await sender.try_all()
        until = (await trail_of(journal, "D1")).not_before
        assert until is not None
        waits.append((until - clock.now()).total_seconds())
        clock.advance(waits[-1])
    async with ReceivingEngine(port=port) as engine:
        await sender.try_all()
        sender.close()

    assert waits == [2, 4, 8, 16, 32, 64]
    assert (await trail_of(journal, "D1")).state == "sent"
    assert sender.links["ris"].unreached == 0
    assert engine.control_ids == ["D1"]


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
    assert await journal.deliveries_due() == {"dead": 2}


async def test_a_receiver_that_closes_after_each_message_gets_them_without_a_wait(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1", "D2", "D3")

    def script(payload: bytes) -> list[bytes]:
        return [*say("AA")(payload), b"close"]

    async with ReceivingEngine(script) as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()
        sender.close()

    assert list(dict.fromkeys(engine.control_ids)) == ["D1", "D2", "D3"]
    assert sender.count("sent") == 3


async def test_a_receiver_that_was_restarted_goes_on_where_it_was(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    async with ReceivingEngine() as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()
    await queue(journal, "D2")
    await sender.try_all()
    clock.advance(2)
    async with ReceivingEngine(port=engine.port) as again:
        await sender.try_all()
        sender.close()

    assert (engine.control_ids, again.control_ids) == (["D1"], ["D2"])


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


@pytest.mark.parametrize(
    ("believed", "expected"), [("engine", ("sent", "AA", 0)), ("other", ("due", "tls_failed", 0))]
)
async def test_a_message_over_tls_goes_only_to_whom_we_believe(
    journal: SqliteJournal,
    clock: HandClock,
    tmp_path: Path,
    believed: str,
    expected: tuple[str, str, int],
) -> None:
    await queue(journal, "D1")
    authorities = {name: Authority(tmp_path, name) for name in ("engine", "other")}
    pair = authorities["engine"].issue("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with ReceivingEngine(tls=context) as engine:
        tls = SendTls(ca=authorities[believed].path)
        settings = Send(host="127.0.0.1", port=engine.port, retry=RETRY, tls=tls)
        sender = Sender(journal, clock)
        sender.links["ris"] = Link("ris", settings)
        await sender.try_all()
        sender.close()

    delivery = await trail_of(journal, "D1")
    assert (delivery.state, delivery.reason, delivery.attempts) == expected


async def test_a_receiver_that_the_settings_do_not_know_any_more_is_waited_for(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1")
    sender = Sender(journal, clock)
    await sender.try_all()

    delivery = await trail_of(journal, "D1")
    assert (delivery.state, delivery.reason, delivery.attempts) == ("due", "target_unknown", 0)


async def test_a_message_that_cannot_be_framed_is_given_up(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1\x0b")
    async with ReceivingEngine() as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()

    delivery = await trail_of(journal, "D1\x0b")
    assert (delivery.state, delivery.reason) == ("failed", "framing_byte_in_payload")


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


@pytest.mark.parametrize(("acknowledged", "state"), [(True, "sent"), (False, "due")])
async def test_an_application_acknowledgment_is_told_or_waits_for_its_sender(
    journal: SqliteJournal,
    clock: HandClock,
    acknowledged: bool,  # noqa: FBT001 - a parameter of the case, not of an interface
    state: str,
) -> None:
    message_id = await receive(journal)
    owed = NewDelivery("application_ack", "", message("A1"), "A1")
    await journal.record_mapped(message_id, [make_new()], deliveries=[owed])
    sender = Sender(journal, clock, acknowledged=acknowledged)

    await sender.try_all()

    assert [each.control_id for each in sender.acknowledged] == ["A1"]
    assert (await trail_of(journal, "A1")).state == state


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
