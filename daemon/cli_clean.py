"""The command that cleans a corpus: clean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from daemon.cli_corpus import Corpus
from daemon.cli_options import AsJson, print_json
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model.cleaning.judging import RuleJudgement
    from model.cleaning.ledger import Ledger

ERRORS = Console(stderr=True)


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(clean)


def clean(
    data: Corpus,
    out: Annotated[Path, typer.Option("--out", help="Folder for the kept rows and the report.")],
    rules: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML that switches rules; see the docs.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="Of `corpus dirty`: prints each rule's precision and recall."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take out of a corpus what no model should learn from; count, sample and plot it by rule."""
    from model.cleaning.judging import judge_rules, read_truth
    from model.cleaning.run import clean_corpus
    from model.cleaning.settings import load_settings_file
    from model.corpora.import_record import carry_record, origins_of

    settings = load_settings_file(rules)
    known = None if truth is None else read_truth(truth)
    with Progress(console=ERRORS, transient=True) as progress:
        task = progress.add_task("judging reports", total=_count_lines(data))
        origins = origins_of(data)
        ledger, funnel = clean_corpus(data, out, settings, lambda n: progress.advance(task, n))
    carry_record(data, out, origins)
    judged = [] if known is None else judge_rules(funnel, known)
    if as_json:
        told = ledger.as_dict() | {"folder": str(out)}
        print_json(told | ({"judged": [one.as_dict() for one in judged]} if judged else {}))
        return
    _print_funnel(ledger)
    if judged:
        _print_judgements(judged)
    typer.echo(f"{out}: kept.jsonl, samples.jsonl, report.md, report.html, funnel.svg, ledger.json")


def _count_lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError as error:
        raise ConfigurationError(f"cannot read ({type(error).__name__})", str(path)) from None


def _print_funnel(ledger: Ledger) -> None:
    lines = [
        (one.rule, str(one.alone), str(one.taken) if one.is_enabled else "off", str(one.left))
        for one in ledger.rules
    ]
    _print_table(
        f"{ledger.rows} reports read, {ledger.kept} kept",
        ("rule", "alone", "in order", "left"),
        lines,
    )


def _print_judgements(judged: Sequence[RuleJudgement]) -> None:
    head = ("rule", "damaged", "flagged", "right", "other", "clean", "prec.", "any", "recall")
    lines = [
        (
            one.rule,
            *map(str, (one.damaged, one.flagged, one.right, one.otherwise_damaged, one.clean)),
            *map(_share, (one.precision, one.precision_any, one.recall)),
        )
        for one in judged
    ]
    _print_table("each rule by itself, against the truth", head, lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_table(title: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), title_justify="left")
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    Console().print(table)
