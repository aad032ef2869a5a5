"""Drafts by a recipe for `prelim evaluate --recipe`: read, drafted, its progress and cost told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from daemon.cli_libraries import MODEL_LIBRARIES, require_libraries
from daemon.cli_recipes import DRAFTING, read_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow
    from model.drafting import Drafted, DraftingRecipe
    from model.drafting.by_recipe import Means


def read_drafting_recipe(told: Path) -> DraftingRecipe:
    """Read a drafting recipe: a file, or a shipped one by its name.

    Raises:
        ConfigurationError: With the path of its first wrong field.
        EngineUnavailableError: A library that it needs is not installed.
    """
    from model.drafting import load_drafting_recipe

    recipe = read_recipe(told, DRAFTING, load_drafting_recipe)
    needed = ["sklearn"] * (recipe.classes is not None)
    needed += MODEL_LIBRARIES if recipe.adapter is not None else ()
    require_libraries("model,evaluation", *needed, asked_by="--recipe")
    return recipe


def draft(
    recipe: DraftingRecipe,
    reports: Sequence[CorpusRow],
    train: Sequence[CorpusRow],
    *,
    adapter: Path | None,
    base: Path | None,
    is_ablated: bool,
) -> Drafted:
    """Draft by a recipe, with a bar for its training and one for its writing."""
    from model.drafting import draft_by_recipe

    with _shown(adapter, base, len(reports)) as means:
        return draft_by_recipe(recipe, reports, train, means, is_ablated=is_ablated)


def notes_of(drafted: Drafted) -> list[str]:
    """Say what it cost, and what the classifier trades on training reports."""
    costs = [
        f"{part}: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} s of CPU time"
        for part, cost in drafted.costs.items()
    ]
    points = [
        f"classifier, cross-validated on training, above {threshold:.3f}:"
        f" invented {100 * invented:.1f} %, missed {100 * missed:.1f} %"
        for threshold, invented, missed in drafted.curve
    ]
    return costs + points


@contextmanager
def _shown(adapter: Path | None, base: Path | None, reports: int) -> Iterator[Means]:
    from model.drafting.by_recipe import Means

    with Progress(console=Console(stderr=True), transient=True) as progress:
        training = progress.add_task("training", visible=False)
        writing = progress.add_task("writing", total=reports, visible=False)
        yield Means(
            adapter=adapter,
            base=base,
            report=lambda step, *_: progress.update(training, completed=step),
            on_start=lambda done, steps: progress.update(
                training, completed=done, total=steps, visible=True
            ),
            advance=lambda n: progress.update(writing, advance=n, visible=True),
        )
