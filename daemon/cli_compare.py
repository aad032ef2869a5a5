"""Commands that put runs side by side: compare (bases and strategies), ablate (prompts)."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.cli_libraries import METRIC_LIBRARIES, MODEL_LIBRARIES, require_libraries
from daemon.cli_options import AsJson, print_json
from daemon.cli_outputs import require_writable_folder
from daemon.cli_recipes import TRAINING, names_of, read_training_recipe
from daemon.cli_tables import print_table
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from model.comparing.ablation import ReportSet
    from model.corpora.schema import CorpusRow
    from model.pages import Section
    from model.prompt import PromptPlan
    from model.training import Recipe

ERRORS = Console(stderr=True)

Data = Annotated[Path, typer.Option("--data", help="Corpus folder: train, dev and test.jsonl.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for report.md, report.html and plots.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="CPU threads.")]

Strategies = Annotated[
    str | None,
    typer.Option(
        help="What to train, with commas between: lora, qlora, ia3, prompt, p_tuning, prefix,"
        " freeze, full."
    ),
]
Recipes = Annotated[
    str | None,
    typer.Option(
        help=f"Recipe files, or names of shipped ones ({names_of(TRAINING)}), instead; commas"
        " between."
    ),
]
Bases = Annotated[
    str | None,
    typer.Option(
        help="Folders of base models, commas between; each is trained in every way. Without it,"
        " each recipe's own base; for --strategies the demo base."
    ),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Of each run; without it, as the recipe says, or 200.")
]
Reports = Annotated[int, typer.Option(min=1, help="Reports of dev.jsonl to draft.")]

AdaptersBase = Annotated[
    Path | None, typer.Option("--base", help="Folder of its base; without it, the demo base.")
]
External = Annotated[
    list[Path] | None,
    typer.Option("--external", help="JSONL of others' reports; can be given several times."),
]
Split = Annotated[Literal["dev", "test"], typer.Option(help="Part of the corpus to draft.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only the first so many reports of each set.")
]
TellExam = Annotated[
    bool | None,
    typer.Option("--exam/--no-exam", help="Tell the exam's title; else as it was taught."),
]
TellIndication = Annotated[
    bool | None, typer.Option("--indication/--no-indication", help="Tell it; else as taught.")
]
TellSiteNames = Annotated[
    bool | None,
    typer.Option(
        "--site-names/--no-site-names",
        help="Tell the name of a site that has no style; else as it was taught.",
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (compare, ablate):
        app.command()(command)


def compare(  # noqa: PLR0913, PLR0917 - an option each
    data: Data,
    out: Out,
    strategies: Strategies = None,
    recipes: Recipes = None,
    bases: Bases = None,
    steps: Steps = None,
    reports: Reports = 100,
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Train bases in several ways and print the study's table: cost, loss, overlap, abnormals.

    Each run is tried on the same reports, baselines and the untrained bases beside. A run that is
    done stays in OUT/cells and is not made again; one that was cut off goes on. What cannot be run
    here (a base that needs code of its own, weights that are not here) has a row that says why.
    """
    require_writable_folder(out, "--out")
    if (strategies is None) == (recipes is None):
        raise ConfigurationError("give_one_of_--strategies_and_--recipes", "--strategies")
    _require_libraries()
    told = _recipes(recipes, steps) if recipes else _of_strategies(strategies or "", steps, threads)
    if not told or (bases is not None and not _split(bases)):
        raise ConfigurationError("names_nothing", "--bases" if told else "--strategies, --recipes")
    _require_file(data / "train.jsonl")
    from model.comparing.cells import plan_cells
    from model.comparing.running import Asked, Watch, compare_cells
    from model.comparing.strategies_page import compared_as_dict, strategies_page, table_of
    from model.evaluation.by_reference import Source
    from model.pages import write_page

    file = _require_file(data / "dev.jsonl")
    cells = plan_cells(told, None if bases is None else _split(bases))
    asked = Asked(data, _read(file, reports), out, threads)
    with _progress() as progress:
        task = progress.add_task("starting", total=None)
        watch = Watch(
            began=lambda what, total: progress.reset(task, description=what, total=total),
            advanced=lambda count: progress.advance(task, count),
        )
        compared = compare_cells(cells, asked, Source.of(file), watch)
    write_page(out, strategies_page(compared))
    if as_json:
        print_json(compared_as_dict(compared))
    else:
        _print(table_of(compared), out)


def ablate(  # noqa: PLR0913, PLR0917 - an option each
    data: Data,
    adapter: Annotated[Path, typer.Option("--adapter", help="Folder that `prelim train` wrote.")],
    out: Out,
    base: AdaptersBase = None,
    external: External = None,
    split: Split = "test",
    limit: Limit = None,
    exam: TellExam = None,
    indication: TellIndication = None,
    site_names: TellSiteNames = None,
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Ask one adapter with neither modality nor site, with one of them, with both, and compare.

    The corpus's own reports (internal) and those of others (external) stand side by side. Train the
    adapter with `prompt: {variant: mixed}` in its recipe, so that it knows all four.
    """
    require_writable_folder(out, "--out")
    _require_libraries()
    from model.comparing.ablation import run_ablation
    from model.comparing.ablation_page import ablation_as_dict, ablation_page, sections_of
    from model.engines.weights import taught_plan
    from model.pages import write_page
    from model.prompt import VARIANTS
    from model.training.writer import load_writer

    sets = _sets(data, split, external or [], limit)
    plan = _told(
        taught_plan(adapter, "--adapter"), exam=exam, indication=indication, site_name=site_names
    )
    writer = load_writer(adapter, base, threads=threads)
    with _progress() as progress:
        total = len(VARIANTS) * sum(len(one.reports) for one in sets)
        task = progress.add_task("drafting", total=total)
        ablation = run_ablation(sets, writer, plan, lambda count: progress.advance(task, count))
    write_page(out, ablation_page(ablation))
    if as_json:
        print_json(ablation_as_dict(ablation))
    else:
        _print(sections_of(ablation)[0], out)


def _recipes(told: str, steps: int | None) -> list[Recipe]:
    recipes = [read_training_recipe(Path(one)) for one in _split(told)]
    if steps is None:
        return recipes
    return [one.model_copy(update={"steps": steps, "epochs": None}) for one in recipes]


def _of_strategies(told: str, steps: int | None, threads: int) -> list[Recipe]:
    from model.comparing.cells import STEPS, default_recipes

    return default_recipes(_split(told), steps=steps or STEPS, threads=threads)


def _split(told: str) -> list[str]:
    return [one.strip() for one in told.split(",") if one.strip()]


def _sets(data: Path, split: str, external: Sequence[Path], limit: int | None) -> list[ReportSet]:
    from model.comparing.ablation import ReportSet
    from model.evaluation.by_reference import Source

    files = {f"internal {split}": data / f"{split}.jsonl"}
    files |= {f"external {path.stem}": path for path in external}
    if len(files) <= len(external):
        raise ConfigurationError("two_files_of_one_name", "--external")
    return [
        ReportSet(name, Source.of(_require_file(path)), _read(path, limit))
        for name, path in files.items()
    ]


def _told(plan: PromptPlan, **asked: bool | None) -> PromptPlan:
    """Return how an adapter was taught, changed where the call says so."""
    return plan.model_copy(
        update={name: value for name, value in asked.items() if value is not None}
    )


def _read(path: Path, limit: int | None) -> tuple[CorpusRow, ...]:
    from model.evaluation.reports import read_reports

    return tuple(read_reports(path)[:limit])


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise ConfigurationError("corpus_file_missing", str(path))
    return path


def _require_libraries() -> None:
    require_libraries("model", *MODEL_LIBRARIES)
    require_libraries("evaluation", *METRIC_LIBRARIES)


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=ERRORS, transient=True) as progress:
        yield progress


def _print(section: Section, out: Path) -> None:
    print_table(section.title, section.head, section.rows, names=section.names)
    typer.echo(f"{out / 'report.md'}, {out / 'report.html'}")
