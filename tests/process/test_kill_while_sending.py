"""Nothing lost on the way out: kill -9 between a message that was sent and its record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from interfaces.mllp_client import sent_control_id
from tests.process.conftest import Daemon, read_json, read_text, run_prelim, until
from tests.unit.daemon.receiving_engine import ReceivingEngine, acknowledgment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGES = 60
pytestmark = pytest.mark.process


def due(daemon: Daemon) -> int:
    lines = read_text(f"{daemon.url}/metrics").splitlines()
    waiting = [line for line in lines if line.startswith("prelim_deliveries_due{")]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in waiting)


async def test_every_impression_reaches_its_receiver_after_a_kill_in_the_middle(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    (tmp_path / "sites/default").mkdir(parents=True)
    (tmp_path / "sites/default/site.yaml").write_text("output: {oru_target: ris}\n")
    file = tmp_path / "many.hl7"
    file.write_bytes(b"".join(make_messages(MESSAGES)))

    def take_but_not_the_tenth(payload: bytes) -> list[bytes]:
        if len(engine.heard) == MESSAGES // 6:
            return []  # here the daemon is killed: sent, taken, not recorded
        return [acknowledgment("AA", sent_control_id(payload))]

    async with ReceivingEngine(take_but_not_the_tenth) as engine:
        config = tmp_path / "prelim.yaml"
        config.write_text(
            f"sites: {tmp_path / 'sites'}\n"
            f"mllp: {{send: {{ris: {{host: 127.0.0.1, port: {engine.port}}}}}}}\n"
        )
        daemon.arguments = ("--config", str(config))
        daemon.start()
        await daemon.wait_ready()
        to = f"127.0.0.1:{daemon.mllp_port}"
        sent, _, _ = await asyncio.to_thread(run_prelim, "send", str(file), "--to", to)
        await until(lambda: len(engine.heard) == MESSAGES // 6)
        daemon.kill()
        daemon.start()
        await daemon.wait_ready()
        await until(lambda: daemon.count("POSTED") == MESSAGES and due(daemon) == 0)

    by_control_id = {control_id: set[bytes]() for control_id in engine.control_ids}
    for control_id, payload in zip(engine.control_ids, engine.heard, strict=True):
        by_control_id[control_id].add(payload)
    assert sent == 0
    assert read_json(f"{daemon.url}/readyz")["ready"]
    assert len(by_control_id) == MESSAGES
    assert {len(payloads) for payloads in by_control_id.values()} == {1}
    assert MESSAGES < len(engine.heard) <= MESSAGES + 2
    assert daemon.prelim("audit", "verify")[0] == 0
