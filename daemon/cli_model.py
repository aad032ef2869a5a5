"""Commands of the model side: synth, train, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from daemon.cli_options import AsJson, print_json

if TYPE_CHECKING:
    from model.synth import Corpus

ERRORS = Console(stderr=True)


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(synth)


def synth(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the corpus to.")],
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    train: Annotated[int, typer.Option(min=0, help="Reports to train on.")] = 4000,
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
