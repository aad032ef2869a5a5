"""``prelim demo``: the shipped messages through a real daemon, and what became of each.

Nothing is staged: the messages go over MLLP, the drafts come from the model worker, and what is
printed last is what the FHIR store gives back over HTTP.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from rich.console import Console
from rich.markup import escape

from daemon.app import App
from daemon.cli_options import print_json
from daemon.config import load_settings
from daemon.errors import ConfigurationError, UnknownIdError
from daemon.lifecycle import State
from daemon.logs import log_loop_failure, start_logging
from interfaces.mllp_client import run_send

if TYPE_CHECKING:
    from daemon.config import Settings
    from daemon.journal import ReportTrail, Trail
    from interfaces.mllp_client import SendResult

SAMPLES = Path(__file__).parent / "samples"
SETTLED = frozenset(State) - {State.RECEIVED, State.MAPPED, State.DRAFTED, State.RETRACTING}
POLL_S = 0.1
REDRAFTS = 4
LOG = "demo.log"
OUT = Console(highlight=False)
NEXT = """
Next: [bold]prelim demo --keep[/] stays up to be looked around in,
      [bold]prelim dry-run FILE[/] says what would be done with your own messages."""


def demo_settings(overrides: dict[str, Any]) -> Settings:
    """Read the settings, with redrafts where nobody has said how many.

    Raises:
        ConfigurationError: A setting is wrong; it names the field.
    """
    settings = load_settings(overrides=overrides)
    if "redrafts" in settings.model.model_fields_set:
        return settings
    model = settings.model.model_copy(update={"redrafts": REDRAFTS})
    return settings.model_copy(update={"model": model})


async def run_demo(*, engine: str | None, data: Path | None, is_kept: bool, as_json: bool) -> bool:
    """Run the demonstration.

    Args:
        engine: Over the settings' own.
        data: Folder to use; None for a temporary one, removed at the end unless ``is_kept``.
        is_kept: Go on serving until Ctrl-C, with the settings' ports.
        as_json: Print one JSON object a message.

    Returns:
        Whether every accepted message came to a good end and at least one draft was posted.
    """
    folder = data or Path(tempfile.mkdtemp(prefix="prelim-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "journal.sqlite").exists() and not (folder / LOG).exists():
        raise ConfigurationError("this folder holds a journal that no demo made", "--data")
    overrides: dict[str, Any] = {"data": folder}
    if engine:
        overrides["model"] = {"engine": engine}
    if not is_kept:
        overrides |= {"mllp": {"port": 0}, "http": {"port": 0}}
    settings = demo_settings(overrides)
    with (folder / LOG).open("w", encoding="utf-8") as lines:
        start_logging(stream=lines)
        asyncio.get_running_loop().set_exception_handler(log_loop_failure)
        try:
            async with App(settings, worker_stderr=lines.fileno()) as app:
                is_good = await _show(app, as_json=as_json)
                if is_kept:
                    await _keep(app, folder)
                elif not as_json:
                    OUT.print(NEXT)
        finally:
            if data is None and not is_kept:
                shutil.rmtree(folder, ignore_errors=True)
    return is_good


async def _show(app: App, *, as_json: bool) -> bool:
    say = OUT if not as_json else Console(stderr=True)
    files = sorted(SAMPLES.glob("*.hl7"))
    port = app.doors["default"].port
    say.print(f"[bold]{len(files)} messages[/] over MLLP to 127.0.0.1:{port},")
    say.print(f"drafts to {app.fhir_base_url}; a human would sign them, prelim never does.")
    if app.settings.model.engine == "transformers":
        say.print("Loading the demo model; the first time, its weights are converted ...")
    await app.supervisor.wait_ready(app.settings.model.start_timeout_s)
    payloads = [file.read_bytes() for file in files]
    answers = {
        result.index: result async for result in run_send(payloads, "127.0.0.1", port, timeout_s=30)
    }
    await _wait_until_settled(app)
    records = []
    async with aiohttp.ClientSession() as session:
        for index, payload in enumerate(payloads):
            trail = await _find_trail(app, payload)
            records += await _records(files[index].name, answers[index], trail, app, session)
    for record in records:
        print_json(record) if as_json else _print(record)
    verdict = await app.journal.verify_chain()
    posted = [record for record in records if record["state"] == State.POSTED]
    if posted and not as_json:
        OUT.print("\n[bold]One Observation, whole, as the store gives it:[/]")
        OUT.print_json(data=posted[0]["observation"])
    whole = "whole" if verdict.is_whole else f"BROKEN ({verdict.reason})"
    say.print(f"\n{len(posted)} drafts posted; audit chain of {verdict.entries} entries {whole}.")
    has_failed = any(record["state"] not in SETTLED - {State.FAILED} for record in records)
    return bool(posted) and verdict.is_whole and not has_failed


async def _wait_until_settled(app: App) -> None:
    """Return when nothing is under way any more, or when nothing has moved for a long while."""
    loop = asyncio.get_running_loop()
    patience_s = app.settings.model.start_timeout_s
    before, deadline_s = None, 0.0
    while True:
        counts = dict(await app.journal.counts())
        if not any(count for state, count in counts.items() if state not in SETTLED):
            return
        if counts != before:
            before, deadline_s = counts, loop.time() + patience_s
        if loop.time() > deadline_s:
            return
        await asyncio.sleep(POLL_S)


async def _find_trail(app: App, payload: bytes) -> Trail:
    """Find what the journal has of a message, refused ones included."""
    for row in await app.journal.rows(limit=1000):
        trail = await app.journal.trail(row.message_id)
        if trail.raw.payload == payload:
            return trail
    raise UnknownIdError("message_not_in_journal")


async def _records(
    source: str, answer: SendResult, trail: Trail, app: App, session: aiohttp.ClientSession
) -> list[dict[str, Any]]:
    """One record for each report of a message, or one for the message itself."""
    start = {
        "source": source,
        "ack": answer.code,
        "ack_ms": round(answer.seconds * 1000, 1),
        "message_id": trail.row.message_id,
        "state": trail.row.state,
        "reason": trail.row.reason,
        "exam": None,
        "findings": None,
        "impression": None,
        "draft": None,
        "observation": None,
    }
    if not trail.reports:
        return [start]
    return [
        {
            **start,
            "state": report.row.state,
            "reason": report.row.reason,
            "exam": report.study.exam.display,
            "findings": report.study.sections.findings,
            "impression": report.study.sections.impression,
            "draft": report.draft.text if report.draft else None,
            "observation": await _stored(report, app, session),
        }
        for report in trail.reports
    ]


async def _stored(report: ReportTrail, app: App, session: aiohttp.ClientSession) -> Any:  # noqa: ANN401 - JSON
    """Read the Observation back from the server."""
    if report.reference is None:
        return None
    async with session.get(f"{app.fhir_base_url}/{report.reference}") as response:
        return await response.json(content_type=None)


def _print(record: dict[str, Any]) -> None:
    state = record["state"]
    colour = {State.POSTED: "green", State.SKIPPED: "yellow"}.get(state, "red")
    OUT.rule(f"[bold]{record['source']}", align="left")
    reason = f" ({record['reason']})" if record["reason"] else ""
    OUT.print(f"answer {record['ack']} in {record['ack_ms']} ms -> [{colour}]{state}{reason}[/]")
    if record["exam"]:
        OUT.print(f"exam        {escape(record['exam'])}")
    for title, name in (
        ("findings", "findings"),
        ("impression", "impression"),
        ("DRAFT", "draft"),
    ):
        if record[name]:
            lines = textwrap.wrap(" ".join(record[name].split()), 66) or [""]
            OUT.print(f"{title:<12}{escape(lines[0])}")
            for line in lines[1:]:
                OUT.print(f"{'':<12}{escape(line)}")
    stored = record["observation"]
    if stored:
        OUT.print(
            f"stored      Observation/{stored['id']} version {stored['meta']['versionId']},"
            f" status {stored['status']}, issued {stored['issued']}"
        )


async def _keep(app: App, folder: Path) -> None:
    """Serve until Ctrl-C, so that people can look around."""
    OUT.print(
        f"\nStill serving; Ctrl-C ends it. Look around in another shell:\n"
        f"  prelim messages --data {folder}\n"
        f"  prelim show ID --data {folder}\n"
        f"  curl {app.fhir_base_url}/Observation\n"
        f"  prelim send FILE --to 127.0.0.1:{app.doors['default'].port}\n"
        f"Log lines: {folder / 'demo.log'}"
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
