"""The daemon as a process: starting, draining, pausing, and refusing to start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.process.conftest import Daemon, read_json, run_prelim, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process


async def test_a_message_becomes_a_stored_draft_and_its_trail_can_be_shown(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(make_messages(1)[0])
    daemon.start()
    await daemon.wait_ready()

    code, out, _ = run_prelim("send", str(file), "--to", f"127.0.0.1:{daemon.mllp_port}")
    await until(lambda: daemon.count("POSTED") == 1)
    _, listed, _ = daemon.prelim("messages", "--json")
    row = json.loads(listed)
    _, shown, _ = daemon.prelim("show", row["report_id"], "--json")
    trail = json.loads(shown)

    assert code == 0
    assert " AA " in out
    assert row["state"] == "POSTED"
    assert "2 mm nodule in the right upper lobe" in trail["reports"][0]["draft"]
    stored = read_json(f"{daemon.url}/store/fhir/{trail['reports'][0]['reference']}")
    assert stored["status"] == "preliminary"
    assert stored["valueString"] == trail["reports"][0]["draft"]
    assert [entry["to_state"] for entry in trail["audit"]] == [
        "RECEIVED",
        "MAPPED",
        "DRAFTED",
        "POSTED",
    ]
    assert daemon.prelim("audit", "verify")[0] == 0


async def test_sigterm_drains_and_exits_0_and_the_rest_is_done_after_the_next_start(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "many.hl7"
    file.write_bytes(b"".join(make_messages(60)))
    daemon.settings = {
        "PRELIM_MODEL__EXTRACTIVE_DELAY_S": "0.2",
        "PRELIM_MODEL__REQUESTS_IN_FLIGHT_MAX": "8",
    }
    daemon.start()
    await daemon.wait_ready()

    code, _, _ = run_prelim("send", str(file), "--to", f"127.0.0.1:{daemon.mllp_port}")
    exit_code = daemon.terminate()
    _, listed, _ = daemon.prelim("messages", "--json", "--state", "POSTED", "--limit", "60")
    daemon.settings = {}  # the rest need not be slow
    daemon.start()
    await daemon.wait_ready()
    await until(lambda: daemon.count("POSTED") == 60)

    assert (code, exit_code) == (0, 0)
    assert len(listed.splitlines()) < 60
    assert daemon.prelim("audit", "verify")[0] == 0


async def test_pause_stops_posting_across_a_restart_and_resume_starts_it(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    file = tmp_path / "one.hl7"
    file.write_bytes(make_messages(1)[0])
    daemon.start()
    await daemon.wait_ready()

    assert daemon.prelim("pause")[0] == 0
    daemon.terminate()
    daemon.start()
    await daemon.wait_ready()
    run_prelim("send", str(file), "--to", f"127.0.0.1:{daemon.mllp_port}")
    await until(lambda: daemon.count("DRAFTED") == 1)
    posting = read_json(f"{daemon.url}/readyz")["checks"]["posting"]
    assert daemon.prelim("resume")[0] == 0
    await until(lambda: daemon.count("POSTED") == 1)

    assert posting == "paused"


async def test_two_daemons_do_not_serve_one_journal(
    daemon: Daemon, free_port: Callable[[], int]
) -> None:
    daemon.start()
    await daemon.wait_ready()

    code, _, err = run_prelim(
        "serve",
        "--data",
        str(daemon.data),
        "--engine",
        "extractive",
        environment={
            "PRELIM_MLLP__PORT": str(free_port()),
            "PRELIM_HTTP__PORT": str(free_port()),
        },
    )

    assert code == 2
    assert "journal.url: journal_in_use" in err


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PRELIM_FHIR__TIMEOUT_S": "-1"}, "fhir.timeout_s"),
        ({"PRELIM_FHIR__TIMEOUT": "1"}, "PRELIM_FHIR__TIMEOUT"),
        ({"PRELIM_FHIR__BASE_URL": "https://fhir.example/r4"}, "model.allow_demo"),
    ],
)
def test_a_wrong_setting_exits_2_with_its_path(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    for command in (["serve"], ["check-config"]):
        code, _, err = run_prelim(*command, "--data", str(tmp_path), environment=environment)

        assert code == 2
        assert message in err
        assert "Traceback" not in err


async def test_a_port_in_use_exits_2_with_its_setting(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start()
    await daemon.wait_ready()

    code, _, err = run_prelim(
        "serve",
        "--data",
        str(tmp_path / "other"),
        "--engine",
        "extractive",
        environment={"PRELIM_MLLP__PORT": str(daemon.mllp_port), "PRELIM_HTTP__PORT": "0"},
    )

    assert code == 2
    assert "mllp.listeners.default: cannot bind" in err
