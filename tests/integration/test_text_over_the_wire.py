"""Text in every script from a sender's socket to the journal: server, intake, journal, mapping.

In a double-byte character set a letter may hold the byte of a separator; whoever splits before
decoding loses the rest of the field.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from daemon.app import App
from daemon.config import load_settings
from interfaces.mllp_client import MllpClient
from tests.unit.mappings.charset_samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal import ReportTrail, Row
    from mappings.hl7_ack import Ack

HEAD = rb"MSH|^~\&|RIS|HOSP|||20260201090000||ORU^R01|%b|P|2.5||||||%b"
BODY = (
    b"\rPID|1||T1^^^TST^MR\rOBR|1|P1|%b|CTCH^CT CHEST^L\rOBX|1|%b|59776-5^Findings^LN||%b||||||F\r"
)


def message(id_: bytes, declared: bytes, kind: bytes, value: bytes) -> bytes:
    return HEAD % (id_, declared) + BODY % (id_, kind, value)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    overrides = {
        "data": tmp_path,
        "mllp": {"port": 0},
        "http": {"port": 0},
        "model": {"engine": "extractive", "allow_demo": True},
    }
    async with App(load_settings(overrides=overrides, environment={})) as running:
        yield running


async def send(app: App, *payloads: bytes) -> list[Ack]:
    port = app.doors["default"].port
    async with MllpClient("127.0.0.1", port, timeout_s=10) as client:
        return [await client.send(payload) for payload in payloads]


async def mapped(app: App, control_id: str) -> tuple[Row, list[ReportTrail]]:
    """Wait until a message was read, or could not be."""
    while True:
        for row in await app.journal.rows():
            reports = list((await app.journal.trail(row.message_id)).reports)
            if row.message_control_id == control_id and (reports or row.reason):
                return row, reports
        await asyncio.sleep(0.02)


async def test_letters_that_look_like_separators_arrive_as_they_were_written(app: App) -> None:
    samples = {sample.codec: sample for sample in SAMPLES}

    answers = await send(app, *(sample.render() for sample in samples.values()))

    assert [answer.code for answer in answers] == ["AA"] * len(samples)
    for codec, sample in samples.items():
        _, [report] = await mapped(app, codec)
        assert report.study.sections.findings == f"{sample.findings}\nEnd of text."
        assert report.study.exam.display == sample.exam


async def test_utf_8_under_another_name_is_read(app: App) -> None:
    text = "Größe 5 µm, unverändert."

    await send(app, message(b"W1", b"8859/1", b"TX", text.encode()))
    _, [report] = await mapped(app, "W1")

    assert report.study.sections.findings == text


async def test_bytes_that_are_no_utf_8_are_rejected_with_their_place_after_they_were_stored(
    app: App,
) -> None:
    [answer] = await send(app, message(b"U1", b"UNICODE UTF-8", b"TX", b"Gr\xf6\xdfe"))
    row, reports = await mapped(app, "U1")

    assert (answer.code, reports) == ("AA", [])
    assert row.reason == "undecodable_content"
    *_, last = (await app.journal.trail(row.message_id)).entries
    assert last.detail["where"] == "OBX[1]-5"


@pytest.mark.parametrize("declared", [b"UNICODE UTF-16", b"CNS 11643-1992"])
async def test_a_character_set_that_cannot_be_carried_is_refused_at_the_door(
    app: App, declared: bytes
) -> None:
    [answer] = await send(app, message(b"R1", declared, b"TX", b"x"))

    assert answer.code == "AR"


async def test_a_report_in_a_pdf_alone_has_no_findings_and_says_so(app: App) -> None:
    pdf = b"^application^pdf^Base64^JVBERi0xLjQK"

    await send(app, message(b"P1", b"", b"ED", pdf))
    _, [report] = await mapped(app, "P1")

    assert (report.row.reason, report.study.documents) == ("no_findings", ("pdf",))
