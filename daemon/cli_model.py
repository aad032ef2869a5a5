"""Commands of the model side: synth, train, evaluate."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import model
from daemon.cli_options import AsJson, print_json
from daemon.errors import ConfigurationError
from model.errors import EngineUnavailableError

if TYPE_CHECKING:
    from model.evaluation import Evaluation
    from model.synth import Corpus
    from model.training import Recipe

ERRORS = Console(stderr=True)
SHIPPED_RECIPE = Path(model.__file__).parent / "training" / "recipes" / "demo.yaml"
SHIPPED_ADAPTER = Path(model.__file__).parent / "demo_adapter"
LIBRARIES = ("torch", "transformers", "peft", "safetensors")

CorpusFolder = Annotated[
    Path, typer.Option("--data", help="Corpus folder, as `prelim synth` writes it.")
]
Base = Annotated[
    Path | None,
    typer.Option("--base", help="Folder of the base model; without it, the demo base."),
]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (synth, train, evaluate):
        app.command()(command)


def synth(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the corpus to.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    train: Annotated[int, typer.Option(min=0, help="Reports to train on.")] = 8000,
    dev: Annotated[int, typer.Option(min=0, help="Reports to watch training by.")] = 120,
    test: Annotated[int, typer.Option(min=0, help="Reports of unseen templates.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Write a synthetic corpus: invented reports whose sides, sizes and negations are known."""
    from model.synth import Counts, write_corpus

    counts = Counts(train=train, dev=dev, test=test)
    with Progress(console=ERRORS, transient=True) as progress:
        task = progress.add_task("writing reports", total=train + dev + test)
        corpus = write_corpus(
            out, seed=seed, counts=counts, advance=lambda n: progress.advance(task, n)
        )
    if as_json:
        print_json({"folder": str(out), "seed": seed, "sha256": corpus.digests})
    else:
        _print_corpus(corpus)


def _print_corpus(corpus: Corpus) -> None:
    for split, digest in corpus.digests.items():
        typer.echo(f"{corpus.folder / f'{split}.jsonl'}  sha256 {digest}")


def train(
    data: CorpusFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the adapter and its card.")],
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="YAML; without it, the demo adapter's recipe.")
    ] = None,
    base: Base = None,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter; the same recipe, data and machine give the same bytes."""
    from model.training import run_training

    told = _read_recipe(recipe or SHIPPED_RECIPE)
    _require_corpus(data, "train.jsonl", "dev.jsonl", "corpus.json")
    _require_libraries(*LIBRARIES)
    with _training_progress() as progress:
        task = progress.add_task("training", total=told.steps, loss="", dev="")

        def report(step: int, loss: float, dev_loss: float | None) -> None:
            progress.update(task, completed=step, loss=f"loss {loss:.3f}")
            if dev_loss is not None:
                progress.update(task, dev=f"dev {dev_loss:.3f}")

        trained = run_training(told, data=data, out=out, base=base, report=report)
    last = trained.dev_losses[told.steps]
    if as_json:
        made = {"folder": str(out), "rows": trained.rows, "steps": told.steps}
        print_json(made | {"dev_loss_nats_per_token": trained.dev_losses})
    else:
        typer.echo(f"{out}: {trained.rows} reports, dev loss {last:.3f} nats a token")


def evaluate(
    data: CorpusFolder,
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", help="Adapter folder; without it, the shipped demo adapter."),
    ] = None,
    base: Base = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first so many reports.")
    ] = None,
    drafts: Annotated[
        Path | None, typer.Option("--drafts", help="Write every draft here, as JSON lines.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Put the numbers into the adapter's card.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score an adapter and baselines on reports whose truth is known and templates are unseen."""
    folder = adapter or SHIPPED_ADAPTER
    _require_corpus(data, "train.jsonl", "test.jsonl")
    if card and not (folder / "card.json").is_file():
        raise ConfigurationError("card_missing", str(folder))
    _require_libraries(*LIBRARIES, "rouge_score")
    from model.evaluation import run_evaluation

    with Progress(console=ERRORS, transient=True) as progress:
        task = progress.add_task("drafting", total=_count_reports(data / "test.jsonl", limit))
        evaluation = run_evaluation(
            data=data,
            adapter=folder,
            base=base,
            limit=limit,
            advance=lambda n: progress.advance(task, n),
        )
    if drafts:
        _write_drafts(drafts, evaluation)
    if card:
        from model.training.card import add_evaluation

        add_evaluation(folder, evaluation.as_dict())
    if as_json:
        print_json(evaluation.as_dict())
    else:
        _print_scores(evaluation)


def _read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        ConfigurationError: With the path of its first wrong field.
    """
    import yaml
    from pydantic import ValidationError

    from model.training import load_recipe

    try:
        return load_recipe(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot_read_file ({type(error).__name__})", str(path)) from None
    except yaml.YAMLError:
        raise ConfigurationError("not_yaml", str(path)) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], field or str(path)) from None


def _require_corpus(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise ConfigurationError("corpus_file_missing", str(folder / name))


def _require_libraries(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailableError(f"{', '.join(missing)} not installed: install prelim[model]")


def _training_progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}  {task.fields[dev]}"),
        TimeRemainingColumn(),
        console=ERRORS,
        transient=True,
    )


def _count_reports(path: Path, limit: int | None) -> int:
    with path.open("rb") as file:
        count = sum(1 for _ in file)
    return count if limit is None else min(count, limit)


def _write_drafts(path: Path, evaluation: Evaluation) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in evaluation.drafts)


def _print_scores(evaluation: Evaluation) -> None:
    title = f"{evaluation.reports} reports of {evaluation.split}"
    table = Table(title=title, box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in (*evaluation.systems, "n"):
        table.add_column(heading, justify="right")
    for metric, n in evaluation.counts.items():
        values = (scores[metric] for scores in evaluation.systems.values())
        cells = ("-" if value is None else f"{value:.3f}" for value in values)
        table.add_row(metric, *cells, str(n))
    Console().print(table)
