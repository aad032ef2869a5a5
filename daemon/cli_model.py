"""Commands of the model side: synth, train."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.cli_libraries import MODEL_LIBRARIES, require_libraries
from daemon.cli_options import AsJson, print_json
from daemon.cli_outputs import require_writable_folder
from daemon.cli_recipes import TRAINING, names_of, read_training_recipe
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from model.synth import Corpus
    from model.training import Trained

ERRORS = Console(stderr=True)

CorpusFolder = Annotated[
    Path, typer.Option("--data", help="Corpus folder, as `prelim synth` writes it.")
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        help=f"YAML, or the name of a shipped one ({names_of(TRAINING)}); without it, demo.",
    ),
]
Base = Annotated[
    Path | None,
    typer.Option("--base", help="Folder of the base model; without it, the demo base."),
]


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (synth, train):
        app.command()(command)


def synth(  # noqa: PLR0913, PLR0917 - an option each
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write the corpus to.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    train: Annotated[int, typer.Option(min=0, help="Reports to train on.")] = 8000,
    dev: Annotated[int, typer.Option(min=0, help="Reports to watch training by.")] = 120,
    test: Annotated[int, typer.Option(min=0, help="Reports of unseen templates.")] = 300,
    languages: Annotated[
        str,
        typer.Option(help="Codes with commas between; they take turns, one named twice has two."),
    ] = "en",
    is_listed: Annotated[
        bool, typer.Option("--list", help="Only count what there is, by language and region.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a synthetic corpus: invented reports whose sides, sizes and negations are known."""
    from model.synth import Counts, write_corpus

    if is_listed:
        _print_inventory(as_json=as_json)
        return
    if out is None:
        raise ConfigurationError("name a folder to write to", "--out")
    asked = _read_languages(languages)
    counts = Counts(train=train, dev=dev, test=test)
    with Progress(console=ERRORS, transient=True) as progress:
        task = progress.add_task("writing reports", total=train + dev + test)
        corpus = write_corpus(
            out,
            seed=seed,
            counts=counts,
            languages=asked,
            advance=lambda n: progress.advance(task, n),
        )
    if as_json:
        print_json({"folder": str(out), "seed": seed, "sha256": corpus.digests})
    else:
        _print_corpus(corpus)


def _read_languages(told: str) -> tuple[str, ...]:
    """Read --languages.

    Raises:
        ConfigurationError: One is not spoken, or none is given.
    """
    from model.synth import LANGUAGES

    asked = tuple(one.strip() for one in told.split(",") if one.strip())
    if not asked or set(asked) - set(LANGUAGES):
        raise ConfigurationError(f"not some of {', '.join(LANGUAGES)}", "--languages")
    return asked


def _print_inventory(*, as_json: bool) -> None:
    """Print a row a language: kinds, wordings and held-back wordings of each region."""
    from model.synth.inventory import inventory

    shelves = inventory()
    if as_json:
        print_json([asdict(shelf) for shelf in shelves])
        return
    regions = list(dict.fromkeys(shelf.region for shelf in shelves))
    typer.echo(f"| language | {' | '.join(regions)} |")
    typer.echo("|---|" + "---|" * len(regions))
    for language in dict.fromkeys(shelf.language for shelf in shelves):
        row = {shelf.region: shelf for shelf in shelves if shelf.language == language}
        cells = [
            f"{row[one].kinds}: {row[one].wordings} + {row[one].held_back}" if one in row else "-"
            for one in regions
        ]
        typer.echo(f"| {language} | {' | '.join(cells)} |")


def _print_corpus(corpus: Corpus) -> None:
    for split, digest in corpus.digests.items():
        typer.echo(f"{corpus.folder / f'{split}.jsonl'}  sha256 {digest}")


def train(
    data: CorpusFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for what is made and its card.")],
    recipe: RecipeFile = None,
    base: Base = None,
    begin: Annotated[
        Path | None,
        typer.Option("--from", help="Folder of an adapter to go on from: a site's from a general."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run into --out was cut off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a base on reports; the same recipe, data and machine give the same bytes.

    The recipe names the strategy (lora, qlora, ia3, prompt, p_tuning, prefix, freeze, full). The
    folder gets the adapter, its model card and the curve of its losses; a run that is cut off
    leaves a checkpoint, and --resume ends it with the bytes it would have had; one that has ended
    it leaves as it is.
    """
    from model.training import run_training
    from model.training.finished import read_finished

    require_writable_folder(out, "--out")
    told = read_training_recipe(recipe)
    _require_corpus(data, "train.jsonl", "dev.jsonl")
    require_libraries("model", *MODEL_LIBRARIES)
    if resume and (finished := read_finished(told, data=data, out=out, base=base, begin=begin)):
        _print_trained(finished, as_json=as_json, was_finished=True)
        return
    with _training_progress() as progress:
        task = progress.add_task("training", total=told.steps, loss="", dev="")

        def report(step: int, loss: float, dev_loss: float | None) -> None:
            progress.update(task, completed=step, loss=f"loss {loss:.3f}")
            if dev_loss is not None:
                progress.update(task, dev=f"dev {dev_loss:.3f}")

        trained = run_training(
            told,
            data=data,
            out=out,
            base=base,
            begin=begin,
            report=report,
            on_start=lambda done, steps: progress.update(task, completed=done, total=steps),
            resume=resume,
        )
    _print_trained(trained, as_json=as_json)


def _print_trained(trained: Trained, *, as_json: bool, was_finished: bool = False) -> None:
    if as_json:
        losses = {"dev_loss_nats_per_token": trained.dev_losses}
        print_json(asdict(trained) | losses | {"was_finished": was_finished})
        return
    cost = f"{trained.cpu_s:.0f} s of CPU time"
    typer.echo(
        f"{trained.folder}: {trained.rows} reports, {trained.steps} steps,"
        f" {trained.parameters:,} numbers trained,"
        f" {'finished before, nothing was trained now' if was_finished else cost};"
        f" kept step {trained.kept_step},"
        f" dev loss {trained.dev_losses[trained.kept_step]:.3f} nats a token"
    )


def _require_corpus(folder: Path, *names: str) -> None:
    for name in names:
        if not (folder / name).is_file():
            raise ConfigurationError("corpus_file_missing", str(folder / name))


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
