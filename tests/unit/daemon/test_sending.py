"""``prelim send``: every answer is printed and counted, whatever it is."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING

import pytest

from daemon.errors import ConfigurationError
from daemon.sending import SendPlan, choose_tls, percentile, send_all
from interfaces.mllp_contract import Answer, ListenerLimits
from interfaces.mllp_server import MllpServer
from tests.samples.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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
        SendPlan("127.0.0.1", port, concurrency=2, timeout_s=10),
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


async def test_what_nobody_is_asked_to_answer_is_yes_and_said_to_be_sent(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = SendPlan("127.0.0.1", port, awaited="none")

    assert await send_all([MESSAGE % 1], plan, as_json=False)

    assert "1 sent: 1 sent; answers none" in capsys.readouterr().out


async def test_a_listener_with_tls_is_sent_to_and_one_that_is_not_believed_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mine, other = Authority(tmp_path, "mine"), Authority(tmp_path, "other")
    pair = mine.issue("listener")
    context.load_cert_chain(pair.certificate, pair.key)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(b"\x0bMSH|^~\\&|||||1||ACK|1|P|2.5\rMSA|CA|2\r\x1c\r")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    plans = [
        SendPlan("127.0.0.1", port, tls=choose_tls(authority.path, None, None))
        for authority in (mine, other)
    ]
    results = [await send_all([MESSAGE % 2], plan, as_json=False) for plan in plans]
    server.close()
    await asyncio.sleep(0.01)  # nothing to wait on: asyncio lets go of TLS transports later

    assert results == [True, False]
    assert "no answer (tls_failed)" in capsys.readouterr().out


def test_tls_is_chosen_by_its_files_and_a_bad_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()

    assert choose_tls(None, None, None) is None
    for files, where in (
        ((tmp_path / "empty.pem", None, None), "--tls-ca"),
        ((None, tmp_path / "missing.pem", None), "--tls-certificate"),
        ((None, None, tmp_path / "empty.pem"), "--tls-certificate"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            choose_tls(*files)
        assert caught.value.where == where


def test_percentiles_are_values_that_occurred() -> None:
    seconds = [0.1 * number for number in range(1, 101)]

    assert percentile(seconds, 0.5) == pytest.approx(5.1)
    assert percentile(seconds, 0.99) == pytest.approx(10.0)
    assert percentile([3.0], 0.99) == 3.0
