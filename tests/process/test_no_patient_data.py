"""A patient's name, sent through every path, is in no log line, metric, answer or process title.

Paths: accepted, refused at the door, unreadable, not framed, abandoned, too large, and a server's
refusal whose text quotes the patient.
"""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.process.conftest import Daemon, read_text, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.process
FRAME = b"\x0b%s\x1c\r"


@pytest.fixture
async def refusing_server(canary_name: str) -> AsyncIterator[str]:
    """A FHIR server that refuses every write and quotes what it was sent."""

    async def refuse(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"resourceType": "OperationOutcome"}, status=404)
        issue = {"severity": "error", "code": "invalid", "diagnostics": f"bad name {canary_name}"}
        body = {"resourceType": "OperationOutcome", "issue": [issue], "x": await request.text()}
        return web.json_response(body, status=422)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/fhir"
    await runner.cleanup()


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes as they are and return what comes back until the peer has nothing more to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def command_lines(pid: int) -> str:
    """Return the command lines of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return "".join(
        Path(f"/proc/{one}/cmdline").read_bytes().decode() for one in [str(pid), *children]
    )


async def test_a_patients_name_is_in_no_log_line_metric_answer_or_process_title(
    daemon: Daemon,
    refusing_server: str,
    make_messages: Callable[..., list[bytes]],
    canary_name: str,
) -> None:
    name = f"{canary_name}^ANNA"
    good = make_messages(3, name=name)
    in_findings = make_messages(1, name=name, prefix="F")[0].replace(
        b"right upper lobe", f"right upper lobe of {canary_name}".encode()
    )
    bad = [
        good[0].replace(b"|M0|", b"||"),
        good[0].replace(b"ORU^R01", canary_name.encode() + b"^R01"),
        good[0].replace(b"|2.5.1", b"|2.5.1||||||UNICODE UTF-8").replace(b"^ANNA", b"^\xff\xfe"),
        canary_name.encode() * 3,
        good[1].replace(b"nodule", canary_name.encode() * 20_000),
    ]
    daemon.settings = {
        "PRELIM_FHIR__BASE_URL": refusing_server,
        "PRELIM_FHIR__WRITE": "put",
        "PRELIM_MODEL__ALLOW_DEMO": "true",
        "PRELIM_MLLP__LISTENERS__DEFAULT__FRAME_BYTES_MAX": "100000",
    }
    daemon.start()
    await daemon.wait_ready()

    answers = b""
    for payload in [*good, in_findings, *bad]:
        answers += await asyncio.to_thread(exchange, daemon.mllp_port, FRAME % payload)
    answers += await asyncio.to_thread(exchange, daemon.mllp_port, b"\x0b" + good[0])
    answers += await asyncio.to_thread(exchange, daemon.mllp_port, canary_name.encode() + b"\x1c\r")
    await until(lambda: daemon.count("FAILED") == 4)
    assert daemon.process is not None
    titles = command_lines(daemon.process.pid)
    metrics = read_text(f"{daemon.url}/metrics")
    health = read_text(f"{daemon.url}/readyz")
    _, listed, _ = daemon.prelim("messages", "--json", "--state", "FAILED")
    reasons = {json.loads(line)["reason"] for line in listed.splitlines()}
    _, out, err = daemon.prelim("show", canary_name)
    daemon.terminate()

    log = daemon.log.read_text()
    assert reasons == {"http_422"}
    assert log.count('"event": "pipeline.report_failed"') == 4
    assert answers.count(b"MSA|AA|") == 5
    for captured in (log, metrics, health, titles, answers.decode("latin-1"), out):
        assert canary_name not in captured
    assert "unknown" in err
