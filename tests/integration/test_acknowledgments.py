"""What a sender hears over a real socket from a whole daemon: at once, later, after a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import pytest

from daemon.app import App
from daemon.config import load_settings
from interfaces.mllp_codec import FrameDecoder, FrameReceived, encode_frame
from mappings.hl7_ack import parse_ack
from mappings.hl7_batch import split_messages
from tests.unit.daemon.receiving_engine import ReceivingEngine, say

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.config import Settings

HEAD = b"MSH|^~\\&|RIS|HOSP|PRELIM|HUB|20261121080000||%b|%b|P|2.5.1|||%b\rPID|1||P1^^^DEMO\r"
BODY = b"OBR|1|O1|%b|CT^CT CHEST^L\rOBX|1|TX|&GDT||There is a 12 mm nodule.||||||P\r"


def message(control_id: bytes, asked: bytes = b"AL|AL", kind: bytes = b"ORU^R01") -> bytes:
    return HEAD % (kind, control_id, asked) + BODY % control_id


def settings(folder: Path, *, send: object = None, **listener: object) -> Settings:
    overrides = {
        "data": folder,
        "mllp": {"listeners": {"default": {"port": 0, **listener}}, "send": send or {}},
        "http": {"port": 0},
        "model": {"engine": "extractive", "allow_demo": True},
    }
    return load_settings(overrides=overrides, environment={})


class Sender:
    """A sender that hears everything that is said to it; use as an async context."""

    def __init__(self, app: App) -> None:
        self._port = app.doors["default"].port
        self._decoder = FrameDecoder(1_000_000)
        self._heard: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    def send(self, payload: bytes) -> None:
        self._writer.write(encode_frame(payload))

    async def hear(self) -> bytes:
        """Return the next message."""
        while not self._heard:
            data = await self._reader.read(65536)
            assert data, "the connection was closed"
            events = self._decoder.receive(data)
            self._heard += [event.payload for event in events if isinstance(event, FrameReceived)]
        return self._heard.pop(0)

    async def hear_codes(self, count: int) -> list[tuple[str, bytes]]:
        acks = [parse_ack(await self.hear()) for _ in range(count)]
        return [(ack.code, ack.control_id) for ack in acks]

    async def hears_nothing_more(self) -> bool:
        """Ask for an answer; whether it is the next thing to come."""
        self.send(message(b"LAST", b""))
        return await self.hear_codes(1) == [("AA", b"LAST")]


async def acknowledged(app: App, outcome: str) -> None:
    """Wait until an application acknowledgment was tried."""
    labels = {"kind": "application_ack", "target": "", "outcome": outcome}
    while not app.metrics.registry.get_sample_value("prelim_deliveries_total", labels):
        await asyncio.sleep(0.02)


async def test_the_application_acknowledgment_follows_the_accept_acknowledgment(
    tmp_path: Path,
) -> None:
    async with App(settings(tmp_path)) as app, Sender(app) as sender:
        sender.send(message(b"\xe9\\F\\1"))
        accept, application = await sender.hear(), await sender.hear()

    assert [parse_ack(one).code for one in (accept, application)] == ["CA", "AA"]
    assert {parse_ack(one).control_id for one in (accept, application)} == {b"\xe9\\F\\1"}
    assert accept.split(b"|")[9] != application.split(b"|")[9]


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        (b"AL|NE", ["CA"]),
        (b"NE|AL", ["AE"]),
        (b"AL|AL", ["CA", "AE"]),
        (b"SU|ER", ["CA", "AE"]),
        (b"AL|SU", ["CA"]),
        (b"ER|NE", []),
        (b"", ["AA"]),
    ],
)
async def test_content_that_cannot_be_read_is_told_later_to_those_who_asked(
    tmp_path: Path, asked: bytes, codes: list[str]
) -> None:
    async with App(settings(tmp_path)) as app, Sender(app) as sender:
        sender.send(message(b"1", asked) + b"DSC|more\r")
        heard = [await sender.hear() for _ in codes]
        while not any(row.reason for row in await app.journal.rows()):
            await asyncio.sleep(0.02)

        assert await sender.hears_nothing_more()

    assert [parse_ack(one).code for one in heard] == codes
    if "AE" in codes:
        assert (
            b"\rERR||DSC^1|100^Segment sequence error^HL70357|E||||fragment_of_message\r"
            in (heard[-1])
        )


async def test_a_type_that_is_not_read_is_accepted_in_both_answers(tmp_path: Path) -> None:
    async with App(settings(tmp_path)) as app, Sender(app) as sender:
        sender.send(message(b"1", kind=b"MDM^T02"))

        assert await sender.hear_codes(2) == [("CA", b"1"), ("AA", b"1")]
        [row] = await app.journal.rows()

    assert (row.state, row.reason) == ("SKIPPED", "message_type_ignored")


async def test_a_message_sent_again_hears_both_answers_again_and_makes_nothing_new(
    tmp_path: Path,
) -> None:
    async with App(settings(tmp_path)) as app, Sender(app) as sender:
        sender.send(message(b"1"))
        first = [await sender.hear(), await sender.hear()]
        async with Sender(app) as later:
            later.send(message(b"1"))
            again = [await later.hear(), await later.hear()]
        rows = await app.journal.rows()

        assert await sender.hears_nothing_more()

    assert [parse_ack(one).code for one in again] == ["CA", "AA"]
    assert again[1] == first[1]
    assert len(rows) == 1


async def test_what_is_owed_to_a_sender_is_told_after_a_restart_when_it_is_back(
    tmp_path: Path,
) -> None:
    chosen = settings(tmp_path)
    async with App(chosen) as app, Sender(app) as sender:
        await app.pipeline.drain(1)  # nothing is read before the restart
        sender.send(message(b"1"))
        assert await sender.hear_codes(1) == [("CA", b"1")]

    async with App(chosen) as app:
        await acknowledged(app, "retry")  # nobody is there
        async with Sender(app) as sender:
            sender.send(message(b"2"))
            heard = await sender.hear_codes(3)

    assert heard[0] == ("CA", b"2")
    assert sorted(heard[1:]) == [("AA", b"1"), ("AA", b"2")]


async def test_an_application_acknowledgment_goes_to_the_address_that_is_configured(
    tmp_path: Path,
) -> None:
    async with ReceivingEngine(say("-")) as engine:
        receiver = {"ris": {"host": "127.0.0.1", "port": engine.port}}
        chosen = settings(tmp_path, send=receiver, application_ack_to="ris")
        async with App(chosen) as app, Sender(app) as sender:
            sender.send(message(b"1"))
            await engine.arrived.wait()

            assert await sender.hear_codes(1) == [("CA", b"1")]
            assert await sender.hears_nothing_more()

    [acknowledgment] = engine.heard
    assert parse_ack(acknowledgment).code == "AA"
    assert parse_ack(acknowledgment).control_id == b"1"


@pytest.mark.parametrize("batch_answer", ["message", "batch"])
async def test_a_batch_in_one_frame_is_answered_message_by_message_or_as_a_batch(
    tmp_path: Path, batch_answer: str
) -> None:
    bad = message(b"2", b"").replace(b"|P|2.5.1", b"|P|3.0")
    frame = b"BHS|^~\\&|RIS|HOSP|||2026||||B7\r" + message(b"1", b"") + bad + message(b"3")
    chosen = settings(tmp_path, batch_answer=batch_answer)
    async with App(chosen) as app, Sender(app) as sender:
        sender.send(frame + b"BTS|3\r")
        if batch_answer == "message":
            heard = await sender.hear_codes(3)
        else:
            answer = await sender.hear()
            acks = [parse_ack(one) for one in split_messages(answer)]
            heard = [(ack.code, ack.control_id) for ack in acks]
        assert await sender.hear_codes(1) == [("AA", b"3")]  # of the one that asked for it
        rows = await app.journal.rows()

    assert heard == [("AA", b"1"), ("AR", b"2"), ("CA", b"3")]
    assert len(rows) == 3


async def test_the_ack_of_a_peer_is_not_answered_in_any_way(tmp_path: Path) -> None:
    ack = b"MSH|^~\\&|RIS|HOSP|||2026||ACK^R01|9|P|2.5.1|||AL|AL\rMSA|AA|1\r"
    async with App(settings(tmp_path)) as app, Sender(app) as sender:
        sender.send(ack)

        assert await sender.hears_nothing_more()
