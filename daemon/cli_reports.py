"""Commands on report files: dry-run, draft, send."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from daemon.cli_options import AsJson, Config, Engine, Listener, print_json, read_settings
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.config import Settings

PORT_MAX = 65_535
Awaited = Literal["first", "application", "none"]
Files = Annotated[
    list[str],
    typer.Argument(
        help="Message files: HL7 v2, one or many in each; FHIR as .json, or .ndjson; - for stdin."
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command(name="dry-run")(dry_run)
    app.command()(draft)
    app.command()(send)


def dry_run(
    files: Files,
    config: Config = None,
    listener: Listener = "",
    as_json: AsJson = False,
) -> None:
    """Say what would be done with messages: one line per report; nothing is drafted or posted.

    Exit 0 when every message could be read, else 1.
    """
    from daemon.site_files import load_sites
    from mappings.dry_run import describe

    sites = load_sites(read_settings(config).sites)
    is_all_ok = True
    for source, index, payload in read_messages(files):
        for record in describe(source, index, payload, sites, listener):
            is_all_ok = is_all_ok and bool(record["ok"])
            if as_json:
                print_json(record)
            else:
                _print_record(record)
    if not is_all_ok:
        raise typer.Exit(1)


def draft(
    files: Files,
    config: Config = None,
    engine: Engine = None,
    listener: Listener = "",
    as_json: AsJson = False,
) -> None:
    """Do what dry-run does, and draft: prints the impression and the checks' verdicts.

    Nothing is stored or posted.
    """
    settings = read_settings(config, engine=engine)
    if not asyncio.run(_draft_all(settings, files, listener, as_json=as_json)):
        raise typer.Exit(1)


async def _draft_all(settings: Settings, files: list[str], listener: str, *, as_json: bool) -> bool:
    from daemon.clock import SystemClock
    from daemon.logs import start_logging
    from daemon.model_choice import PromptMaker, choose_redrafts, make_supervisor
    from daemon.preview import preview
    from daemon.site_files import load_sites

    start_logging("error")
    sites = load_sites(settings.sites)
    prompt_of = PromptMaker(settings, sites)
    # What goes wrong in the worker is told over its socket; its log lines are the daemon's affair.
    supervisor = make_supervisor(settings, SystemClock(), worker_stderr=subprocess.DEVNULL)
    supervisor.start()
    is_all_ok = True
    try:
        await supervisor.wait_ready(settings.model.start_timeout_s)
        for source, index, payload in read_messages(files):
            async for record in preview(
                source,
                index,
                payload,
                sites=sites,
                drafter=supervisor,
                prompt_of=prompt_of,
                redrafts_max=choose_redrafts(settings),
                door=listener,
            ):
                is_all_ok = is_all_ok and bool(record["ok"])
                if as_json:
                    print_json(record)
                else:
                    _print_record(record)
    finally:
        await supervisor.stop(settings.daemon.drain_timeout_s)
    return is_all_ok


def send(  # noqa: PLR0913, PLR0917 - each is an option of the command
    files: Files,
    to: Annotated[
        str, typer.Option("--to", help="HOST:PORT of an MLLP listener, or URL of a FHIR door.")
    ],
    concurrency: Annotated[int, typer.Option(min=1, help="Connections at once.")] = 1,
    timeout_s: Annotated[
        float,
        typer.Option("--timeout", "--timeout-s", min=0.1, help="Seconds to wait for an answer."),
    ] = 30,
    wait_for: Annotated[
        Awaited,
        typer.Option(help="The first answer, the application's (past a CA), or none."),
    ] = "first",
    tls_ca: Annotated[
        Path | None, typer.Option(help="PEM of the authorities to believe; makes it TLS.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM of our certificate; makes it TLS.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM of its key.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a bearer token, for a FHIR door.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send messages over MLLP, or FHIR resources over HTTP, and print each answer.

    Exit 0 when every one was accepted (AA or CA; sent, with --wait-for none; 2xx), else 1.
    """
    from daemon.sending import SendPlan, choose_tls, send_all
    from daemon.sending_fhir import PostPlan, post_all

    tls = choose_tls(tls_ca, tls_certificate, tls_key)
    payloads = [payload for _source, _index, payload in read_messages(files)]
    if to.startswith(("http://", "https://")):
        post = PostPlan(to, concurrency, timeout_s, token_file, tls)
        if not asyncio.run(post_all(payloads, post, as_json=as_json)):
            raise typer.Exit(1)
        return
    host, port = _split_address(to)
    plan = SendPlan(host, port, concurrency, timeout_s, tls, wait_for)
    if not asyncio.run(send_all(payloads, plan, as_json=as_json)):
        raise typer.Exit(1)


def _split_address(to: str) -> tuple[str, int]:
    host, _, port = to.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise ConfigurationError("not HOST:PORT, and no URL", "--to")
    return host.strip("[]"), int(port)


def read_messages(files: list[str]) -> Iterator[tuple[str, int, bytes]]:
    """Yield (source, index in the file, message bytes)."""
    from mappings.fhir_in_header import is_json
    from mappings.hl7_batch import split_messages

    for name in files:
        if name == "-":
            data = sys.stdin.buffer.read()
        else:
            try:
                data = Path(name).read_bytes()
            except OSError as error:
                raise ConfigurationError(f"cannot read ({type(error).__name__})", name) from None
        if name.endswith(".ndjson"):
            payloads = [line for line in data.splitlines() if line.strip()]
        else:
            payloads = [data] if is_json(data) else split_messages(data)
        for index, payload in enumerate(payloads):
            yield name, index, payload


def _print_record(record: dict[str, Any]) -> None:
    """One record for people: the decision first."""
    lines = [f"{record['source']} [{record['index']}.{record['group']}] {record['decision']}"]
    if record["reason"]:
        lines[0] += f" ({record['reason']})"
    if record["error"]:
        lines.append("  error: " + " at ".join(filter(None, record["error"].values())))
    exam = record["exam"] or {}
    named = [exam[name] for name in ("code", "display", "modality") if exam.get(name)]
    lines += [f"  exam: {' '.join(named)}"] if named else []
    texts = ("findings", "impression", "draft")
    lines += [f"  {name}: {record[name]}" for name in texts if record.get(name)]
    redraft = (record.get("engine") or {}).get("redraft")
    lines += [f"  redraft: {redraft}"] if redraft else []
    lines += [
        f"  check {verdict['check']}: {verdict['reason']}"
        for verdict in record.get("checks") or ()
        if not verdict["is_passed"]
    ]
    sys.stdout.write("\n".join(lines) + "\n")
