"""The command that asks how a model fares away from home: transfer."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from daemon.cli_libraries import METRIC_LIBRARIES, MODEL_LIBRARIES, require_libraries
from daemon.cli_options import AsJson, print_json
from daemon.cli_outputs import require_writable_folder
from daemon.cli_recipes import TRAINING, names_of, read_training_recipe
from daemon.cli_tables import print_table
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from model.pages import Section
    from model.transfer.institutions import Institution

ERRORS = Console(stderr=True)
_NAME = re.compile(r"\w[\w.-]*")  # names files and folders: never ".."

Institutions = Annotated[
    list[str],
    typer.Option(
        "--institution",
        help="NAME=FOLDER (train.jsonl, dev.jsonl, test.jsonl) or NAME=FILE.jsonl, which is judged"
        " only; once for each.",
    ),
]
RecipeFile = Annotated[
    Path,
    typer.Option("--recipe", help=f"YAML, or the name of a shipped one ({names_of(TRAINING)})."),
]
TrainOn = Annotated[
    list[str] | None,
    typer.Option(help="Train on this one; again for another. Without it, on each that has train."),
]
Adapters = Annotated[
    list[str] | None,
    typer.Option("--adapter", help="NAME=FOLDER: take what was trained on NAME before."),
]
Out = Annotated[
    Path,
    typer.Option(
        help="Folder for the report and all that is made on the way; a run that was cut off goes"
        " on from it. It holds reports and drafts: their owner's alone."
    ),
]
Base = Annotated[
    Path | None, typer.Option(help="Folder of the base model; without it, the demo base.")
]
Reports = Annotated[
    int | None, typer.Option(min=1, help="Judge the first so many of each institution.")
]
TrainReports = Annotated[
    int | None, typer.Option(min=1, help="Train on the first so many of each.")
]
LatencyReports = Annotated[
    int, typer.Option(min=1, help="Time so many one by one, for p50 and p95.")
]
WattsPerCore = Annotated[
    float, typer.Option(min=0, help="Of a busy core; where RAPL cannot be read.")
]
WattsPerGpu = Annotated[float, typer.Option(min=0, help="Of a GPU at work.")]
PricePerKwh = Annotated[float, typer.Option(min=0, help="In your currency.")]
PricePerMachineHour = Annotated[float, typer.Option(min=0, help="In the same.")]


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(transfer)


def transfer(  # noqa: PLR0913, PLR0917 - an option each
    institution: Institutions,
    recipe: RecipeFile,
    out: Out,
    train_on: TrainOn = None,
    adapter: Adapters = None,
    base: Base = None,
    reports: Reports = None,
    train_reports: TrainReports = None,
    latency_reports: LatencyReports = 20,
    watts_per_core: WattsPerCore = 10.0,
    watts_per_gpu: WattsPerGpu = 400.0,
    price_per_kwh: PricePerKwh = 0.30,
    price_per_machine_hour: PricePerMachineHour = 0.20,
    as_json: AsJson = False,
) -> None:
    """Train on one institution, judge on all: words, findings and cost by body system, as maps.

    Baselines that know no more than the training institution's reports draft beside each model.
    """
    require_writable_folder(out, "--out")
    require_libraries("evaluation", *METRIC_LIBRARIES)
    require_libraries("model", *MODEL_LIBRARIES)
    from model.transfer.pace import Rates
    from model.transfer.report import as_dict, write_report
    from model.transfer.tables import tables_of
    from model.transfer.transferring import Study, run_transfer

    told = _read_institutions(institution, reports, train_reports)
    sources = _read_sources(train_on, told)
    rates = Rates(watts_per_core, watts_per_gpu, price_per_kwh, price_per_machine_hour)
    with _working() as report:
        study = Study(
            institutions=told,
            train_on=sources,
            recipe=read_training_recipe(recipe),
            out=out,
            base=base,
            adapters=_read_adapters(adapter, sources),
            rates=rates,
            latency_reports=latency_reports,
            report=report,
        )
        done = run_transfer(study)
    write_report(out, done)
    if as_json:
        print_json(as_dict(done))
    else:
        _print(tables_of(done), out)


def _read_institutions(
    told: Sequence[str], reports_max: int | None, train_max: int | None
) -> tuple[Institution, ...]:
    from model.transfer.institutions import read_institution

    places = _read_named("--institution", told)
    return tuple(
        read_institution(name, path, reports_max=reports_max, train_max=train_max)
        for name, path in places.items()
    )


def _read_sources(train_on: Sequence[str] | None, told: Sequence[Institution]) -> tuple[str, ...]:
    """Return the institutions to train on, in the order they were given.

    Raises:
        ConfigurationError: One is not there, or has no reports to train on.
    """
    trainable = tuple(one.name for one in told if one.train)
    for name in train_on or ():
        if name not in trainable:
            raise ConfigurationError(f"{name}: no such institution with train.jsonl", "--train-on")
    if not trainable:
        raise ConfigurationError("none_has_train_jsonl", "--institution")
    return tuple(name for name in trainable if train_on is None or name in train_on)


def _read_adapters(told: Sequence[str] | None, sources: Sequence[str]) -> dict[str, Path]:
    """Return the adapters that need not be trained, by their institution.

    Raises:
        ConfigurationError: Its institution is none of those trained on.
    """
    adapters = _read_named("--adapter", told or [])
    for name in adapters.keys() - set(sources):
        raise ConfigurationError(f"{name}: not trained on", "--adapter")
    return adapters


def _read_named(option: str, told: Sequence[str]) -> dict[str, Path]:
    """Read NAME=PATH, each name once.

    Raises:
        ConfigurationError: It is not so, or nothing is there.
    """
    found: dict[str, Path] = {}
    for one in told:
        name, _, path = one.partition("=")
        if not (_NAME.fullmatch(name) and path) or name in found:
            raise ConfigurationError("not NAME=PATH, each name once", option)
        if not Path(path).exists():
            raise ConfigurationError("path_missing", f"{option} {name}")
        found[name] = Path(path)
    return found


@contextmanager
def _working() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each thing that is done."""
    with Progress(console=ERRORS, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def report(doing: str, done: int, whole: int) -> None:
            if doing not in bars:
                bars[doing] = progress.add_task(doing)
            progress.update(bars[doing], completed=done, total=whole)

        yield report


def _print(tables: Sequence[Section], out: Path) -> None:
    from model.transfer.tables import BY_SYSTEM

    for one in tables:
        if one.title == BY_SYSTEM:
            continue  # too much for a terminal: the report has it
        print_table(one.title, one.head, one.rows, names=one.names)
    typer.echo(f"{out / 'report.html'}")
