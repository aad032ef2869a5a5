"""The composed daemon in this process: doors, pipeline, store, and how a start fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import pytest

from daemon.app import App
from daemon.certificates import Certificates
from daemon.config import load_settings
from daemon.config_mllp import Mllp
from daemon.courtesy import Courtesy
from daemon.errors import ConfigurationError, JournalUnavailableError
from daemon.lifecycle import State
from interfaces.mllp_client import MllpClient
from tests.unit.daemon.receiving_engine import ReceivingEngine

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.clock import Clock
    from daemon.config import Settings

ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|||20261121080000||ORU^R01|M1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO^MR\r"
    b"OBR|1|O1|F1|CTCHEST^CT CHEST^L|||20261121070000|||||||||||||||20261121073000||CT|P\r"
    b"OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"
)


def settings(folder: Path, **fhir: object) -> Settings:
    overrides = {
        "data": folder,
        "mllp": {"port": 0},
        "http": {"port": 0},
        "model": {"engine": "extractive", "allow_demo": True},
        "fhir": fhir,
    }
    return load_settings(overrides=overrides, environment={})


async def until_state(app: App, state: State) -> None:
    while not (await app.journal.counts()).get(state):
        await asyncio.sleep(0.02)


async def test_a_message_becomes_an_observation_in_the_embedded_store(tmp_path: Path) -> None:
    async with App(settings(tmp_path)) as app:
        async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
            answer = await client.send(ORU)
        await until_state(app, State.POSTED)
        [row] = await app.journal.rows()
        [report] = (await app.journal.trail(row.message_id)).reports
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{app.fhir_base_url}/{report.reference}") as response,
        ):
            stored = await response.json(content_type=None)

    assert answer.code == "AA"
    assert stored["status"] == "preliminary"
    assert stored["subject"]["identifier"]["value"] == "P1"
    assert "12 mm nodule in the right upper lobe" in stored["valueString"]


async def test_a_posted_draft_goes_back_as_a_preliminary_oru_and_is_no_report_to_draft_for(
    tmp_path: Path,
) -> None:
    (tmp_path / "sites/default").mkdir(parents=True)
    (tmp_path / "sites/default/site.yaml").write_text("output: {oru_target: ris}\n")
    async with ReceivingEngine() as engine:
        send = {"ris": {"host": "127.0.0.1", "port": engine.port}}
        plain = settings(tmp_path)
        chosen = plain.model_copy(
            update={
                "sites": tmp_path / "sites",
                "mllp": Mllp.model_validate({"port": 0, "send": send}),
            }
        )
        async with App(chosen) as app:
            async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
                await client.send(ORU)
                await engine.arrived.wait()
                answer = await client.send(engine.heard[0])
            await until_state(app, State.SKIPPED)
            [back] = await app.journal.rows(state=State.SKIPPED)
            while await app.journal.deliveries_due():
                await asyncio.sleep(0.02)

    [heard] = engine.heard
    assert b"|19005-8^Radiology Imaging study [Impression] (narrative)^LN|" in heard
    assert b"PID|1||P1^^^DEMO^MR||^^^^^^U\r" in heard
    assert (answer.code, back.reason) == ("AA", "impression_present")


async def test_a_sender_that_asks_for_it_hears_when_its_message_was_read(tmp_path: Path) -> None:
    asking = ORU.replace(b"|P|2.5.1\r", b"|P|2.5.1|||AL|AL\r", 1)
    async with (
        App(settings(tmp_path)) as app,
        MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client,
    ):
        first = await client.send(asking)
        again = await client.send(asking.replace(b"|M1|", b"|M2|"), "application")
        while await app.journal.deliveries_due():
            await asyncio.sleep(0.02)
        rows = await app.journal.rows()
        sent = [one for row in rows for one in (await app.journal.trail(row.message_id)).deliveries]

    assert (first.code, again.code) == ("CA", "AA")
    assert [(one.kind, one.state, one.reason) for one in sent] == [
        ("application_ack", "sent", "told")
    ] * 2


async def test_a_sites_own_security_label_is_written(tmp_path: Path) -> None:
    async with App(settings(tmp_path, ai_security_code="DEVAST")) as app:
        async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
            await client.send(ORU)
        await until_state(app, State.POSTED)
        [row] = await app.journal.rows()
        [report] = (await app.journal.trail(row.message_id)).reports

    assert report.observation is not None
    assert b'"code":"DEVAST"' in report.observation.observation


async def test_towards_a_real_server_everything_is_drafted_and_nothing_posted(
    tmp_path: Path,
) -> None:
    async with App(settings(tmp_path, base_url="https://127.0.0.1:9/fhir")) as app:
        async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
            await client.send(ORU)
        await until_state(app, State.DRAFTED)
        url = f"http://127.0.0.1:{app.http.port}/readyz"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            readiness = await response.json()

    assert readiness["checks"]["posting"] == "shadow"


async def test_a_start_that_fails_half_way_releases_what_it_took(tmp_path: Path) -> None:
    async with App(settings(tmp_path / "first")) as running:
        taken = running.doors["default"].port
        blocked = settings(tmp_path / "second")
        listener = blocked.mllp.listeners["default"].model_copy(update={"port": taken})
        mllp = blocked.mllp.model_copy(update={"listeners": {"default": listener}})
        with pytest.raises(ConfigurationError) as caught:
            async with App(blocked.model_copy(update={"mllp": mllp})):
                pass

    async with App(settings(tmp_path / "second")) as second:
        assert second.doors

    assert caught.value.where == "mllp.listeners.default"


async def test_a_store_that_cannot_be_opened_is_told_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("no database, but long enough to be taken for one" * 4)

    with pytest.raises(ConfigurationError) as caught:
        async with App(settings(tmp_path)):
            pass

    assert caught.value.where == "data"


@pytest.mark.parametrize("door", ["mllp", "http"])
async def test_the_pipeline_gives_way_while_a_sender_waits_at_either_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    asked, reached, released = list[Callable[[], bool]](), asyncio.Event(), asyncio.Event()

    def watch(is_busy: Callable[[], bool], clock: Clock) -> Courtesy:
        asked.append(is_busy)
        return Courtesy(is_busy, clock)

    async def hold(*_: object, **__: object) -> None:
        reached.set()
        await released.wait()
        raise JournalUnavailableError("disk_full")

    monkeypatch.setattr("daemon.app.Courtesy", watch)
    async with App(settings(tmp_path)) as app, asyncio.TaskGroup() as tasks:
        [is_busy] = asked
        seen = [is_busy()]
        monkeypatch.setattr(app.journal, "receive", hold)
        monkeypatch.setattr(app.journal, "receive_resource", hold)
        sending = tasks.create_task(send_over_mllp(app) if door == "mllp" else post_report(app))
        await reached.wait()
        seen.append(is_busy())
        released.set()
        await sending
        seen.append(is_busy())

    assert seen == [False, True, False]


async def send_over_mllp(app: App) -> None:
    async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
        await client.send(ORU)


async def post_report(app: App) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:x", "value": "7"}],
        "status": "preliminary",
        "code": {"text": "CT chest"},
    }
    headers = {"Content-Type": "application/fhir+json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{app.http.fhir_url}/DiagnosticReport"
        async with session.post(url, data=json.dumps(report)) as response:
            assert response.status == 503


async def test_files_that_may_be_replaced_are_looked_at_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.app.Certificates", partial(Certificates, look_s=0.01))
    looked, loop = asyncio.Event(), asyncio.get_running_loop()

    async with App(settings(tmp_path)) as app:
        app.certificates.watch(lambda: loop.call_soon_threadsafe(looked.set))
        await looked.wait()
