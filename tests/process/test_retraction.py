"""A posted draft and what its report says next, at a server we did not write (sekmet-fhir).

The daemon runs as a process; the reports come over MLLP, the withdrawals go out over FHIR and MLLP.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from interfaces.mllp_client import MllpClient
from mappings.fhir_retraction import RETRACTION_SYSTEM
from tests.integration.reply_dropping_proxy import dropping_proxy
from tests.integration.sekmet import running_sekmet
from tests.process.conftest import Daemon, read_json, until
from tests.unit.daemon.receiving_engine import ReceivingEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]
FINDINGS = "There is a {} mm nodule in the right upper lobe."


def oru(order: str, status: str, hour: int, *texts: tuple[str, str]) -> bytes:
    """Write version ``hour`` of a report; ``texts`` are OBX-3 and OBX-5."""
    observations = "".join(
        f"OBX|{number}|TX|{code}||{text}||||||{status}|\r"
        for number, (code, text) in enumerate(texts, start=1)
    )
    return (
        f"MSH|^~\\&|DEMORIS|DEMOHOSP|||202611210{hour}0000||ORU^R01|{order}{hour}|P|2.5.1\r"
        f"PID|1||P{order}^^^DEMO^MR\r"
        f"OBR|1|O{order}|{order}|CTCHEST^CT CHEST^L|||20261121070000"
        f"|||||||||||||||202611210{hour}0000||CT|{status}\r{observations}"
    ).encode()


def preliminary(order: str, size: int = 12, *, status: str = "P", hour: int = 7) -> bytes:
    return oru(order, status, hour, ("&GDT", FINDINGS.format(size)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_sekmet(tmp_path_factory.mktemp("sekmet")) as url:
        yield url


def held(server: str, order: str) -> list[dict[str, Any]]:
    """Return the Observations about a patient; each order has its own."""
    bundle = read_json(f"{server}/Observation?_count=200")
    found = [entry["resource"] for entry in bundle.get("entry", [])]
    return [one for one in found if one["subject"]["identifier"]["value"] == f"P{order}"]


def seen(server: str, order: str) -> tuple[str, str, str]:
    """Return status, version and text of the one Observation of an order."""
    [one] = held(server, order)
    return one["status"], one["meta"]["versionId"], one["valueString"]


async def send(daemon: Daemon, *messages: bytes) -> None:
    async with MllpClient("127.0.0.1", daemon.mllp_port, timeout_s=20) as client:
        for message in messages:
            assert (await client.send(message)).code == "AA"


def set_up(daemon: Daemon, folder: Path, url: str, port: int, **settings: str) -> None:
    """Let the daemon post to ``url`` and send its drafts to an engine on ``port``."""
    (folder / "sites/default").mkdir(parents=True)
    (folder / "sites/default/site.yaml").write_text("output: {oru_target: ris}\n")
    config = folder / "prelim.yaml"
    config.write_text(
        f"sites: {folder / 'sites'}\nmllp: {{send: {{ris: {{host: 127.0.0.1, port: {port}}}}}}}\n"
    )
    daemon.arguments = ("--config", str(config))
    daemon.settings = {
        "PRELIM_FHIR__BASE_URL": url,
        "PRELIM_FHIR__RETRY__WAIT_MIN_S": "0.2",
        "PRELIM_MODEL__ALLOW_DEMO": "true",
        **settings,
    }


def is_settled(daemon: Daemon) -> bool:
    waiting = ("RECEIVED", "MAPPED", "DRAFTED", "RETRACTING")
    return not any(daemon.count(state) for state in waiting)


@pytest.mark.parametrize("write", ["put", "conditional-create"])
async def test_a_draft_follows_its_report_at_the_server_and_at_its_receiver(
    daemon: Daemon, server: str, tmp_path: Path, write: str
) -> None:
    cancelled, corrected, final, early = (f"{write[:3]}{name}" for name in "XCFE")
    async with ReceivingEngine() as engine:
        set_up(daemon, tmp_path, server, engine.port, PRELIM_FHIR__WRITE=write)
        daemon.start()
        await daemon.wait_ready()
        await send(daemon, *map(preliminary, (cancelled, corrected, final)))
        await until(lambda: daemon.count("POSTED") == 3)
        await send(
            daemon,
            oru(cancelled, "X", 8),
            preliminary(corrected, 15, status="C", hour=8),
            oru(final, "F", 8, ("&GDT", FINDINGS.format(12)), ("&IMP", "Nodule, follow up.")),
        )
        await until(lambda: daemon.count("RETRACTED") == 1 and is_settled(daemon))
        # Late words of a preliminary change nothing any more.
        late = [preliminary(order, 20, hour=9) for order in (cancelled, final)]
        await send(daemon, *late, preliminary(early), oru(early, "X", 8))
        await until(lambda: is_settled(daemon))
        await until(lambda: sum(b"|D\r" in message for message in engine.heard) >= 1)
        audit = daemon.prelim("audit", "verify")

    status, _, text = seen(server, cancelled)
    [observation] = held(server, cancelled)
    codes = [each["valueCodeableConcept"]["coding"][0] for each in observation["extension"]]
    assert (status, "12 mm" in text) == ("entered-in-error", True)
    assert {"report_cancelled"} == {c["code"] for c in codes if c["system"] == RETRACTION_SYSTEM}
    assert [seen(server, corrected)[:2], "15 mm" in seen(server, corrected)[2]] == [
        ("preliminary", "2"),
        True,
    ]
    assert [seen(server, final)[:2], "12 mm" in seen(server, final)[2]] == [
        ("preliminary", "1"),
        True,
    ]
    assert {one["status"] for one in held(server, early)} <= {"entered-in-error"}
    deletions = [message for message in engine.heard if b"|D\r" in message]
    assert sum(f"|O{cancelled}|".encode() in message for message in deletions) == 1
    assert not any(f"|O{order}|".encode() in m for m in deletions for order in (corrected, final))
    assert audit[0] == 0


@pytest.mark.parametrize("write", ["put", "conditional-create"])
async def test_a_report_that_has_findings_again_gets_a_draft_again_in_the_same_observation(
    daemon: Daemon, server: str, tmp_path: Path, write: str
) -> None:
    order = f"AGAIN{write[:3]}"
    async with ReceivingEngine() as engine:
        set_up(daemon, tmp_path, server, engine.port, PRELIM_FHIR__WRITE=write)
        daemon.start()
        await daemon.wait_ready()
        await send(daemon, preliminary(order))
        await until(lambda: daemon.count("POSTED") == 1)
        await send(daemon, oru(order, "P", 8, ("&TCM", "Compared with last year.")))
        await until(lambda: daemon.count("RETRACTED") == 1)
        without_findings = await asyncio.to_thread(seen, server, order)
        await send(daemon, preliminary(order, 15, status="C", hour=9))
        await until(lambda: daemon.count("POSTED") == 1 and is_settled(daemon))

    [observation] = held(server, order)
    assert without_findings[:2] == ("entered-in-error", "2")
    assert seen(server, order)[:2] == ("preliminary", "3")
    assert "15 mm" in observation["valueString"]
    assert "extension" not in observation


async def test_a_kill_while_a_draft_is_taken_back_leaves_one_retraction(
    daemon: Daemon, server: str, tmp_path: Path
) -> None:
    is_armed = False

    def kill_now(_write: int) -> bool:
        nonlocal is_armed
        if is_armed:  # the server has it, and nobody will ever read its answer
            is_armed = False
            daemon.kill()
            return True
        return False

    async with (
        ReceivingEngine() as engine,
        dropping_proxy(server.removesuffix("/fhir"), kill_now) as (url, dropped),
    ):
        set_up(daemon, tmp_path, f"{url}/fhir", engine.port, PRELIM_FHIR__WRITE="put")
        daemon.start()
        await daemon.wait_ready()
        await send(daemon, preliminary("KILL"))
        await until(lambda: daemon.count("POSTED") == 1)
        await until(lambda: len(engine.heard) == 1)
        is_armed = True
        await send(daemon, oru("KILL", "X", 8))
        while not dropped:
            await asyncio.sleep(0.02)
        stood = await asyncio.to_thread(seen, server, "KILL")
        daemon.start()
        await daemon.wait_ready()
        await until(lambda: daemon.count("RETRACTED") == 1)
        await until(lambda: len(engine.heard) == 2)
        audit = daemon.prelim("audit", "verify")

    assert stood[:2] == ("entered-in-error", "2")
    assert seen(server, "KILL") == stood, "the second attempt wrote nothing"
    assert len(dropped) == 1
    assert engine.heard[1].count(b"|D\r") == engine.heard[0].count(b"\rOBX|")
    assert audit[0] == 0


async def test_a_draft_is_taken_back_only_once_posting_is_resumed(
    daemon: Daemon, server: str, tmp_path: Path
) -> None:
    async with ReceivingEngine() as engine:
        set_up(daemon, tmp_path, server, engine.port, PRELIM_FHIR__ON_FINAL="retract")
        daemon.settings["PRELIM_FHIR__WRITE"] = "put"
        daemon.start()
        await daemon.wait_ready()
        await send(daemon, preliminary("WAIT"))
        await until(lambda: daemon.count("POSTED") == 1)
        daemon.prelim("pause")
        await send(daemon, oru("WAIT", "F", 8, ("&IMP", "Nodule, follow up.")))
        await until(lambda: daemon.count("RETRACTING") == 1)
        paused = await asyncio.to_thread(seen, server, "WAIT")
        daemon.prelim("resume")
        await until(lambda: daemon.count("RETRACTED") == 1)
        shown = daemon.prelim("messages", "--state", "RETRACTED")[1]

    assert paused[:2] == ("preliminary", "1")
    assert seen(server, "WAIT")[:2] == ("entered-in-error", "2")
    assert "impression_present" in shown
