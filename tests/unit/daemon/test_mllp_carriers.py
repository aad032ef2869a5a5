"""What carries over MLLP: each answer of a receiver, or none, over real sockets."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from daemon.config_mllp import Send, SendTls
from daemon.delivery import NewDelivery
from daemon.mllp_carriers import Link
from tests.samples.certificates import Authority
from tests.unit.daemon.delivery_samples import RETRY, Sender, message, queue, trail_of
from tests.unit.daemon.journal_samples import make_new, receive
from tests.unit.daemon.receiving_engine import ReceivingEngine, acknowledgment, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock


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
    assert engine.control_ids == ["D1"]


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
        sender.links["ris"] = Link(settings)
        await sender.try_all()
        sender.close()

    delivery = await trail_of(journal, "D1")
    assert (delivery.state, delivery.reason, delivery.attempts) == expected


async def test_a_message_that_cannot_be_framed_is_given_up(
    journal: SqliteJournal, clock: HandClock
) -> None:
    await queue(journal, "D1\x0b")
    async with ReceivingEngine() as engine:
        sender = Sender(journal, clock, ris=engine.port)
        await sender.try_all()

    delivery = await trail_of(journal, "D1\x0b")
    assert (delivery.state, delivery.reason) == ("failed", "framing_byte_in_payload")


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
