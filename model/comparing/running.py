"""Train and try each cell on the same reports; one that is done is not done again.

A cell's folder holds what was trained, ``training.json`` with its cost, and a file of drafts for
each set of reports. Its name says what it was made of: another recipe, corpus or base makes another
folder.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from model.comparing.outcomes import Drafting, Outcome, Training, made_once
from model.corpora.asking import prompt_of, write_impressions
from model.corpora.schema import render_row
from model.costs import Meter
from model.engines.weights import count_parameters, digest_of
from model.errors import EngineUnavailableError, PromptRefusedError, RecipeRefusedError
from model.evaluation.by_reference import run_comparison
from model.evaluation.contenders import BASELINES, Means, draft_all
from model.evaluation.reports import read_reports
from model.prompt import DEFAULT_PLAN
from model.training import run_training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Prompt
    from model.comparing.cells import Cell
    from model.corpora.asking import Writer
    from model.corpora.schema import CorpusRow
    from model.evaluation.by_reference import Comparison, Source
    from model.training import Recipe

ALONE = 3
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """What every cell is trained and tried on.

    Attributes:
        data: Folder with train.jsonl and dev.jsonl.
        reports: What each drafts.
        out: Each cell gets a folder in its ``cells``.
        threads: CPU threads for drafting; training takes its recipe's.
    """

    data: Path
    reports: tuple[CorpusRow, ...]
    out: Path
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """Every cell, run or not, and the numbers of what was written, baselines beside."""

    cells: Mapping[Cell, Outcome | str]
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears how far a run is.

    Attributes:
        began: Called with what is done now, and how many steps or drafts it has.
        advanced: Called with the number of steps or drafts just done.
    """

    began: Callable[[str, int], None] = lambda *_: None
    advanced: Callable[[int], None] = lambda _: None


def compare_cells(
    cells: Sequence[Cell], asked: Asked, source: Source, watch: Watch | None = None
) -> Compared:
    """Run the cells, let the baselines draft the same reports, and score all of them.

    Args:
        cells: From ``plan_cells``.
        asked: Its ``data`` gives the baselines their training reports, too.
        source: Where the reports are from.
        watch: Who hears how far it is.

    Raises:
        PromptRefusedError: No report is short enough for every base.
    """
    train = read_reports(asked.data / "train.jsonl")
    done = run_cells(cells, asked, watch)
    drafts = draft_all(BASELINES, asked.reports, Means(train=train))
    for cell, told in done.items():
        if isinstance(told, Outcome):
            drafts[cell.name] = told.drafting.drafts
    comparison = run_comparison(
        asked.reports, drafts, source=source, train=train, against="nearest"
    )
    return Compared(done, comparison)


def run_cells(
    cells: Sequence[Cell], asked: Asked, watch: Watch | None = None
) -> dict[Cell, Outcome | str]:
    """Run every cell that can be run and is not done.

    Returns:
        Each cell's outcome, or why it was not run.
    """
    digests = {cell.folder: digest_of(cell.folder) for cell in cells if cell.folder is not None}
    done: dict[Cell, Outcome | str] = {}
    for cell in cells:
        if cell.folder is None:
            done[cell] = cell.why_not or "no base"
            continue
        try:
            digest = digests[cell.folder]
            done[cell] = _outcome_of(cell, cell.folder, asked, digest, watch or Watch())
        except (EngineUnavailableError, RecipeRefusedError, PromptRefusedError) as error:
            done[cell] = error.reason
    return done


def _outcome_of(cell: Cell, base: Path, asked: Asked, base_digest: str, watch: Watch) -> Outcome:
    folder = asked.out / "cells" / _folder_name(cell, asked, base_digest)
    folder.mkdir(parents=True, exist_ok=True)
    reports = _digest([render_row(report) for report in asked.reports])
    training = None
    if (recipe := cell.recipe) is not None:
        training = made_once(
            folder / "training.json",
            Training,
            lambda: _train(cell.name, recipe, base, asked.data, folder, watch),
        )
    drafting = made_once(
        folder / f"drafts-{reports[:DIGITS]}.json",
        Drafting,
        lambda: _draft(cell, base, asked, folder, watch),
    )
    return Outcome(count_parameters(base), training, drafting)


def _train(
    name: str, recipe: Recipe, base: Path, data: Path, folder: Path, watch: Watch
) -> Training:
    gc.collect()  # what the run before held is no part of this one's peak
    meter = Meter()
    trained = run_training(
        recipe,
        data=data,
        out=folder,
        base=base,
        report=lambda *_: watch.advanced(1),
        on_start=lambda done, steps: watch.began(name, steps - done),
        resume=True,
    )
    cost = replace(meter.read(), wall_s=trained.wall_s, cpu_s=trained.cpu_s)
    return Training(trained.parameters, cost, trained.dev_losses[trained.kept_step])


def _draft(cell: Cell, base: Path, asked: Asked, folder: Path, watch: Watch) -> Drafting:
    from model.training.writer import load_writer

    watch.began(f"{cell.name}, drafting", len(asked.reports))
    plan = cell.recipe.prompt if cell.recipe else DEFAULT_PLAN
    gc.collect()
    meter = Meter()
    writer = load_writer(folder if cell.recipe else None, base, threads=asked.threads)
    drafts = tuple(write_impressions(asked.reports, plan, writer, watch.advanced))
    cost = meter.read()
    drafted = [
        report for report, draft in zip(asked.reports, drafts, strict=True) if draft is not None
    ]
    if not drafted:
        raise PromptRefusedError("every_report_too_long", cell.name)
    return Drafting(
        cost, _alone_s(writer, [prompt_of(one, plan) for one in drafted[:ALONE]]), drafts
    )


def _alone_s(writer: Writer, prompts: Sequence[Prompt]) -> float:
    """Draft a few reports one by one, as a report is that comes alone."""
    seconds = []
    for prompt in prompts:
        meter = Meter()
        writer.write([prompt])
        seconds.append(meter.read().wall_s)
    return median(seconds)


def _folder_name(cell: Cell, asked: Asked, base_digest: str) -> str:
    """Name all that a training follows from."""
    told = {
        "recipe": cell.recipe.model_dump(mode="json") if cell.recipe else None,
        "base": base_digest,
        "data": [
            hashlib.sha256((asked.data / name).read_bytes()).hexdigest()
            for name in ("train.jsonl", "dev.jsonl")
        ],
    }
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', cell.name)}-{_digest(told)[:DIGITS]}"


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
