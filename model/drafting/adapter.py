"""The adapter of a recipe: trained on the reports that are not short normal ones, then kept.

It is kept in a cache folder by the digest of all that it comes from, so that it is trained once; a
training that was cut off goes on. Exemplars stand in the prompt as the site's style. The texts it
learns from lie in a private folder while it is trained, and nowhere afterwards.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from model.corpora.asking import findings_of, prompts_of
from model.corpora.schema import render_row, write_corpus_file
from model.engines.weights import digest_of
from model.evaluation.content import calls_normal
from model.evaluation.reports import same_findings
from model.training.card import CARD
from model.training.run import find_base, run_training

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model.corpora.schema import CorpusRow
    from model.drafting.recipe import AdapterPlan

EXEMPLAR_CHARACTERS_MAX = 130
"""Of all exemplars of a prompt together."""
STYLE_BEGIN = "As in: "
DEV_REPORTS = 40

Nearest = list[tuple[int, float]]


def with_exemplars(
    report: CorpusRow, nearest: Nearest, train: Sequence[CorpusRow], plan: AdapterPlan
) -> CorpusRow:
    """Give a report the impressions of its nearest training reports as its style.

    Args:
        report: Any.
        nearest: Places and similarities of the training reports of the kind, nearest first.
        train: The training reports; those with the very same findings are no exemplars for a
            report that is learned: give ``nearest`` without them.
        plan: How many.
    """
    said: list[str] = []
    for place, _ in nearest:
        text = " ".join(train[place].impression.split())
        is_short = len(" | ".join([*said, text])) <= EXEMPLAR_CHARACTERS_MAX
        if is_short and text not in said and len(said) < plan.exemplars:
            said.append(text)
    return replace(report, style=STYLE_BEGIN + " | ".join(said)) if said else report


def learned_rows(
    train: Sequence[CorpusRow], nearest: Callable[[int], Nearest], plan: AdapterPlan
) -> list[CorpusRow]:
    """Return the reports that the adapter learns, with exemplars that are not their own."""
    rows = []
    for place, report in enumerate(train):
        if calls_normal(findings_of(report), report.impression):
            continue
        own = same_findings(report.findings)
        near = [one for one in nearest(place) if same_findings(train[one[0]].findings) != own]
        tidy = replace(report, impression=" ".join(report.impression.split()))
        rows.append(with_exemplars(tidy, near, train, plan))
    return rows


def prepare_adapter(
    plan: AdapterPlan,
    rows: Sequence[CorpusRow],
    *,
    seed: int,
    base: Path | None = None,
    cache: Path | None = None,
    report: Callable[[int, float, float | None], None] = lambda *_: None,
    on_start: Callable[[int, int], None] = lambda *_: None,
) -> Path:
    """Return the adapter's folder, training it when it is not there.

    Args:
        plan: How it is trained.
        rows: From ``learned_rows``.
        seed: Draws the rows that only watch the training.
        base: Folder of the base model; None for the demo base.
        cache: Where adapters are kept; None for the user's cache folder.
        report: Called after each step, as ``run_training`` does.
        on_start: Called when a training begins, as ``run_training`` does.

    Raises:
        EngineUnavailableError: The base model is not there.
        RecipeRefusedError: The recipe cannot be run on this base.
    """
    root = cache or Path(platformdirs.user_cache_dir("prelim", appauthor=False)) / "adapters"
    told = {"training": plan.training.as_run(), "seed": seed}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    digest.update(digest_of(find_base(plan.training, base)).encode())
    for row in rows:
        digest.update(render_row(row).encode())
    out = root / f"{plan.training.name}-{digest.hexdigest()[:16]}"
    if (out / CARD).is_file():  # written last
        return out
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as made:
        data = Path(made)
        _write_corpus(data, rows, seed)
        run_training(
            plan.training,
            data=data,
            out=out,
            base=base,
            report=report,
            on_start=on_start,
            resume=True,
        )
    return out


def write_drafts(
    plan: AdapterPlan,
    adapter: Path,
    reports: Sequence[CorpusRow],
    *,
    base: Path | None,
    seed: int,
    advance: Callable[[int], None] = lambda _: None,
) -> list[list[str] | None]:
    """Let the adapter draft.

    Args:
        plan: How many samples, and how bold.
        adapter: Its folder.
        reports: With their exemplars.
        base: Folder of the base model; None for the demo base.
        seed: Of the sampling.
        advance: Called with the number of reports just done.

    Returns:
        For each report the likeliest draft, then the samples; None where it is too long for the
        base.

    Raises:
        EngineUnavailableError: A folder does not hold what it should.
    """
    from model.training.writer import load_writer

    writer = load_writer(adapter, base, threads=plan.training.threads)
    prompts = prompts_of(reports, plan.training.prompt, writer)
    asked = [prompt for prompt in prompts if prompt is not None]
    advance(prompts.count(None))
    drafts = writer.write(asked, advance=lambda n: advance(0 if plan.samples else n))
    if plan.samples:
        sampled = writer.write(
            asked,
            samples=plan.samples,
            temperature=plan.temperature,
            seed=seed,
            advance=advance,
        )
        drafts = [[*first, *others] for first, others in zip(drafts, sampled, strict=True)]
    written = iter(drafts)
    return [None if prompt is None else next(written) for prompt in prompts]


def _write_corpus(folder: Path, rows: Sequence[CorpusRow], seed: int) -> None:
    """Write what is learned and, at most a fifth, drawn, what only watches."""
    rng = random.Random(seed)  # noqa: S311 - drawing a sample is no secret
    watching = set(rng.sample(range(len(rows)), max(1, min(DEV_REPORTS, len(rows) // 5))))
    for name, is_dev in (("train", False), ("dev", True)):
        chosen = (row for place, row in enumerate(rows) if (place in watching) == is_dev)
        write_corpus_file(folder / f"{name}.jsonl", chosen)
