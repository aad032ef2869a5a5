"""Commands that run or check the daemon: serve, demo, check-config."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import yaml

from daemon.cli_options import AsJson, Config, Data, Engine, print_json, read_settings

if TYPE_CHECKING:
    from daemon.config import Settings

log = structlog.get_logger()


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(demo)
    app.command()(serve)
    app.command(name="check-config")(check_config)


def serve(config: Config = None, data: Data = None, engine: Engine = None) -> None:
    """Run the daemon. Without a file: loopback ports, a journal of its own, an embedded store.

    SIGTERM or Ctrl-C finishes what is under way and exits 0; a second one exits at once. With TLS
    or a file of tokens, SIGHUP reads them again at once.
    """
    asyncio.run(_serve(read_settings(config, data, engine)))


async def _serve(settings: Settings) -> None:
    from daemon.app import App
    from daemon.logs import log_loop_failure, start_logging

    app = App(settings, is_writer_apart=True)
    start_logging(settings.logs.level, on_dropped_key=app.metrics.log_keys_dropped.inc)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(log_loop_failure)

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(1)
        log.info("daemon.signal_received", signal=signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    listeners, http = settings.mllp.listeners.values(), settings.http
    if http.tls or http.tokens_file or any(listener.tls for listener in listeners):
        loop.add_signal_handler(signal.SIGHUP, app.certificates.reload)
    async with app:
        await stop.wait()
    # All is closed and durable. A thread that still reads a huge message must not hold the process.
    sys.stderr.flush()
    os._exit(0)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the data and go on serving until Ctrl-C.")
    ] = False,
    engine: Engine = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole path: shipped messages over real MLLP become drafts in an embedded store."""
    from daemon.demo import run_demo

    if not asyncio.run(run_demo(engine=engine, data=data, is_kept=keep, as_json=as_json)):
        raise typer.Exit(1)


def check_config(
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print the effective settings. Exit 2 and the field's path when one is wrong."""
    from daemon.certificates import Certificates
    from daemon.clock import SystemClock
    from daemon.doors import check_doors
    from daemon.fhir_secrets import check_fhir_files
    from daemon.http_side import HttpSide
    from daemon.kafka_side import KafkaSide
    from daemon.model_choice import PromptMaker, choose_engine
    from daemon.outbound import Outbound
    from daemon.serving_drafts import notification_tls
    from daemon.site_files import load_sites
    from daemon.validating import require_hl7apy

    settings = read_settings(config, data)
    sites = load_sites(settings.sites)
    require_hl7apy(sites)
    choose_engine(settings)
    PromptMaker(settings, sites)
    check_doors(settings.mllp)
    HttpSide(settings.http, Certificates())
    notification_tls(settings.drafts.notify)
    check_fhir_files(settings.fhir)
    Outbound(settings, sites, SystemClock())
    KafkaSide(settings, SystemClock())
    values = settings.model_dump(mode="json")
    values["fhir"]["write"] = settings.fhir_write
    values["journal"]["url"] = f"sqlite:///{settings.journal_path}"
    if as_json:
        print_json(values)
        return
    sys.stdout.write(yaml.safe_dump(values, sort_keys=False))
    sys.stdout.write(f"# {len(sites.sites)} site folders read\n")
