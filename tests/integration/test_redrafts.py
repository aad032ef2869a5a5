"""Redrafts through the whole path: MLLP, journal, a worker process, a model server, the store."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from daemon.app import App
from daemon.config import load_settings
from daemon.lifecycle import State
from interfaces.mllp_client import MllpClient
from mappings.fhir_observation import REDRAFTED
from tests.unit.model.engines.completion_server import ADAPTER, BASE, serving

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.config import Settings
    from daemon.journal import ReportTrail

pytestmark = pytest.mark.timeout(120)

ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|||20261121080000||ORU^R01|M1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO^MR\r"
    b"OBR|1|O1|F1|CTCHEST^CT CHEST^L|||20261121070000|||||||||||||||20261121073000||CT|P\r"
    b"OBX|1|TX|&GDT||There is a 12 mm nodule in the right upper lobe.||||||P\r"
)
GOOD = "12 mm nodule in the right upper lobe."
WRONG_SIDE = "12 mm nodule in the left upper lobe."


def settings_for(folder: Path, url: str, redrafts: int) -> Settings:
    server = {"url": url, "base": BASE, "adapters": [ADAPTER]}
    overrides = {
        "data": folder,
        "mllp": {"port": 0},
        "http": {"port": 0},
        "model": {"engine": "openai", "server": server, "redrafts": redrafts},
    }
    return load_settings(overrides=overrides, environment={})


async def sent_through(settings: Settings, state: State) -> ReportTrail:
    """Send one report and return what the journal has of it once it is in ``state``."""
    async with App(settings) as app:
        async with MllpClient("127.0.0.1", app.doors["default"].port, timeout_s=10) as client:
            await client.send(ORU)
        while not (await app.journal.counts()).get(state):
            await asyncio.sleep(0.02)
        [row] = await app.journal.rows()
        [report] = (await app.journal.trail(row.message_id)).reports
    return report


async def test_a_redraft_that_passes_is_posted_and_says_that_it_is_one(tmp_path: Path) -> None:
    async with serving(texts=(WRONG_SIDE, GOOD)) as server:
        report = await sent_through(settings_for(tmp_path, server.url, 4), State.POSTED)

    assert report.draft is not None
    assert report.observation is not None
    assert (report.draft.text, report.draft.engine.redraft) == (GOOD, 1)
    posted = json.loads(report.observation.observation)
    assert posted["note"][-1]["text"] == REDRAFTED
    assert [body["temperature"] for body in server.bodies[-2:]] == [0, 0.7]


@pytest.mark.parametrize("redrafts", [0, 2])
async def test_a_report_of_which_no_draft_passes_is_withheld_with_the_first_one(
    tmp_path: Path, redrafts: int
) -> None:
    async with serving(texts=(WRONG_SIDE, "30 mm mass in the right upper lobe.")) as server:
        report = await sent_through(settings_for(tmp_path, server.url, redrafts), State.WITHHELD)

    assert report.draft is not None
    assert report.draft.text == WRONG_SIDE
    assert str(report.row.reason).startswith("side_not_in_findings:")
    assert sum("seed" in body for body in server.bodies) == redrafts
