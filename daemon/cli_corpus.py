"""Commands on corpora: corpus import, split, dirty."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from collections import Counter
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli_options import AsJson, Config, Data, print_json, read_settings
from daemon.cli_reports import read_messages
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mappings.domain import StudyReport
    from model.corpora.import_record import ImportRecord
    from model.corpora.messages import Passed
    from model.corpora.schema import CorpusRow, Pseudonyms
    from model.corpora.splits import SplitPlan

SALT_BYTES = 32
TABLES = (".csv", ".tsv", ".jsonl")
JOURNAL_ROWS_MAX = 10_000_000

Corpus = Annotated[
    Path, typer.Argument(help="Corpus file, JSON lines: of `corpus import`, `synth` or `clean`.")
]
OutFile = Annotated[Path, typer.Option("--out", help="Corpus file to write, for its owner alone.")]
Sources = Annotated[
    list[str] | None,
    typer.Argument(help="CSV, TSV or JSON lines; HL7 v2 messages; FHIR as .json or .ndjson."),
]
Columns = Annotated[
    str | None, typer.Option(help="YAML that says which column is what, or the shipped map openi.")
]
SaltFile = Annotated[
    Path | None,
    typer.Option(help="Secret of the patient keys; without it OUT.salt, made when missing."),
]
Near = Annotated[
    float, typer.Option(min=0.1, max=1, help="Likeness of findings that may not be parted.")
]


class By(StrEnum):
    """What rows are split by."""

    PATIENT = "patient"
    SITE = "site"
    TIME = "time"


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    corpus = typer.Typer(
        no_args_is_help=True, help="Reports with their impressions, to train on and to measure by."
    )
    corpus.command(name="import")(import_)
    corpus.command()(split)
    corpus.command()(dirty)
    app.add_typer(corpus, name="corpus")


def import_(  # noqa: PLR0913, PLR0917 - each is an option of the command
    out: OutFile,
    files: Sources = None,
    columns: Columns = None,
    journal: Annotated[
        bool, typer.Option("--journal", help="Read the final reports of the journal, too.")
    ] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Take names, dates, numbers, addresses out.")
    ] = False,
    salt_file: SaltFile = None,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a corpus of final reports; of a report's versions the last one read stands.

    Patients become salted hashes. Keep the salt apart from the corpus, or destroy it.
    OUT.import.json keeps the counts of what was read, passed over and taken out.
    """
    from model.corpora.import_record import make_record
    from model.corpora.messages import Passed
    from model.corpora.schema import Pseudonyms
    from model.deidentify import Changes, deidentify_row

    if not files and not journal:
        raise ConfigurationError("nothing to read: name files, or --journal", "FILES")
    pseudonyms = Pseudonyms(_salt(salt_file or out.with_name(f"{out.name}.salt")))
    passed, changes = Passed(), Changes()
    rows = _file_rows(files or (), columns, config, pseudonyms, passed)
    if journal:
        rows = chain(rows, _journal_rows(config, data, pseudonyms, passed))
    if deidentify:
        rows = (deidentify_row(row, changes) for row in rows)
    count = _write_newest(out, rows, passed)
    record = make_record(out, count, passed, changes if deidentify else None)
    record_file = _write_record(out, record)
    if as_json:
        print_json({"file": str(out), "record": str(record_file)} | record.as_dict())
        return
    typer.echo(f"{out}: {count} of {record.read} reports read")
    for said, counts in (("passed over", record.passed_over), ("taken out", record.deidentified)):
        for name, number in counts.items():
            typer.echo(f"  {said}, {name}: {number}")
    typer.echo(f"{record_file}: these counts")


def split(  # noqa: PLR0913, PLR0917 - each is an option of the command
    data: Corpus,
    out: Annotated[Path, typer.Option("--out", help="Folder for train, dev and test.jsonl.")],
    by: Annotated[By, typer.Option(help="Whole patients, whole sites, or what came last.")],
    seed: Annotated[int, typer.Option(help="Of the order in which patients are dealt.")] = 0,
    dev: Annotated[list[str] | None, typer.Option(help="A site of dev; may be repeated.")] = None,
    test: Annotated[list[str] | None, typer.Option(help="A site of test; may be repeated.")] = None,
    dev_from: Annotated[str, typer.Option(help="First date of dev, ISO 8601.")] = "",
    test_from: Annotated[str, typer.Option(help="First date of test, ISO 8601.")] = "",
    near: Near = 0.8,
    as_json: AsJson = False,
) -> None:
    """Split a corpus so that no patient and no report, not even nearly, is in two splits."""
    from model.corpora.schema import read_corpus
    from model.corpora.splits import split_by_patient, split_by_site, split_by_time

    rows = read_corpus(data)
    if by is By.PATIENT:
        plan = split_by_patient(rows, seed=seed, near=near)
    elif by is By.SITE:
        plan = split_by_site(rows, dev=dev or (), test=test or (), near=near)
    else:
        plan = split_by_time(rows, dev_from=dev_from, test_from=test_from, near=near)
    if not plan.names:
        raise ConfigurationError("no_reports", str(data))
    _write_splits(data, out, plan)
    _keep_records(data, out)
    told = _describe_split(out, plan) | {"by": by.value, "seed": seed}
    (out / "corpus.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json({"folder": str(out)} | told)
        return
    _print_split(plan)


def _keep_records(data: Path, out: Path) -> None:
    """Lay what is told of a corpus's import and cleaning beside its splits, where it is its own."""
    from model.corpora.import_record import carry_ledger, carry_record, origins_of

    origins = origins_of(data)
    carry_ledger(data, out, origins)
    carry_record(data, out, origins)


def dirty(
    data: Corpus,
    out: OutFile,
    truth: Annotated[Path, typer.Option("--truth", help="File for what was damaged, and how.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the rows to damage.")] = 0.3,
    seed: Annotated[int, typer.Option(help="The same seed damages the same rows.")] = 0,
) -> None:
    """Damage a share of a clean corpus, to measure the rules of `prelim clean` by."""
    from model.cleaning.dirt import make_dirty
    from model.cleaning.judging import write_truth
    from model.corpora.schema import read_corpus, write_corpus_file

    made = list(make_dirty(list(read_corpus(data)), share=share, seed=seed))
    write_corpus_file(out, (row for row, _ in made))
    write_truth(truth, ((row.report_id, rule) for row, rule in made))
    counts = Counter(rule for _, rule in made)
    for rule, number in counts.most_common():
        typer.echo(f"{rule}: {number}")


def _salt(path: Path) -> bytes:
    """Read the secret of the patient keys, or make it, for its owner alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot write ({type(error).__name__})", str(path)) from None
    with os.fdopen(descriptor, "wb") as file:
        salt = secrets.token_hex(SALT_BYTES).encode()
        file.write(salt)
    return salt


def _file_rows(
    files: Iterable[str],
    columns: str | None,
    config: Path | None,
    pseudonyms: Pseudonyms,
    passed: Passed,
) -> Iterator[CorpusRow]:
    from model.corpora.tables import ColumnMap, load_column_map, read_table_rows

    told = ColumnMap() if columns is None else load_column_map(columns)
    for name in files:
        if name.endswith(TABLES):
            yield from read_table_rows(Path(name), told, pseudonyms)
        else:
            yield from _message_rows(name, config, pseudonyms, passed)


def _message_rows(
    name: str, config: Path | None, pseudonyms: Pseudonyms, passed: Passed
) -> Iterator[CorpusRow]:
    from daemon.site_files import load_sites
    from mappings.domain import Standard
    from mappings.fhir_in_header import is_json
    from model.corpora.messages import read_message_rows

    sites = load_sites(read_settings(config).sites)
    for _, _, payload in read_messages([name]):
        standard = Standard.FHIR if is_json(payload) else Standard.HL7V2
        yield from read_message_rows(payload, sites, pseudonyms, passed, standard)


def _journal_rows(
    config: Path | None, data: Path | None, pseudonyms: Pseudonyms, passed: Passed
) -> Iterator[CorpusRow]:
    from model.corpora.messages import NEVER_LEARNED, study_row

    path = read_settings(config, data).journal_path
    if not path.exists():
        raise ConfigurationError("no journal there yet", str(path))
    never = {reason.value for reason in NEVER_LEARNED}
    for study, reason in asyncio.run(_journal_studies(path)):
        if reason in never:
            passed.reasons[str(reason)] += 1
        elif row := study_row(study, pseudonyms, passed):
            yield row


async def _journal_studies(path: Path) -> list[tuple[StudyReport, str | None]]:
    """Return every report of the journal, oldest first, with why it was not drafted."""
    from daemon.clock import SystemClock
    from daemon.journal_sqlite import open_journal

    journal = open_journal(path, clock=SystemClock(), read_only=True)
    try:
        found = await journal.rows(limit=JOURNAL_ROWS_MAX)
        ids = dict.fromkeys(row.message_id for row in reversed(found) if row.report_id)
        studies: list[tuple[StudyReport, str | None]] = []
        for id_ in ids:
            trail = await journal.trail(id_)
            studies += [(report.study, report.row.reason) for report in trail.reports]
    finally:
        await journal.close()
    return studies


def _write_newest(out: Path, rows: Iterable[CorpusRow], passed: Passed) -> int:
    """Write rows; of those with one id only the last."""
    from model.corpora.schema import read_corpus, write_corpus_file

    spool = out.with_name(f"{out.name}.part")
    newest: dict[str, int] = {}

    def noted() -> Iterator[CorpusRow]:
        for place, row in enumerate(rows):
            newest[row.report_id] = place
            yield row

    try:
        count = write_corpus_file(spool, noted())
        kept = (
            row for place, row in enumerate(read_corpus(spool)) if newest[row.report_id] == place
        )
        written = write_corpus_file(out, kept)
    except OSError as error:
        raise ConfigurationError(f"cannot write ({type(error).__name__})", str(out)) from None
    finally:
        spool.unlink(missing_ok=True)
    if count > written:
        passed.reasons["older_version"] += count - written
    return written


def _write_record(out: Path, record: ImportRecord) -> Path:
    from model.corpora.import_record import write_record

    try:
        return write_record(out, record)
    except OSError as error:
        where = f"{out}: its record"
        raise ConfigurationError(f"cannot write ({type(error).__name__})", where) from None


def _write_splits(data: Path, out: Path, plan: SplitPlan) -> None:
    from model.corpora.schema import open_private, read_corpus, render_row

    out.mkdir(parents=True, exist_ok=True)
    files = {name: open_private(out / f"{name}.jsonl") for name in plan.counts}
    try:
        for name, row in zip(plan.names, read_corpus(data), strict=True):
            files[name].write(render_row(row))
    finally:
        for file in files.values():
            file.close()


def _print_split(plan: SplitPlan) -> None:
    for name, number in plan.counts.items():
        typer.echo(f"{name}: {number}")
    for reason, number in sorted(plan.aside.items()):
        typer.echo(f"  set aside, {reason}: {number}")
    sizes = ", ".join(map(str, plan.clusters[:10]))
    typer.echo(f"groups of near-duplicate findings: {len(plan.clusters)} (largest: {sizes or '-'})")


def _describe_split(out: Path, plan: SplitPlan) -> dict[str, object]:
    """Return what an adapter's card says of its data, and what was done against leaks."""
    digests = {
        name: hashlib.sha256((out / f"{name}.jsonl").read_bytes()).hexdigest()
        for name in plan.counts
    }
    return {
        "generator": "prelim corpus split",
        "counts": plan.counts,
        "sha256": digests,
        "set_aside": dict(plan.aside),
        "near_duplicate_groups": len(plan.clusters),
        "largest_groups": list(plan.clusters[:10]),
    }
