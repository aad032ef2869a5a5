"""Commands on the journal: messages, show, replay, pause, resume, audit.

They read and write the same file as a running daemon, which notices within a second.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from daemon.cli_options import AsJson, Config, Data, print_json, read_settings
from daemon.clock import SystemClock
from daemon.errors import ConfigurationError, DeliveryMovedOnError, UnknownIdError
from daemon.journal_sqlite import open_journal
from daemon.lifecycle import IllegalTransitionError, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.delivery import DeliveryTrail
    from daemon.journal import AuditEntry, ReportTrail, Row, Trail
    from daemon.journal_ports import OperatorJournal

PLAIN_WIDTH = 400
Id = Annotated[str, typer.Argument(help="Id of a message or of one of its reports.")]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (messages, show, replay, pause, resume):
        app.command()(command)
    audit = typer.Typer(no_args_is_help=True, help="The hash-chained audit trail.")
    audit.command()(verify)
    app.add_typer(audit, name="audit")


def messages(
    state: Annotated[State | None, typer.Option(help="Only this state.")] = None,
    accession: Annotated[str | None, typer.Option(help="Only this accession number.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from then on; ISO 8601, such as 2026-11-21T08:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what arrived, and where each report stands."""

    async def read(journal: OperatorJournal) -> None:
        rows = await journal.rows(
            state=state, accession_number=accession, since=_instant(since), limit=limit
        )
        if as_json:
            for row in rows:
                print_json(_row(row))
        else:
            _print_rows(rows)

    _with_journal(config, data, read)


def show(id_: Id, config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show one message's whole trail: reports, texts, audit entries. Holds patient data."""

    async def read(journal: OperatorJournal) -> None:
        trail = await journal.trail(id_)
        if as_json:
            print_json(_trail(trail))
        else:
            _print_trail(trail)

    _with_journal(config, data, read)


def replay(
    ids: Annotated[list[str], typer.Argument(help="Ids of messages, reports or deliveries.")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Put FAILED, REJECTED or WITHHELD work back into the pipeline; send a failed delivery again.

    Exit 1 when one of the ids could not be; the others are.
    """

    async def write(journal: OperatorJournal) -> bool:
        records = [await _replay_one(journal, id_) for id_ in ids]
        for record in records:
            print_json(record) if as_json else _print_replay(record)
        return all(record["error"] is None for record in records)

    if not _with_journal(config, data, write, is_write=True):
        raise typer.Exit(1)


async def _replay_one(journal: OperatorJournal, id_: str) -> dict[str, object]:
    try:
        before, after = await journal.replay(id_, actor=_actor())
    except IllegalTransitionError as error:
        return {"id": id_, "from_state": error.state, "to_state": None, "error": error.reason}
    except DeliveryMovedOnError as error:
        return {"id": id_, "from_state": error.where, "to_state": None, "error": error.reason}
    except UnknownIdError as error:
        return {"id": id_, "from_state": None, "to_state": None, "error": error.reason}
    return {"id": id_, "from_state": before, "to_state": after, "error": None}


def _print_replay(record: dict[str, Any]) -> None:
    if record["error"] is None:
        sys.stdout.write(f"{record['id']}: {record['from_state']} -> {record['to_state']}\n")
    else:
        state = record["from_state"]
        reason = f"{state} is not replayed" if state else record["error"]
        sys.stderr.write(f"prelim: {record['id']}: {reason}\n")


def pause(config: Config = None, data: Data = None) -> None:
    """Stop posting at once, and across restarts. Messages are still taken and drafted."""
    _set_paused(config, data, is_paused=True)


def resume(config: Config = None, data: Data = None) -> None:
    """Start posting again."""
    _set_paused(config, data, is_paused=False)


def verify(
    head: Annotated[
        str | None, typer.Option(help="An earlier head of the chain, from the log stream.")
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the audit chain. Exit 1 and the first broken entry when it is not whole."""

    async def read(journal: OperatorJournal) -> bool:
        verdict = await journal.verify_chain(head=head)
        if as_json:
            print_json(asdict(verdict))
        elif verdict.is_whole:
            sys.stdout.write(f"whole: {verdict.entries} entries, head {verdict.head}\n")
        else:
            at = "" if verdict.first_broken is None else f" at entry {verdict.first_broken}"
            sys.stdout.write(f"broken{at}: {verdict.reason}; head {verdict.head}\n")
        return verdict.is_whole

    if not _with_journal(config, data, read):
        raise typer.Exit(1)


def _with_journal(
    config: Any,  # noqa: ANN401 - typer resolves Config at run time
    data: Any,  # noqa: ANN401 - same
    work: Callable[[OperatorJournal], Awaitable[Any]],
    *,
    is_write: bool = False,
) -> Any:  # noqa: ANN401 - what the work returns
    """Open the journal of these settings, do the work, close it."""
    path = read_settings(config, data).journal_path
    if not path.exists():
        raise ConfigurationError("no journal there yet; run prelim serve or prelim demo", str(path))

    async def run() -> Any:  # noqa: ANN401 - what the work returns
        journal = open_journal(path, clock=SystemClock(), read_only=not is_write)
        try:
            return await work(journal)
        finally:
            await journal.close()

    return asyncio.run(run())


def _set_paused(config: Any, data: Any, *, is_paused: bool) -> None:  # noqa: ANN401 - as above
    async def write(journal: OperatorJournal) -> None:
        await journal.set_paused(is_paused=is_paused, actor=_actor())

    _with_journal(config, data, write, is_write=True)
    sys.stdout.write("posting is paused\n" if is_paused else "posting goes on\n")


def _actor() -> str:
    """Name the operator in the audit trail; a container may have a uid without a name."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"operator:uid-{os.getuid()}"


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("not an ISO 8601 time", "--since") from None
    return instant if instant.tzinfo else instant.astimezone()


def _row(row: Row) -> dict[str, object]:
    return {
        "message_id": row.message_id,
        "report_id": row.report_id,
        "state": row.state.value,
        "reason": row.reason,
        "received_at": row.received_at.isoformat(),
        "sender": row.sender,
        "message_type": row.message_type,
        "message_control_id": row.message_control_id,
        "accession_number": row.accession_number,
        "attempts": row.attempts,
        "not_before": row.not_before.isoformat() if row.not_before else None,
    }


def _entry(entry: AuditEntry) -> dict[str, object]:
    return {**asdict(entry), "at": entry.at.isoformat(), "detail": dict(entry.detail)}


def _report(report: ReportTrail) -> dict[str, object]:
    draft, observation = report.draft, report.observation
    return {
        **_row(report.row),
        "exam": asdict(report.study.exam),
        **asdict(report.study.sections),
        "codec": report.study.codec,
        "warnings": report.study.doubts,
        "draft": draft.text if draft else None,
        "engine": asdict(draft.engine) if draft else None,
        "observation": observation.observation.decode() if observation else None,
        "provenance": observation.provenance.decode() if observation else None,
        "reference": report.reference,
        "retracted_for": report.retracted_for,
    }


def _delivery(delivery: DeliveryTrail) -> dict[str, object]:
    until = delivery.not_before
    return {
        **asdict(delivery),
        "not_before": until.isoformat() if until else None,
        "payload": delivery.payload.decode("utf-8", "backslashreplace"),
    }


def _trail(trail: Trail) -> dict[str, object]:
    return {
        **_row(trail.row),
        "door": trail.raw.door,
        "payload": trail.raw.payload.decode("utf-8", "backslashreplace"),
        "reports": [_report(report) for report in trail.reports],
        "deliveries": [_delivery(delivery) for delivery in trail.deliveries],
        "audit": [_entry(entry) for entry in trail.entries],
    }


def _print_rows(rows: Any) -> None:  # noqa: ANN401 - a sequence of Row
    table = Table(box=None, pad_edge=False)
    for title in ("id", "state", "reason", "received", "type", "control id", "accession"):
        table.add_column(title, no_wrap=title in ("id", "state"))
    for row in rows:
        table.add_row(
            row.report_id or row.message_id,
            row.state.value,
            row.reason or "",
            row.received_at.isoformat(timespec="seconds"),
            row.message_type,
            row.message_control_id,
            row.accession_number or "",
        )
    # Where nobody looks, nothing is cut: the next program reads whole values.
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)


def _print_trail(trail: Trail) -> None:
    out = Console(markup=False, highlight=False, soft_wrap=True)
    out.print(f"message {trail.row.message_id}  {trail.row.state}  {trail.row.reason or ''}")
    out.print(trail.raw.payload.decode("utf-8", "backslashreplace").replace("\r", "\n"))
    for report in trail.reports:
        out.print(f"report {report.row.report_id}  {report.row.state}  {report.row.reason or ''}")
        out.print(f"  {' '.join([report.study.codec, *report.study.doubts])}")
        out.print(f"  findings:\n{report.study.sections.findings or '(none)'}")
        redraft = report.draft.engine.redraft if report.draft else 0
        which = f" (redraft {redraft})" if redraft else ""
        out.print(f"  draft{which}:\n{report.draft.text if report.draft else '(none)'}")
        if report.reference:
            out.print(f"  stored as {report.reference}")
        if report.retracted_for:
            out.print(f"  to be taken back, or taken back: {report.retracted_for}")
    for delivery in trail.deliveries:
        out.print(
            f"delivery {delivery.delivery_id}  {delivery.kind} to {delivery.target or '(sender)'}"
            f"  {delivery.state}  {delivery.reason or ''}"
        )
    for entry in trail.entries:
        detail = " ".join(f"{key}={value}" for key, value in entry.detail.items())
        out.print(
            f"{entry.sequence:>6} {entry.at.isoformat(timespec='milliseconds')} {entry.actor}"
            f" {entry.event} {entry.from_state or '-'} -> {entry.to_state or '-'} {detail}"
        )
