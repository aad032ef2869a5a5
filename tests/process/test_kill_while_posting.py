"""Nothing lost, nothing doubled: kill -9 in the middle of posting over a line that loses replies.

The FHIR server is one we did not write, in a process of its own; between it and the daemon stands a
proxy that now and then drops a reply after the server has stored. ``TEST_PRELIM_MESSAGES`` sets how
many messages are sent (the closing figure of the issue is made with 2,000).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.reply_dropping_proxy import dropping_proxy, every
from tests.process.conftest import Daemon, read_json, run_prelim, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MESSAGES = int(os.environ.get("TEST_PRELIM_MESSAGES", "150"))
pytestmark = [pytest.mark.process, pytest.mark.timeout(300 + MESSAGES)]


@pytest.fixture
def server(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """Run sekmet-fhir and return its base URL."""
    port, home = free_port(), tmp_path / "server"
    home.mkdir()
    with (tmp_path / "server.log").open("wb") as lines:
        process = subprocess.Popen(
            [
                Path(sys.executable).parent / "sekmet",
                "serve",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            cwd=home,
            stdout=lines,
            stderr=lines,
        )
    yield f"http://127.0.0.1:{port}/fhir"
    process.terminate()
    process.wait()


@pytest.fixture
async def unreliable_line(server: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Run the proxy before the server; return the base URL behind it and the replies it lost."""
    target = server.removesuffix("/fhir")
    async with dropping_proxy(target, every(17)) as (url, dropped):
        yield f"{url}/fhir", dropped


def observation_keys(server: str) -> list[str]:
    """Read every Observation of the server, page by page, and return their report keys."""
    keys: list[str] = []
    query: str | None = "_count=200"
    while query is not None:
        page: dict[str, Any] = read_json(f"{server}/Observation?{query}")
        keys += [entry["resource"]["identifier"][0]["value"] for entry in page.get("entry", [])]
        # Its links name the address of its own settings, not the one it listens on.
        links = (link["url"] for link in page["link"] if link["relation"] == "next")
        query = next((link.partition("?")[2] for link in links), None)
    return keys


@pytest.mark.parametrize("write", ["put", "conditional-create"])
async def test_every_message_is_one_observation_after_a_kill_in_the_middle(
    daemon: Daemon,
    server: str,
    unreliable_line: tuple[str, list[str]],
    make_messages: Callable[..., list[bytes]],
    tmp_path: Path,
    write: str,
) -> None:
    url, dropped = unreliable_line
    file = tmp_path / "many.hl7"
    file.write_bytes(b"".join(make_messages(MESSAGES)))
    daemon.settings = {
        "PRELIM_FHIR__BASE_URL": url,
        "PRELIM_FHIR__WRITE": write,
        "PRELIM_FHIR__RETRY__WAIT_MIN_S": "0.2",
        "PRELIM_MODEL__ALLOW_DEMO": "true",
        "PRELIM_MODEL__EXTRACTIVE_DELAY_S": "0.02",
    }
    await until(lambda: bool(read_json(f"{url}/metadata")))
    daemon.start()
    await daemon.wait_ready()

    to = f"127.0.0.1:{daemon.mllp_port}"
    sent, out, _ = await asyncio.to_thread(
        run_prelim, "send", str(file), "--to", to, "--concurrency", "8"
    )
    await until(lambda: daemon.count("POSTED") >= MESSAGES // 4)
    daemon.kill()
    posted_before = len(await asyncio.to_thread(observation_keys, server))
    del daemon.settings["PRELIM_MODEL__EXTRACTIVE_DELAY_S"]  # it was for the kill
    daemon.start()
    await daemon.wait_ready()
    await until(lambda: daemon.count("POSTED") == MESSAGES)
    keys = await asyncio.to_thread(observation_keys, server)

    print(out)  # noqa: T201 - shown with -s: how the answers went while the model was slow
    assert sent == 0
    assert posted_before < MESSAGES
    assert len(keys) == len(set(keys)) == MESSAGES
    assert daemon.prelim("audit", "verify")[0] == 0
    assert dropped


async def test_a_chain_cut_at_its_tail_is_found_by_an_earlier_head(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "few.hl7"
    file.write_bytes(b"".join(make_messages(3)))
    daemon.start()
    await daemon.wait_ready()
    run_prelim("send", str(file), "--to", f"127.0.0.1:{daemon.mllp_port}")
    await until(lambda: daemon.count("POSTED") == 3)
    daemon.terminate()
    head = daemon.prelim("audit", "verify")[1].split()[-1]
    logged = daemon.log.read_text()

    before = daemon.prelim("audit", "verify", "--head", head)
    journal = sqlite3.connect(daemon.data / "journal.sqlite")
    for (trigger,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        journal.execute(f"DROP TRIGGER {trigger}")
    journal.execute("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    journal.commit()
    journal.close()
    after = daemon.prelim("audit", "verify", "--head", head)

    assert before[0] == 0
    assert after[0] == 1
    assert "broken" in after[1]
    assert head in logged
