"""Doors from their settings, over real sockets: what is set is what the door does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from daemon.certificates import Certificates
from daemon.config_mllp import Listener, Mllp
from daemon.doors import Doors, check_doors
from daemon.errors import ConfigurationError
from interfaces.mllp_codec import encode_frame
from interfaces.mllp_contract import ListenerLimits
from tests.samples.certificates import Authority, Pair, client_context
from tests.unit.interfaces.mllp_peers import Handler

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path


class Echo(Handler):
    async def answer(self, payload: bytes, *, door: str, peer: str, later: Any) -> Any:  # noqa: ANN401 - as its parent
        return await super().answer(payload, door="test", peer="127.0.0.1:1", later=later)


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    opened = Doors(Certificates())
    yield opened
    for name in list(opened):
        await opened.close(name, 1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def listener(pair: Pair | None = None, **settings: object) -> Listener:
    tls = {"certificate": pair.certificate, "key": pair.key} if pair else None
    return Listener.model_validate({"port": 0, "tls": tls, **settings})


async def ask(doors: Doors, name: str, context: ssl.SSLContext | None = None) -> tuple[bytes, str]:
    """Return the answer, and the serial number of the door's certificate."""
    reader, writer = await asyncio.open_connection("127.0.0.1", doors[name].port, ssl=context)
    try:
        writer.write(encode_frame(b"one"))
        answer = await reader.readuntil(b"\x1c\r")
        tls = writer.get_extra_info("ssl_object")
        return answer, tls.getpeercert()["serialNumber"] if tls else ""
    finally:
        writer.transport.abort()


def test_what_is_set_by_default_is_what_a_door_bears_by_itself() -> None:
    defaults, ours = Listener(), ListenerLimits()

    shared = set(Listener.model_fields) & set(ListenerLimits.__slots__)

    assert len(shared) == len(ListenerLimits.__slots__) - 2  # in_flight_max, faults_max: not set
    assert {name: getattr(defaults, name) for name in shared} == {
        name: getattr(ours, name) for name in shared
    }


async def test_every_limit_that_is_set_reaches_the_door(doors: Doors) -> None:
    values = {
        "frame_bytes_max": 1,
        "frame_timeout_s": 2,
        "idle_timeout_s": 3,
        "write_timeout_s": 4,
        "answer_timeout_s": 5,
        "handshake_timeout_s": 6,
        "connections_max": 7,
        "connections_per_host_max": 8,
        "messages_per_second_max": 9,
    }

    await doors.open("a", listener(**values), Echo())

    assert {name: getattr(doors["a"].limits, name) for name in values} == values


async def test_each_door_keeps_its_own_terms(doors: Doors, authority: Authority) -> None:
    await doors.open("plain", listener(release=2), Echo())
    await doors.open("closed", listener(allow_hosts=["10.0.0.0/8"]), Echo())
    await doors.open("proxied", listener(proxy_protocol=True), Echo())
    await doors.open("safe", listener(authority.issue("door")), Echo())

    assert list(doors) == ["plain", "closed", "proxied", "safe"]
    assert await ask(doors, "plain") == (b"\x0b\x06\x1c\r", "")
    assert doors["proxied"].terms.proxy_protocol
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await ask(doors, "closed")
    assert (await ask(doors, "safe", client_context(authority)))[0] == b"\x0back:one\x1c\r"


async def test_a_replaced_certificate_is_taken_without_a_restart(authority: Authority) -> None:
    certificates, pair = Certificates(look_s=0.01), authority.issue("door")
    doors, looking = Doors(certificates), asyncio.create_task(certificates.run())
    await doors.open("safe", listener(pair), Echo())
    _, before = await ask(doors, "safe", client_context(authority))

    new = authority.issue("new", ends=datetime(2080, 1, 1, tzinfo=UTC))
    new.certificate.replace(pair.certificate)
    new.key.replace(pair.key)
    while certificates.ends()["safe"].year != 2080:
        await asyncio.sleep(0.005)

    answer, after = await ask(doors, "safe", client_context(authority))
    looking.cancel()
    assert answer == b"\x0back:one\x1c\r"
    assert after != before
    await doors.close("safe", 1)
    assert certificates.ends() == {}
    assert len(doors) == 0


async def test_a_port_in_use_is_told_by_its_door(doors: Doors) -> None:
    await doors.open("a", listener(), Echo())

    with pytest.raises(ConfigurationError) as refusal:
        await doors.open("b", listener(port=doors["a"].port), Echo())

    assert refusal.value.where == "mllp.listeners.b"
    assert list(doors) == ["a"]


async def test_a_file_that_cannot_be_used_is_told_by_its_setting(
    doors: Doors, authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("door")
    wrong = listener(Pair(pair.certificate, tmp_path / "missing"))

    with pytest.raises(ConfigurationError) as at_start:
        await doors.open("a", wrong, Echo())
    with pytest.raises(ConfigurationError) as at_check:
        check_doors(Mllp(listeners={"a": wrong}))

    assert at_start.value.where == at_check.value.where == "mllp.listeners.a.tls.key"
    assert len(doors) == 0


async def test_a_door_that_answers_is_known_to(doors: Doors) -> None:
    handler = Echo()
    handler.gates = {b"one": asyncio.Event()}
    await doors.open("a", listener(), handler)
    assert not doors.is_answering

    asking = asyncio.ensure_future(ask(doors, "a"))
    await handler.until(lambda: handler.taken == [b"one"])

    assert doors.is_answering
    handler.gates[b"one"].set()
    await asking
