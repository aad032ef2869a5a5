"""Train and try each cell on the same reports; one that is done is not done again.

A cell's folder holds what was trained and, written last, ``outcome.json`` with its costs and its
drafts: report text, its owner's alone. The folder's name says what it was made of: another recipe,
corpus or base makes another one.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from math import prod
from statistics import median
from typing import TYPE_CHECKING, Any

from model.comparing.ablation import prompt_of
from model.comparing.costs import Cost, Meter
from model.corpora.schema import open_private, render_row
from model.engines.weights import digest_of
from model.errors import EngineUnavailableError, RecipeRefusedError
from model.evaluation.comparison import run_comparison
from model.evaluation.contenders import BASELINES, Means, draft_all
from model.evaluation.reports import read_reports
from model.prompt import DEFAULT_PLAN
from model.training import run_training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mappings.domain import Prompt
    from model.comparing.ablation import Writer
    from model.comparing.cells import Cell
    from model.corpora.schema import CorpusRow
    from model.evaluation.comparison import Comparison, Source
    from model.training import Recipe, Trained

ALONE = 3
OUTCOME = "outcome.json"


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
class Outcome:
    """What a cell cost and wrote.

    Attributes:
        parameters: Numbers that were trained; 0 where nothing was.
        base_parameters: Numbers of the base.
        training: Seconds of the steps and the looks at the dev rows (since it was taken up again,
            for a run that was cut off), and the peak with loading; None where nothing was trained.
        dev_loss: Of what was kept, nats a token.
        drafting: Loading, and all reports in batches.
        alone_s: Median wall seconds of a report drafted by itself.
        drafts: In the order of the reports.
    """

    parameters: int
    base_parameters: int
    training: Cost | None
    dev_loss: float | None
    drafting: Cost
    alone_s: float
    drafts: tuple[str, ...] = field(repr=False)


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
    """
    train = read_reports(asked.data / "train.jsonl")
    done = run_cells(cells, asked, watch)
    drafts = draft_all(BASELINES, asked.reports, Means(train=train))
    for cell, told in done.items():
        if not isinstance(told, str):
            drafts[cell.name] = list(told.drafts)
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

    Raises:
        PromptRefusedError: A report is too long for a base.
    """
    digests = {cell.folder: digest_of(cell.folder) for cell in cells if cell.folder is not None}
    done: dict[Cell, Outcome | str] = {}
    for cell in cells:
        if cell.folder is None:
            done[cell] = cell.why_not or "no base"
            continue
        try:
            done[cell] = _outcome_of(cell, asked, digests[cell.folder], watch or Watch())
        except (EngineUnavailableError, RecipeRefusedError) as error:
            done[cell] = error.reason
    return done


def _outcome_of(cell: Cell, asked: Asked, base_digest: str, watch: Watch) -> Outcome:
    key = _key(cell, asked, base_digest)
    folder = asked.out / "cells" / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', cell.name)}-{key[:12]}"
    if (found := _read_outcome(folder / OUTCOME)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    gc.collect()  # what the run before held is no part of this one's peak
    outcome = _run(cell, asked, folder, watch)
    beside = folder / f"{OUTCOME}.part"
    with open_private(beside) as file:
        json.dump(asdict(outcome), file, ensure_ascii=False)
    beside.replace(folder / OUTCOME)
    return outcome


def _run(cell: Cell, asked: Asked, folder: Path, watch: Watch) -> Outcome:
    from model.training.writer import load_writer

    trained, training = None, None
    if cell.recipe is not None:
        trained, training = _train(cell, cell.recipe, asked, folder, watch)
    watch.began(f"{cell.name}, drafting", len(asked.reports))
    plan = cell.recipe.prompt if cell.recipe else DEFAULT_PLAN
    prompts = [prompt_of(report, plan) for report in asked.reports]
    meter = Meter()
    writer = load_writer(folder if trained else None, cell.folder, threads=asked.threads)
    drafts = [texts[0] for texts in writer.write(prompts, advance=watch.advanced)]
    drafting = meter.read()
    return Outcome(
        parameters=trained.parameters if trained else 0,
        base_parameters=count_parameters(cell.folder) if cell.folder else 0,
        training=training,
        dev_loss=trained.dev_losses[trained.kept_step] if trained else None,
        drafting=drafting,
        alone_s=_alone_s(writer, prompts),
        drafts=tuple(drafts),
    )


def _train(
    cell: Cell, recipe: Recipe, asked: Asked, folder: Path, watch: Watch
) -> tuple[Trained, Cost]:
    """Train a cell; return what was made, its seconds and the peak with loading."""
    meter = Meter()
    trained = run_training(
        recipe,
        data=asked.data,
        out=folder,
        base=cell.folder,
        report=lambda *_: watch.advanced(1),
        on_start=lambda done, steps: watch.began(cell.name, steps - done),
        resume=True,
    )
    return trained, replace(meter.read(), wall_s=trained.wall_s, cpu_s=trained.cpu_s)


def count_parameters(folder: Path) -> int:
    """Count the numbers of a base by the headers of its weights; tied ones stand there once."""
    from safetensors import safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no dict
    return total


def _alone_s(writer: Writer, prompts: Sequence[Prompt]) -> float:
    """Draft a few reports one by one, as a report is that comes alone."""
    seconds = []
    for prompt in prompts[:ALONE]:
        meter = Meter()
        writer.write([prompt])
        seconds.append(meter.read().wall_s)
    return median(seconds)


def _key(cell: Cell, asked: Asked, base_digest: str) -> str:
    """Name all that an outcome follows from."""
    told = {
        "recipe": cell.recipe.model_dump(mode="json") if cell.recipe else None,
        "base": base_digest,
        "data": [_sha256(asked.data / name) for name in ("train.jsonl", "dev.jsonl")],
        "reports": [render_row(report) for report in asked.reports],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _read_outcome(path: Path) -> Outcome | None:
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    training = told.pop("training")
    return Outcome(
        **told
        | {
            "training": None if training is None else Cost(**training),
            "drafting": Cost(**told["drafting"]),
            "drafts": tuple(told["drafts"]),
        }
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
