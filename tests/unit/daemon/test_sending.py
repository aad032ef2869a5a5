"""``prelim send``: every answer is printed and counted, whatever it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from daemon.sending import percentile, send_all
from interfaces.mllp_contract import Answer, ListenerLimits
from interfaces.mllp_server import MllpServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from interfaces.mllp_contract import FrameFault, Later

MESSAGE = b"MSH|^~\\&|A|B|||20261121||ORU^R01|%d|P|2.5\r"


class Peer:
    """Takes even control ids and refuses odd ones."""

    async def answer(self, payload: bytes, *, door: str, peer: str, later: Later) -> Answer:
        control_id = payload.split(b"|")[9]
        code = b"AA" if int(control_id) % 2 == 0 else b"AE"
        ack = b"MSH|^~\\&|||||20261121||ACK|1|P|2.5\rMSA|" + code + b"|" + control_id + b"\r"
        return Answer((ack,), is_stored=True)

    async def refuse(self, head: bytes, fault: FrameFault, *, door: str, peer: str) -> Answer:
        return Answer()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = MllpServer(Peer(), ListenerLimits(), door="default", host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.drain(1)


async def send(port: int, *numbers: int, as_json: bool = False) -> bool:
    return await send_all(
        [MESSAGE % number for number in numbers],
        host="127.0.0.1",
        port=port,
        concurrency=2,
        timeout_s=10,
        as_json=as_json,
    )


async def test_all_accepted_is_yes(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert await send(port, 0, 2)

    out = capsys.readouterr().out
    assert out.count(" AA ") == 2
    assert "2 sent: 2 AA" in out


async def test_one_refused_is_no(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert not await send(port, 0, 1, as_json=True)

    lines = capsys.readouterr().out.splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert {record.get("code") for record in records[:-1]} == {"AA", "AE"}
    assert records[-1]["codes"] == {"AA": 1, "AE": 1}


async def test_nobody_there_is_no_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert not await send(1, 0)

    assert "no answer (connect_failed)" in capsys.readouterr().out


def test_percentiles_are_values_that_occurred() -> None:
    seconds = [0.1 * number for number in range(1, 101)]

    assert percentile(seconds, 0.5) == pytest.approx(5.1)
    assert percentile(seconds, 0.99) == pytest.approx(10.0)
    assert percentile([3.0], 0.99) == 3.0
